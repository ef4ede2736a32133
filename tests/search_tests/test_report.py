"""The report: a page of every run in every state, self-contained, safe and small."""

from __future__ import annotations

import json
import shlex
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from evaluators.results.reasons import Reason
from primitives import ActsearchError
from search import Job, Run
from search.commands.cli import main
from search.confirmation.record import Compared, Confirmation, Estimate, Finalist, Setting, Verdict
from search.errors import FileError
from search.records.class_row import best_of
from search.records.trial import TrialRecord
from search.report import page
from search.report.members import MOST, members
from search.report.run_data import Candidate
from search.storage.files import write_sealed
from tests.plain import number
from tests.search_tests.made_up import ERROR, finalist, front_row, made_up_run, many_candidates

SECTIONS = (
    "settings",
    "funnel",
    "front",
    "gallery",
    "confirmation",
    "tasks",
    "lineage",
    "rungs",
    "provenance",
    "time",
    "again",
)
VOID = {"meta", "link", "br", "hr", "img", "input"}
LOADS = {"src", "srcset", "href", "xlink:href", "data", "action", "poster", "background"}


class Page(HTMLParser):
    """Tags with their attributes, ids, and the visible text; fails where tags do not close."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text, self._open = "", [""]
        self.feed(text)
        assert self._open == [""]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1] not in {"script", "style"}:
            self.text += data

    @property
    def ids(self) -> list[str]:
        return [str(attrs["id"]) for _, attrs in self.tags if "id" in attrs]


def read(run: Run) -> Page:
    return Page(run.report().read_text(encoding="utf-8"))


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    return made_up_run(Path("runs/one"))


def confirmed(run: Run, **changes: Any) -> list[dict[str, Any]]:
    """Write a confirmation of the front's best; return its rows."""
    best = max(run.front(), key=lambda row: number(row["gain"]))
    rows = [finalist(best, **changes)]
    write_confirmation(run, rows)
    return rows


def write_confirmation(run: Run, rows: list[dict[str, Any]], **changes: Any) -> None:
    """The file of a confirmation of such finalists."""
    setting = {"seeds": 6, "steps": 12, "tasks": ["digits"], "networks": {"digits": "digits-3x80"}, "alpha": 0.05}
    whole = {"trained": 24, "setting": setting, "finalists": rows, "nulls": [0.1, -0.1]}
    write_sealed(run.folder.confirmation, whole | changes)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"tasks": ["digits", "digits-10x32"]},
        {"objectives": ["gain"]},
        {"objectives": ["gain", "cost", "complexity"]},
        {"objectives": ["gain", "complexity", "lipschitz", "saved_bytes"], "aggregate": "minimum"},
        {"tasks": ["digits", "digits-10x32"], "aggregate": "rank"},
        {"start": ["x*sigmoid(x)*tanh(x)", "sin(x)"], "training": {"seeds": 1, "steps": 12}},
        {"strategy": "random", "rejection": {"warmup": 6, "audit": 0.5}},
        {"budget": 6, "cohorts": {"size": 1}},
    ],
    ids=str,
)
def test_every_kind_of_run_has_a_page(changes: dict[str, Any], tmp_path: Path) -> None:
    run = made_up_run(tmp_path / "run", **changes)
    found = read(run)
    assert set(SECTIONS) <= set(found.ids)
    assert len(found.ids) == len(set(found.ids))
    front = run.front_rows()
    drawn = [str(a["data-member"]) for tag, a in found.tags if tag == "a" and "data-member" in a]
    charts = max(1, len(run.config.objectives) - 1)
    assert sorted(drawn) == sorted(2 * charts * [row.id for row in front])  # wide and narrow
    assert [i for i in found.ids if i.startswith("member-")] == [f"member-{row.id}" for row in front]
    assert all(row.expression in found.text for row in front)
    assert "no confirmation yet" in found.text and run.status().trained == len(run.classes())
    assert "nan" not in found.text.lower().split() and "None" not in found.text


def test_a_run_without_a_cohort_has_a_page(tmp_path: Path) -> None:
    run = made_up_run(tmp_path / "run")
    for path in (*run.folder.cohorts.iterdir(), run.folder.journal, run.folder.trace, run.folder.environment):
        path.unlink()
    found = read(Run.open(run.path))
    assert set(SECTIONS) <= set(found.ids)
    assert "0 of 24 classes trained" in found.text and "The front is empty" in found.text


def test_a_run_in_which_all_failed_has_a_page() -> None:
    run_data = many_candidates(100)
    failed = [Candidate(TrialRecord(c.id, c.expression, "", reason=Reason.DIVERGED)) for c in run_data.candidates]
    found = Page(page(replace(run_data, candidates=failed, front=[])))
    assert set(SECTIONS) <= set(found.ids)
    assert "The front is empty" in found.text and "no learning rate kept its loss finite" in found.text


