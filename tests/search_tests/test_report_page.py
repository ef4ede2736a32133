"""The report in a browser: it loads, it can be used by pointer, touch and keyboard, and it fits every screen."""

from __future__ import annotations

import base64
import io
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from evaluators.results.json_codec import Fields
from search.confirmation.codec import confirmation_from_json
from search.records.class_row import best_of
from search.report import page
from tests.search_tests.made_up import finalist, made_up_run, many_candidates

selenium = pytest.importorskip("selenium", reason="selenium is not installed")

from selenium.webdriver import ActionChains, Chrome, ChromeOptions, Keys  # noqa: E402
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
FLAGS = ("--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
         "--disable-component-update --disable-sync --disable-dev-shm-usage")  # fmt: skip

pytestmark = pytest.mark.skipif(not (BROWSER and DRIVER), reason="chromium or chromedriver is missing")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of a page with 10,000 candidates, of which one is confirmed."""
    run_data = many_candidates(10_000)
    setting = {"seeds": 6, "steps": 12, "tasks": ["digits"], "networks": {"digits": "digits-3x80"}, "alpha": 0.05}
    rows = [finalist(best_of(run_data.front).cells)]
    whole = {"trained": 10_000, "setting": setting, "finalists": rows, "nulls": [0.05, -0.05]}
    found = confirmation_from_json(Fields(whole, "test_report_page.py"))
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(page(replace(run_data, confirmation=found)), encoding="utf-8")
    return path.as_uri()


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    options = ChromeOptions()
    options.binary_location = str(BROWSER)
    for flag in (*FLAGS.split(), f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = Chrome(options=options, service=Service(executable_path=DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def browser(started: Chrome) -> Chrome:
    """At a desktop's width, in light mode."""
    screen(started, 1280)
    mode(started, "light")
    return started


def screen(browser: Chrome, width: int) -> None:
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def mode(browser: Chrome, name: str) -> None:
    features = [{"name": "prefers-color-scheme", "value": name}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def pixels(browser: Chrome) -> np.ndarray:
    """Of the part of the page that is on the screen, rows x columns x RGB."""
    found = browser.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(found["data"]))).convert("RGB"))


def visible(browser: Chrome) -> list[Any]:
    """The links of the front's members in the picture that is shown."""
    links = browser.find_elements(By.CSS_SELECTOR, "a[data-member]")
    return [link for link in links if link.find_element(By.CLASS_NAME, "dot").is_displayed()]


def panel(browser: Chrome) -> tuple[str, int]:
    """Text of the panel and number of its curves."""
    found = browser.find_element(By.ID, "chosen")
    return found.text, len(found.find_elements(By.CSS_SELECTOR, "path.value"))


def formula(browser: Chrome, member: str) -> str:
    card = browser.find_element(By.ID, f"member-{member}")
    return str(card.find_element(By.CSS_SELECTOR, "p.formula").text)


def test_it_loads_without_errors_and_without_requests(browser: Chrome, address: str) -> None:
    browser.get_log("performance")
    browser.get(address)
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
    requests = [e["message"] for e in browser.get_log("performance") if "Network.requestWillBeSent" in e["message"]]
    assert requests and all(address in message or "data:," in message for message in requests)
    timing = "return performance.getEntriesByType('navigation')[0].loadEventEnd"
    assert browser.execute_script(timing) > 0
    print(f"10,000 candidates: {browser.execute_script(timing):.0f} ms from the start of navigation to load")


def test_pointing_at_a_member_shows_its_formula_and_plot(browser: Chrome, address: str) -> None:
    browser.get(address)
    links = visible(browser)
    assert len(links) > 5
    for link in links[::4]:
        ActionChains(browser).move_to_element(link.find_element(By.CLASS_NAME, "dot")).perform()
        member = link.get_attribute("data-member")
        text, curves = panel(browser)
        assert formula(browser, member) in text and f"candidate {member}" in text and curves == 1
        assert "current" in link.get_attribute("class")


def test_keys_go_from_member_to_member(browser: Chrome, address: str) -> None:
    browser.get(address)
    links = visible(browser)
    assert [link.get_attribute("tabindex") for link in links].count("0") == 1  # one stop for the tab key
    best = next(link for link in links if link.get_attribute("tabindex") == "0")
    browser.execute_script("arguments[0].focus()", best)
    before, _ = panel(browser)
    ActionChains(browser).send_keys(Keys.ARROW_LEFT).perform()
    text, curves = panel(browser)
    focused = browser.execute_script("return document.activeElement.dataset.member")
    assert focused != best.get_attribute("data-member")
    assert formula(browser, focused) in text and text != before and curves == 1
    ActionChains(browser).send_keys(Keys.ENTER).perform()
    chosen = browser.execute_script("return document.getElementById('line-of').value")
    shown = [e.get_attribute("data-line") for e in browser.find_elements(By.CSS_SELECTOR, "[data-line]:not([hidden])")]
    assert chosen == focused and shown == [focused]


