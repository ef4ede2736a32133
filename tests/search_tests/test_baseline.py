"""Known functions before the search: which they are, that they are trained once, and that a job goes on from them."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from evaluators.controls import CONTROLS
from evaluators.rejection.screens import screen
from primitives import parse
from primitives.catalogue import catalogue
from primitives.equivalence.classes import class_of
from search import ConfigError, Job, Run
from search.baseline.functions import known_functions
from search.config import load_config
from search.errors import RunError
from search.records.cohort import CohortRecord
from search.storage.cohort_files import write_cohort
from tests.search_tests.conftest import Told, contents

FEW = "baseline.functions=[Tanh, Sine, 'x*erf(x)', Softplus]"


def _of(run: Run) -> list[tuple[object, object]]:
    return [(row["name"], row["gain"]) for row in run.known()]


@pytest.mark.parametrize("exact", [False, True])
def test_the_catalogue_has_each_class_once_and_nothing_that_a_screen_stops(exact: bool) -> None:
    found = known_functions("catalogue", 1, map(parse, CONTROLS.values()), exact=exact)
    keys = [class_of(expression, exact=exact) for _, expression in found]
    assert len(set(keys)) == len(keys) > 260
    assert not set(keys) & {class_of(parse(text), exact=exact) for text in CONTROLS.values()}
    every = {class_of(entry.expression, exact=exact) for entry in catalogue() if not screen(entry.expression)}
    assert every - set(keys) <= {class_of(parse(text), exact=exact) for text in CONTROLS.values()}


def test_the_panel_is_24_functions_of_the_catalogue() -> None:
    leave = [parse(text) for text in CONTROLS.values()]
    panel, whole = (known_functions(asked, 1, leave) for asked in ("panel", "catalogue"))
    assert len(panel) == 24
    assert {class_of(e, exact=False) for _, e in panel} <= {class_of(e, exact=False) for _, e in whole}


def test_auto_sweeps_the_catalogue_where_that_is_a_quarter_of_the_budget() -> None:
    whole = len(known_functions("catalogue", 1))
    assert len(known_functions("auto", 4 * whole)) == whole
    assert known_functions("auto", 4 * whole - 1) == known_functions("panel", 1)
    assert known_functions("none", 10_000) == ()


@pytest.mark.parametrize(("budget", "choice"), [(1000, "panel"), (1200, "catalogue")])
def test_a_run_keeps_what_auto_came_to_whatever_its_budget_becomes(small: Path, budget: int, choice: str) -> None:
    config = Job.load(small, ["baseline.functions=auto", f"budget={budget}"]).config
    assert config.baseline.functions == choice


def test_a_list_has_expressions_and_names_in_any_case() -> None:
    found = dict(known_functions(("sine", "x*erf(x)", "SINE"), 10))
    assert {name: expression.text for name, expression in found.items()} == {"sine": "sin(x)", "x*erf(x)": "x*erf(x)"}


@pytest.mark.parametrize(
    ("asked", "said"),
    [("catalog", "did you mean 'catalogue'"), ("[tanhh]", "tanhh"), ("7", "expected auto, catalogue, panel, none")],
)
def test_a_wrong_choice_is_refused_by_name(small: Path, asked: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load_config(small, [f"baseline.functions={asked}"])


def test_known_functions_are_trained_once_outside_the_budget(small: Path) -> None:
    run = Job.load(small, [FEW, "start=['tanh(x)', 'x*atan(x)']", "confirmation.finalists=0"]).launch("one")
    assert {row["name"] for row in run.known()} == {"Tanh", "Sine", "x*erf(x)", "Softplus"}
    classes = [row["class"] for row in run.classes()]
    assert len(classes) == 24
    assert not set(classes) & {row["class"] for row in run.known()}
    gains = [row["gain"] for row in run.known()]
    assert gains == sorted(gains, key=lambda gain: -float(gain or 0.0))


def test_strategies_see_the_known_functions_first_and_the_best_one_last(small: Path) -> None:
    study = Job.load(small, [FEW, "confirmation.finalists=0"]).launch("one").read()
    history = study.history(3)
    assert [result.id for result in history][4:] == ["0.0", "0.1", "0.2"]
    assert all(result.id.startswith("known.") for result in history[:4])
    gains = [result.gain for result in history[:4]]
    assert gains == sorted(gains)
    assert history[-1].id == "0.2"


def test_a_job_that_was_stopped_among_the_known_functions_goes_on(small: Path) -> None:
    changes = [FEW, "cohorts.size=2", "budget=8", "cohorts.lag=0"]
    whole = Job.load(small, changes).launch("whole")
    ear = Told()
    part = Job.load(small, changes).launch("part", max_minutes=0, reporter=ear)
    assert "ended: time, before all known functions were trained" in ear.lines
    part.resume()
    assert contents(part) == contents(whole)
    assert _of(part) == _of(whole)


def test_a_damaged_file_is_said_and_trained_again(small: Path) -> None:
    run = Job.load(small, [FEW, "budget=6", "confirmation.finalists=0"]).launch("one")
    before = _of(run)
    path = run.folder.known(0)
    path.write_text(path.read_text()[:-40])
    with pytest.raises(RunError, match=r"000000\.json: torn or changed.*; actsearch resume mends it"):
        run.known()
    ear = Told()
    run.resume(reporter=ear)
    assert f"{path}: torn or changed; it is trained again" in ear.lines
    assert _of(run) == before


def test_a_confirmation_waits_for_the_known_functions(small: Path) -> None:
    """Compared with a part of them, a finalist is confirmed more easily."""
    run = Job.load(small, [FEW, "budget=6"]).launch("one")
    run.folder.known(0).unlink()
    with pytest.raises(RunError, match="not all known functions are trained"):
        Run.open("one").confirm()


def test_a_listed_function_that_is_not_trained_is_said(small: Path) -> None:
    ear = Told()
    changes = ["baseline.functions=[Tanh, gelu, 'tanh(x)', 'x+1']", "budget=2", "confirmation.finalists=0"]
    run = Job.load(small, changes).launch("one", reporter=ear)
    assert [row["name"] for row in run.known()] == ["Tanh"]
    for said in (
        "0.5*x*(1+erf(x/sqrt(2))) is not trained: it equals the control gelu up to a factor",
        "tanh(x) is not trained: it equals tanh(x) up to a factor",
        "x+1 is not trained: the screen 'affine' stops it",
    ):
        assert f"baseline.functions: {said}" in ear.lines


def test_a_file_of_another_cohort_is_said_and_trained_again(small: Path) -> None:
    changes = [FEW, "cohorts.size=2", "budget=2", "confirmation.finalists=0"]
    run = Job.load(small, changes).launch("one")
    before = run.known()
    path, other = run.folder.known(0), run.folder.known(1)
    ear = Told()
    path.unlink()
    for act in (run.known, run.status, run.report):
        with pytest.raises(RunError, match=r"000000\.json is missing; actsearch resume .* trains its functions again"):
            act()
    path.write_bytes(other.read_bytes())
    run.resume(reporter=ear)
    assert f"{path}: has other functions or tasks than this run; it is trained again" in ear.lines
    assert run.known() == before


def test_a_run_from_before_there_was_a_baseline_goes_on_without_one(small: Path) -> None:
    run = Job.load(small, ["budget=6", "confirmation.finalists=0"]).launch("one")
    text = run.folder.config.read_text()
    run.folder.config.write_text(text.replace("baseline:\n  functions: none\n", ""))
    assert "baseline" not in run.folder.config.read_text()
    again = Run.open("one")
    again.resume(changes=["budget=12"])
    assert not again.folder.baseline.exists()
    assert again.known() == []


def test_the_front_is_shown_beside_the_best_known_function(
    small: Path, command: Callable[..., tuple[int, str, str]]
) -> None:
    Job.load(small, [FEW, "budget=6", "confirmation.finalists=0"]).launch("one")
    _, said, _ = command("front", "one")
    best = Run.open("one").known()[0]
    assert f"Best of 4 known functions: {best['name']}, {best['expression']}, gain {best['gain']:+.3f}" in said
    _, said, _ = command("front", "one", "--known")
    assert all(name in said for name in ("Tanh", "Sine", "Softplus"))
    _, said, _ = command("front", "one", "--known", "--csv")
    rows = list(csv.DictReader(said.splitlines()))
    assert [row["name"] for row in rows] == [row["name"] for row in Run.open("one").known()]


def test_a_cohort_of_the_baseline_is_saved_at_rungs_until_it_is_finished(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[str] = []

    def write(path: Path, record: CohortRecord, run: str) -> None:
        saved.extend(each.name for each in (path.parents[1] / "checkpoints").iterdir())
        write_cohort(path, record, run)

    monkeypatch.setattr("search.storage.baseline_files.write_cohort", write)
    changes = [FEW, "budget=2", "confirmation.finalists=0", "workers.checkpoint_seconds=0"]
    run = Job.load(small, changes).launch("one")
    assert [name[:7] for name in saved] == ["000000-"]
    assert list(run.folder.checkpoints.iterdir()) == []


def test_status_page_and_dry_run_tell_of_the_known_functions(
    small: Path, command: Callable[..., tuple[int, str, str]]
) -> None:
    _, said, _ = command("launch", "small.yaml", "--dry-run", "--set", FEW)
    assert "known_functions      4" in said
    run = Job.load(small, [FEW, "budget=6", "confirmation.finalists=0"]).launch("one")
    assert run.status().known_functions == 4
    assert run.folder.report.read_text().count("<td>known.") == 4