def test_a_search_that_has_tried_its_whole_grammar_is_not_said_to_go_on(tmp_path: Path) -> None:
    run = made_up_run(tmp_path / "run", strategy="exhaustive", grammar="safs", budget=100)
    assert "12 of 100 classes trained" in read(run).text and "or found no more classes" in read(run).text


def test_the_gain_is_explained_as_the_job_aggregates_it(tmp_path: Path) -> None:
    two = {"tasks": ["digits", "digits-10x32"]}
    assert "a rank instead" in read(made_up_run(tmp_path / "rank", aggregate="rank", **two)).text
    assert "the lowest of the tasks' gains" in read(made_up_run(tmp_path / "minimum", aggregate="minimum", **two)).text
    assert "rank instead" not in read(made_up_run(tmp_path / "mean", **two)).text


def test_the_same_shape_is_the_search_in_every_picture(run: Run) -> None:
    """Of gains: diamonds are the search, dots the confirmation; without one there is no dot."""

    def shapes(found: Page) -> list[str]:
        names = [(attrs.get("class") or "").partition(" ") for _, attrs in found.tags]
        return ["line" if kind else name for name, _, kind in names if name in {"searched", "mean"}]

    front = run.front()
    assert shapes(read(run)) == ["searched"] * len(front)
    confirmed(run)
    drawn = shapes(read(run))
    assert drawn.count("mean") == 2 and drawn.count("searched") == len(front) + 1  # the finalist's picture comes first
    assert drawn[:2] == ["searched", "mean"]


def test_old_runs_and_runs_under_way_have_a_page(run: Run) -> None:
    """Keys that came later are missing, and a cohort is not in the trace yet."""
    lines = [json.loads(text) for text in run.folder.trace.read_text().splitlines()]
    newer = ("rejection", "rejected", "proposed_in", "seconds", "null_gains", "controls_repeat", "finished", "sha256")
    kept = [{key: value for key, value in row.items() if key not in newer} for row in lines[:-1]]
    run.folder.trace.write_text("".join(json.dumps(row) + "\n" for row in kept))
    found = read(run)
    assert set(SECTIONS) <= set(found.ids)
    assert "18 of 24 classes trained" in found.text and "the search is at work, was stopped" in found.text


def test_the_confirmation_is_told_as_it_is(run: Run) -> None:
    rows = confirmed(run)
    found = read(run)
    assert "1 of 1 finalists confirmed" in found.text and "digits-3x80" in found.text
    confirmed(run, confirmed=False, p_holm=0.2)
    found = read(run)
    assert "0 of 1 finalists confirmed" in found.text
    assert [a for tag, a in found.tags if "chip open" in (a.get("class") or "")]
    assert not [a for tag, a in found.tags if "chip confirmed" in (a.get("class") or "")]
    confirmed(run, gains={}, confirmed=False, reason="stuck-at-chance", p_holm=1.0)
    assert "failed: stuck-at-chance" in read(run).text
    write_confirmation(run, rows, trained=12)
    assert "when 12 classes were trained; now there are 24" in read(run).text
    write_confirmation(run, [], nulls=[])
    assert "There was nothing to confirm" in read(run).text
    run.folder.confirmation.unlink()
    assert "There was no confirmation yet" in read(run).text


def test_what_later_confirmations_add_is_shown(run: Run) -> None:
    """A drop-in, a task that was not searched, a short form; and a row that has none of them."""
    row = max(run.front(), key=lambda row: number(row["gain"]))
    drop_in = {"relu": {"mean": 0.123, "interval": [0.1, 0.15]}}
    unseen = {"spirals": {"mean": 0.456, "interval": [0.4, 0.5]}, "odd": None}
    rows = [
        finalist(row, drop_in=drop_in, unseen=unseen),
        finalist(row, id=f"{row['id']}-short", of=row["id"], expression="sin(x)"),
        finalist(row, id="0.99", expression="x*sin(x)", confirmed=False),
    ]
    write_confirmation(run, rows)
    found = read(run)
    assert "drop-in" in found.text and "+0.123" in found.text
    assert "on spirals, over the best" in found.text and "+0.456" in found.text
    assert f"short form of {row['id']}" in found.text
    assert "1 of 2 finalists confirmed" in found.text  # a short form is no finalist of its own
    assert run.status().confirmed == 1
    rows[0]["confirmed"] = False  # the short form alone: its finalist led to something
    write_confirmation(run, rows)
    assert "1 of 2 finalists confirmed" in read(run).text
    assert run.status().confirmed == 1