def test_a_tap_chooses_a_member_and_its_line(browser: Chrome, address: str) -> None:
    screen(browser, 390)
    browser.get(address)
    link = visible(browser)[2]
    dot = link.find_element(By.CLASS_NAME, "dot")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", dot)
    box = browser.execute_script("const r = arguments[0].getBoundingClientRect(); return [r.x, r.y, r.width]", dot)
    place = {"x": box[0] + box[2] / 2, "y": box[1] + box[2] / 2}
    before = browser.execute_script("return scrollY")
    for kind, points in (("touchStart", [place]), ("touchEnd", [])):
        browser.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    member = browser.execute_script("return document.getElementById('line-of').value")
    text, curves = panel(browser)
    assert member == link.get_attribute("data-member")
    assert f"candidate {member}" in text and curves == 1
    assert browser.execute_script("return scrollY") == before


def test_a_tap_in_any_picture_shows_formula_and_plot_on_the_screen(browser: Chrome, tmp_path: Path) -> None:
    """With many objectives the last picture is some screens above the end of the section."""
    run = made_up_run(tmp_path / "run", objectives=["gain", "cost", "complexity", "lipschitz"])
    screen(browser, 390)
    browser.get(run.report().as_uri())
    links = visible(browser)
    for link in (links[0], links[-1]):
        dot = link.find_element(By.CLASS_NAME, "dot")
        browser.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", dot)
        browser.execute_script("arguments[0].dispatchEvent(new MouseEvent('click', {bubbles: true}))", link)
        shown = browser.execute_script(
            "const r = document.querySelector('#chosen path.value').getBoundingClientRect(); return [r.top, r.bottom]"
        )
        assert shown[0] >= 0 and shown[1] <= 900, shown
        assert f"candidate {link.get_attribute('data-member')}" in panel(browser)[0]


def test_nothing_is_cut_off_on_paper_and_it_is_light(browser: Chrome, address: str) -> None:
    """A4 with Chromium's margins is 718 pixels wide; a dark screen is no reason for light letters on it."""
    screen(browser, 718)
    features = [{"name": "prefers-color-scheme", "value": "dark"}]
    browser.get(address)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print", "features": features})
    try:
        cut = browser.execute_script(
            "return [...document.querySelectorAll('table, pre, .card, svg.chart')].filter((one) =>"
            " one.checkVisibility() && one.getBoundingClientRect().right > innerWidth - 20)"
            ".map((one) => one.outerHTML.slice(0, 80))"
        )
        paper = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert cut == [] and paper == "rgb(255, 255, 255)"


def test_a_line_is_chosen_by_its_list(browser: Chrome, address: str) -> None:
    browser.get(address)
    options = browser.find_elements(By.CSS_SELECTOR, "#line-of option")
    options[3].click()
    member = options[3].get_attribute("value")
    (line,) = browser.find_elements(By.CSS_SELECTOR, "[data-line]:not([hidden])")
    assert line.get_attribute("data-line") == member and f"{member}," in line.text


@pytest.mark.parametrize("width", [1280, 768, 390, 320])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_and_is_not_blank(browser: Chrome, address: str, width: int, scheme: str) -> None:
    screen(browser, width)
    mode(browser, scheme)
    browser.get(address)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    for section in ("settings", "front", "gallery", "confirmation", "time"):
        place = "document.getElementById(arguments[0]).scrollIntoView({behavior: 'instant'})"
        browser.execute_script(place, section)
        shown = pixels(browser)
        paper = shown[2, 2].mean()
        assert paper > 200 if scheme == "light" else paper < 60
        assert (np.abs(shown.astype(int) - shown[2, 2]).max(axis=2) > 60).mean() > 0.005  # ink


def test_no_text_lies_on_another_or_is_cut_off(browser: Chrome, address: str) -> None:
    """Of the front's picture: formulas, ticks and labels of the axes."""
    for width in (1280, 390):
        screen(browser, width)
        browser.get(address)
        (picture,) = (p for p in browser.find_elements(By.CSS_SELECTOR, "svg.front") if p.is_displayed())
        boxes = browser.execute_script(
            "return [arguments[0], ...arguments[0].querySelectorAll('text')].map((one) => {"
            "const r = one.getBoundingClientRect(); return [r.left, r.top, r.right, r.bottom]; })",
            picture,
        )
        outer, texts = boxes[0], boxes[1:]
        assert len(texts) > 10
        for a in texts:
            assert a[0] >= outer[0] - 1 and a[1] >= outer[1] - 1 and a[2] <= outer[2] + 1 and a[3] <= outer[3] + 1
        for n, a in enumerate(texts):
            for b in texts[n + 1 :]:
                across = min(a[2], b[2]) - max(a[0], b[0])
                down = min(a[3], b[3]) - max(a[1], b[1])
                assert across <= 1 or down <= 4, (a, b)  # boxes have room above and below the letters
