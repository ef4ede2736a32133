"""Text of a user's or a run folder's is text everywhere: on the terminal, in Markdown, HTML and commands."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from primitives.quoting import MOST, command, quoted, visible
from search import Job, Run
from search.confirmation import write_confirmation
from search.confirmation.record import (
    Carried,
    Compared,
    Confirmation,
    Estimate,
    Finalist,
    OnTask,
    Over,
    Setting,
    Verdict,
)
from search.errors import RunError
from search.export.markdown import code, code_cell, plain
from tests.search_tests.conftest import Told

Command = Callable[..., tuple[int, str, str]]

NASTY = [
    "<script>alert(1)</script>", "![x](http://a/b)", "[x](javascript:y)", "[/x]", "[bold]b[/bold]", "[link=file:///]l",
    "`a` ``b`", "a|b", "a\nb\n# c\n\n- d", "$x^2$", "&lt;&#60;", "\x1b]0;t\x07\x1b[2J", "\x00", "\x9b2J", "\u202eabc",
    "\u2028", "\U000e0041", "\udc80", "*a* _b_ ~~c~~", "\\", "<!-- ", "';reboot #", "$(reboot)", ":smile:", "",
]  # fmt: skip
EVIL = " ".join(NASTY)
MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
TOKENS = {"html_block", "html_inline", "link_open", "image", "em_open", "strong_open", "s_open", "heading_open", "hr"}


def is_clean(text: str) -> bool:
    """No character that a terminal would act on."""
    return visible(text) == text


@pytest.mark.parametrize("text", NASTY)
def test_text_in_markdown_is_text(text: str) -> None:
    lines = [f"- a {plain(text)} b", f"- {code(text)} b", "", "| a | b |", "|---|---|"]
    page = "\n".join([*lines, f"| {plain(text)} {code_cell(text)} | b |"])
    assert is_clean(page)
    tokens = [inner for token in MARKDOWN.parse(page) for inner in (token, *(token.children or ()))]
    assert not TOKENS & {token.type for token in tokens}
    kinds = [token.type for token in tokens]
    assert (kinds.count("list_item_open"), kinds.count("td_open"), kinds.count("tr_open")) == (2, 2, 2)
    shown = " ".join(visible(text).split("\n"))
    said = next(token for token in tokens if token.type == "inline").children or ()
    assert "".join(token.content for token in said) == f"a {shown} b"
    if shown.strip():
        assert shown.strip() in [token.content.strip() for token in tokens if token.type == "code_inline"]


@pytest.mark.parametrize("text", NASTY)
def test_printed_commands_are_read_back(text: str) -> None:
    assert shlex.split(command("resume", text)) == ["actsearch", "resume", text]


def test_quoted_is_short_and_visible() -> None:
    deep: object = "x"
    for _ in range(1000):
        deep = [deep] * 3
    for value in (*NASTY, EVIL * 100_000, deep, {"a" * 10**6: deep}, 10**5000, None, 1.5):
        assert len(quoted(value)) <= 6 * MOST and is_clean(quoted(value)), value
    assert quoted("short") == "'short'"
    assert len(quoted("a" * 10**6)) == MOST + 1 and "..." in quoted("a" * 10**6)
    assert json.loads(visible(json.dumps(EVIL, ensure_ascii=False))) == EVIL


@pytest.fixture
def forged(small: Path) -> Run:
    """A run whose confirmation has nasty text wherever it has a name."""
    run = Job.load(small, ["budget=6", "confirmation.finalists=0"]).launch("one")
    best = next(row for row in run.front_rows() if row.gain is not None)
    one = Estimate(0.1, 0.05, 0.2)
    over = Over(EVIL, one)
    verdict = Verdict(
        gains={"relu": one, EVIL: one}, drop_in={"relu": Estimate(0.3, 0.2, 0.4), EVIL: None}, best_control=EVIL,
        gain_over_best_control=0.1, p=0.01, p_holm=0.01, confirmed=True, by_task={EVIL: one},
        on_task={EVIL: OnTask(over, 0.01, 0.01, True), "b": None}, readings={EVIL: {EVIL: 0.5}},
    )  # fmt: skip
    finalist = Finalist(best.id, best.expression, 1.0, 0.1, one, short=best.expression)
    setting = Setting(6, 12, (EVIL,), (EVIL,), {EVIL: EVIL}, 0.05)
    confirmation = Confirmation(
        6, setting, (Compared(finalist, verdict, {EVIL: over}),), (0.1,), smallest_effect=0.1,
        carried=(Carried(EVIL, "sin(x)", 1.0, one), Carried("gelu", "gelu(x)", 1.0)), known_tried=2,
        reference_readings={EVIL: {EVIL: 0.5}},
    )  # fmt: skip
    write_confirmation(run.folder.confirmation, confirmation, run.folder.run)
    folder = run.path.parent / "[" / "x] $(reboot) `a` [bold] \u202e\x1b"
    folder.parent.mkdir()
    return Run.open(run.path.rename(folder))


def test_a_forged_run_is_text_wherever_it_is_shown(forged: Run, command: Command) -> None:
    name = str(forged.path)
    for verb, *more in (
        ["status"], ["front"], ["front", "--all"], ["front", "--csv"], ["front", "--json"], ["status", "--json"],
        ["report"], ["export"], ["export", "--json"], ["export", "0.x\x1b"], ["front", "--plot", "x.\x1b"],
        ["resume", "--set", "seed=\x1b"], ["resume", "--set", "budget=6"], ["confirm"],
    ):  # fmt: skip
        arguments = [verb, name, *more]
        code, out, err = command(*arguments)
        assert code in (0, 2) and is_clean(out) and is_clean(err), (arguments, out, err)
        assert "Traceback" not in err
    assert "[/x]" in command("front", name, "--all")[1]


def test_files_made_of_a_forged_run(forged: Run) -> None:
    page = forged.report().read_text()
    assert is_clean(page) and not re.search(r"<script>alert|<img src=x", page)
    from search.export.export import export

    card = next(path for path in export(forged, [], ["torch", "c"]) if path.name == "README.md").read_text()
    assert is_clean(card)
    tokens = [inner for token in MARKDOWN.parse(card) for inner in (token, *(token.children or ()))]
    assert not {"html_block", "html_inline", "link_open"} & {token.type for token in tokens}
    assert [token.attrs["src"] for token in tokens if token.type == "image"] == [f"{forged_name(card)}.svg"]
    items = [token for token in tokens if token.type == "heading_open"]
    assert len(items) == 5 and "alert(1)" in card


def forged_name(card: str) -> str:
    return card.splitlines()[0].removeprefix("# ").replace("\\", "")


def test_the_last_lines_of_a_job(forged: Run, capsys: pytest.CaptureFixture[str]) -> None:
    from search.commands.shell import print_confirmation, print_results

    confirmation = forged.confirmation()
    assert confirmation is not None
    print_confirmation(confirmation, forged)
    print_results(forged, False)
    print_results(forged, True)
    out = capsys.readouterr().out
    assert is_clean(out) and "[/x]" in out and "[bold]b[/bold]" in out.replace("\n", "")
    (line,) = (line for line in out.splitlines() if line.startswith("actsearch export"))
    assert shlex.split(line)[2] == visible(str(forged.path))
    told = Told()
    forged.resume(reporter=told)
    assert any("nothing is left to do" in line for line in told.lines)


def test_a_new_run_has_a_name_that_can_be_shown(small: Path, command: Command) -> None:
    for name in ("a\x1b", "a\nb\u202e", "a" * 1001, "runs/\udc80"):
        code, _, err = command("launch", "small.yaml", "--run", name)
        assert code == 2 and "none of them a control character" in err and is_clean(err)
    assert not Path("runs").exists()
    job = Job.load(small)
    job.name = "b\x07"
    with pytest.raises(RunError, match="control character"):
        job.launch()