def test_nothing_from_a_run_becomes_markup(run: Run) -> None:
    """Names, formulas, errors and reasons with markup in them are text; only the page's own script may run."""
    evil = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'>"
    rows = confirmed(run, gains={}, reason="raised", best_control=evil)
    unseen = {evil: {"mean": 0.1, "interval": [0.0, 0.2]}}
    rows.append(finalist(rows[0] | {"gain": 0.1}, id="0.99", unseen=unseen, by_task=unseen, best_control=evil))
    setting = {"seeds": 6, "steps": 12, "tasks": [evil], "networks": {evil: evil}, "alpha": 0.05}
    write_confirmation(run, rows, setting=setting)
    write_sealed(run.folder.environment, {evil: evil, "packages": {evil: evil}})
    found = read(run)
    assert ERROR in found.text and evil in found.text
    scripts = [attrs for tag, attrs in found.tags if tag == "script"]
    assert scripts == [{}] and not [tag for tag, _ in found.tags if tag == "img"]
    assert not [name for _, attrs in found.tags for name in attrs if name.startswith("on")]
    policy = next(a["content"] for _, a in found.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None and policy.startswith("default-src 'none'") and "script-src 'sha256-" in policy


def test_a_run_with_markup_in_its_name_and_pictures(tmp_path: Path) -> None:
    run_data = many_candidates(200)
    worst = replace(run_data, path=tmp_path / "<i>&\"'")
    found = Page(page(worst))
    assert "i" not in [tag for tag, _ in found.tags]
    assert "<i>&\"'" in found.text


def test_the_page_of_10000_candidates_is_small_and_loads_nothing() -> None:
    run_data = many_candidates(10_000)
    text = page(run_data)
    assert len(text.encode()) < 5_000_000
    found = Page(text)
    links = [value or "" for _, attrs in found.tags for name, value in attrs.items() if name in LOADS]
    assert links and all(link.startswith("#") or link == "data:," for link in links)
    for word in ("@import", "url(", "fetch(", "XMLHttpRequest", "WebSocket", "import("):
        assert word not in text
    assert page(run_data) == text


def test_a_large_front_is_drawn_in_part() -> None:
    """With many objectives nearly all are on the front; finalists and the best are always drawn."""
    run_data = many_candidates(500)
    rows = [front_row(c) for c in run_data.candidates if c.gain is not None]
    rows.sort(key=lambda row: row.cost or 0.0)
    last = Compared(Finalist(rows[3].id, rows[3].expression, 1.0, 0.1, Estimate(0.1)), Verdict())
    setting = Setting(6, 12, ("digits",), (), {}, 0.05)
    drawn = members(replace(run_data, front=rows, confirmation=Confirmation(500, setting, (last,))))
    assert len(drawn) <= MOST
    assert {best_of(rows).id, rows[3].id, rows[0].id, rows[-1].id} <= {m.id for m in drawn}
    assert Page(page(replace(run_data, front=rows)))


def test_the_front_as_a_file_of_its_own(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "front.svg"
    run.draw_front(path)
    svg = "{http://www.w3.org/2000/svg}"
    root = ElementTree.parse(path).getroot()
    titles = [str(title.text) for title in root.iter(f"{svg}title")]
    assert len(titles) == len(run.front()) and not list(root.iter(f"{svg}a"))
    assert "prefers-color-scheme" in path.read_text()
    with pytest.raises(ActsearchError, match=r"front\.png.*must end in \.svg"):
        run.draw_front(tmp_path / "front.png")


def test_a_folder_is_no_file_to_write_to(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.iterdir())
    for folder in (".", "/", str(tmp_path)):
        with pytest.raises(FileError, match="cannot write"):
            run.report(folder)
    assert set(tmp_path.iterdir()) == before


def command(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["actsearch", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


def test_a_job_ends_with_a_report_whose_line_repeats_it(
    small: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Job.load(small, ["budget=6", "confirmation.finalists=0"]).launch("a name")
    text = run.folder.report.read_text(encoding="utf-8")
    lines = [each for each in Page(text).text.splitlines() if each.startswith("actsearch launch ")]
    words = shlex.split(lines[0])
    assert command(monkeypatch, *words[1:], "--quiet") == 0
    assert Path("runs/a name-again/front.csv").read_bytes() == run.folder.front.read_bytes()
    capsys.readouterr()
    assert command(monkeypatch, "report", "a name", "--out", "page.html", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found == {"report": "page.html", "bytes": Path("page.html").stat().st_size}
    assert Path("page.html").read_text(encoding="utf-8") == text


def test_a_report_that_cannot_be_written_is_said_and_fails_no_job(
    small: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> str:
        raise ValueError("no ink")

    monkeypatch.setattr("search.report.write.page", broken)
    assert command(monkeypatch, "launch", str(small), "--set", "budget=6", "--set", "confirmation.finalists=0") == 0
    assert "report: not written, ValueError: no ink; try: actsearch report" in capsys.readouterr().out
    monkeypatch.undo()
    with pytest.raises(FileError, match="nowhere"):
        Run.open(small.parent / "runs" / "small").report(small.parent / "nowhere" / "page.html")
