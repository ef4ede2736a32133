"use strict";
// Choosing a member of the front: by pointer, touch or keyboard. Everything it shows is in the page already.
(() => {
  const panel = document.getElementById("chosen");
  const picker = document.getElementById("line-of");
  if (!panel || !picker) return;
  const links = [...document.querySelectorAll("a[data-member]")];
  const REACH = 28; // pixels on the screen
  const lines = [...document.querySelectorAll("[data-line]")];

  // The panel shows the member's card of the gallery.
  function show(id) {
    if (panel.dataset.shown) panel.classList.add("used"); // the first one is shown unasked
    const card = document.getElementById(`member-${id}`);
    if (!card || panel.dataset.shown === id) return;
    panel.dataset.shown = id;
    panel.replaceChildren(...[...card.childNodes].map((node) => node.cloneNode(true)));
    for (const link of links) {
      const current = link.dataset.member === id;
      link.classList.toggle("current", current);
      link.setAttribute("tabindex", current ? "0" : "-1"); // one stop for the tab key; arrows go on from there
    }
  }

  function trace(id) {
    picker.value = id;
    for (const line of lines) line.hidden = line.dataset.line !== id;
  }

  const dot = (link) => link.querySelector(".dot");
  const inside = (picture) => links.filter((link) => link.ownerSVGElement === picture);

  // The member whose point is nearest to the pointer: members lie close together, and fingers are wide.
  function nearest(row, event) {
    let found = null;
    let least = REACH;
    for (const link of row) {
      const box = dot(link).getBoundingClientRect();
      const away = Math.hypot(box.x + box.width / 2 - event.clientX, box.y + box.height / 2 - event.clientY);
      if (away < least) [found, least] = [link, away];
    }
    return found && found.dataset.member;
  }

  // Neighbours in the order of the horizontal axis.
  function step(link, by) {
    const place = (one) => Number(dot(one).getAttribute("cx"));
    const row = inside(link.ownerSVGElement).sort((a, b) => place(a) - place(b));
    const next = row[row.indexOf(link) + by];
    if (next) next.focus();
  }

  for (const picture of new Set(links.map((link) => link.ownerSVGElement))) {
    const row = inside(picture);
    picture.addEventListener("pointermove", (event) => {
      const id = nearest(row, event);
      if (id) show(id);
    });
    picture.addEventListener("click", (event) => {
      event.preventDefault(); // without this script a link leads to the gallery
      const link = event.detail === 0 && event.target.closest("a[data-member]"); // the enter key has no place
      const id = link ? link.dataset.member : nearest(row, event);
      if (!id) return;
      show(id);
      trace(id);
    });
  }
  for (const link of links) {
    link.addEventListener("focus", () => {
      if (link.matches(":focus-visible")) show(link.dataset.member);
    });
    link.addEventListener("keydown", (event) => {
      const by = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
      if (!by) return;
      event.preventDefault();
      step(link, by);
    });
  }
  picker.addEventListener("change", () => {
    trace(picker.value);
    show(picker.value);
  });
  show(picker.value);
  trace(picker.value);
})();
