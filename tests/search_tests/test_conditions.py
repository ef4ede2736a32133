"""Jobs on a network of one's own: a factor makes another class, settings are written, older runs stay as they were."""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from evaluators.tasks.conditions import Conditions
from primitives.analysis import critical_scale, output_factor
from primitives.equivalence.classes import fingerprint, same_function
from primitives.expression.parsing import parse
from primitives.grammars import grammar
from search import Job, Run
from search.config import checked
from search.confirmation.neighbours import moved, plain, shorter
from search.confirmation.protocol import _request
from search.engine.request import request_for
from search.engine.start import left_out
from search.errors import ConfigError, RunError
from search.export.export import export
from search.records.cohort import Plan
from search.records.status_codec import status_to_json
from search.strategies import strategy
from search.strategies.description import Descriptions
from search.strategies.predictors import row_of_each
from search.strategies.surrogate import Surrogate
from search.tabular.replay import Replayed, Scores, Setting
from search.tabular.score_table import read_table
from search.tabular.tabulate import write_table
from tests.search_tests.conftest import SMALL

MINE = """\
import torch
from torch import nn
from evaluators import Task

class Mine(Task):
    batch_size = 32

    def network(self):
        return nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 2))

    def data(self, part):
        x = torch.randn(96, 2, generator=torch.Generator().manual_seed(len(part)))
        return x, (x[:, 0] > 0).long()
"""
START = "start=['2*relu(x)', 'tanh(x)', '2*tanh(x)', 'tanh(x)+tanh(x)']"
CHANGES = [START, "budget=4", "cohorts.size=4", "confirmation.finalists=0", "training.steps=8", "training.rungs=[]"]


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A job on a task in a file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "mine.py").write_text(MINE)
    path = tmp_path / "job.yaml"
    path.write_text(SMALL.replace("[digits]", "['mine.py:Mine']"))
    return path


def expressions(run: Run) -> list[str]:
    return [str(row["expression"]) for row in run.classes()]


def test_a_factor_makes_another_class_on_a_task_of_ones_own(config: Path) -> None:
    run = Job.load(config, CHANGES).launch("one")
    assert expressions(run)[:3] == ["2*relu(x)", "tanh(x)", "2*tanh(x)"]
    by_text = {str(row["expression"]): row for row in run.classes()}
    assert by_text["tanh(x)"]["gain"] != by_text["2*tanh(x)"]["gain"]
    assert by_text["2*relu(x)"]["gain"] != 0.0
    assert len({row.key for row in run.class_rows()}) == 4
    resumed = run.resume(changes=["budget=8"])
    found = [parse(text) for text in expressions(resumed)]
    assert not any(same_function(f, g) for n, f in enumerate(found) for g in found[:n])


def test_unit_scale_on_it_makes_one_class_of_both(config: Path) -> None:
    run = Job.load(config, [*CHANGES, "training.scale=unit"]).launch("one")
    assert expressions(run)[0] == "tanh(x)"
    assert "2*tanh(x)" not in expressions(run)
    assert run.config.conditions == (Conditions("own", "unit"),)


def test_the_settings_are_written_down_and_shown_without_the_file(
    config: Path, command: Callable[..., tuple[int, str, str]]
) -> None:
    words = "initial weights own, scale none"
    changes = [part for each in CHANGES for part in ("--set", each)]
    code, said, errors = command("launch", str(config), "--run", "one", "--workers", "0", *changes)
    assert code == 0, errors
    assert words in said.splitlines()
    written = yaml.safe_load(Path("runs/one/config.yaml").read_text())["training"]
    assert (written["initial"], written["scale"]) == (["own"], ["none"])
    (config.parent / "mine.py").unlink()
    run = Run.open("one")
    assert run.status().conditions == words
    assert status_to_json(run.status())["conditions"] == words
    assert words in run.report().read_text()
    paths = export(run, ["0.2"], ["torch"])
    card, source = (paths[0].parent / "README.md").read_text(), paths[0].read_text()
    assert words in card
    assert "- factor: none: f is what" in card
    assert "- known as: Tanh (scaled by 2)" in card
    assert "factor:    1.0 " in source


def test_a_shipped_task_is_drawn_scaled_and_exported_with_its_factor(config: Path) -> None:
    run = Job.load(config, [*CHANGES, "tasks=[digits]"]).launch("one")
    assert yaml.safe_load((run.path / "config.yaml").read_text())["training"]["scale"] is None
    assert run.status().conditions == "initial weights drawn, scale unit"
    assert "2*tanh(x)" not in expressions(run)
    best = max((row for row in run.front_rows()), key=lambda row: row.gain or 0.0)
    card = (export(run, [best.id], ["latex"])[0].parent / "README.md").read_text()
    assert "written into the files" in card
    assert "initial weights drawn, scale unit" in card


def test_both_scales_in_one_job_take_the_stricter_class(config: Path) -> None:
    run = Job.load(config, [*CHANGES, "tasks=[digits, 'mine.py:Mine']"]).launch("one")
    assert {"2*relu(x)", "tanh(x)", "2*tanh(x)"} <= set(expressions(run))
    assert run.config.conditions_in_words == (
        "digits: initial weights drawn, scale unit; mine.py:Mine: initial weights own, scale none"
    )
    (row,) = (row for row in run.classes() if row["expression"] == "2*relu(x)")
    assert row["gain_digits"] == 0.0
    assert row["gain_mine.py:Mine"] != 0.0


def test_a_critical_scale_is_exported_with_the_factor_of_its_input(config: Path) -> None:
    changes = [*CHANGES, "start=['sin(30*x)', '2*sin(30*x)', 'tanh(x)']", "training.scale=critical"]
    run = Job.load(config, changes).launch("one")
    assert expressions(run)[:2] == ["sin(30*x)", "tanh(x)"]
    assert "2*sin(30*x)" not in expressions(run)
    assert run.status().conditions == "initial weights own, scale critical"
    x = np.linspace(-3, 3, 101)
    for raw, told in ((False, "written into the files"), (True, "left out of the files: multiply by it")):
        paths = export(run, ["0.0"], ["numpy"], Path(f"out-{raw}"), raw=raw)
        made = runpy.run_path(str(next(path for path in paths if path.name == "act_0_0_numpy.py")))
        scale = critical_scale(parse("sin(30*x)"))
        moved = np.sin(30 * scale * x) * output_factor(parse(f"sin({30 * scale}*x)"))
        np.testing.assert_allclose(np.asarray(made["act_0_0"](x)), np.sin(30 * x) if raw else moved, rtol=1e-9)
        card = (paths[0].parent / "README.md").read_text()
        assert f"- input: times {scale}, " in card
        assert f"(scale critical), with which the factor is that of f(s x); {told}" in card


def test_a_run_from_before_the_settings_stays_drawn_and_scaled(config: Path) -> None:
    asked = ["training.initial=drawn", "training.scale=unit"]
    whole = Job.load(config, [*CHANGES, *asked, "budget=8"]).launch("whole")
    run = Job.load(config, [*CHANGES, *asked]).launch("old")
    data = yaml.safe_load((run.path / "config.yaml").read_text())
    data["training"] = {key: value for key, value in data["training"].items() if key not in ("initial", "scale")}
    (run.path / "config.yaml").write_text(yaml.safe_dump(data))
    assert Run.open(run.path).config.conditions == (Conditions("drawn", "unit"),)
    Run.open(run.path).resume(changes=["budget=8"])
    assert Run.open(run.path).classes() == whole.classes()
    assert Run.open(run.path).config.conditions == (Conditions("drawn", "unit"),)


@pytest.mark.parametrize(
    ("training", "message"),
    [
        (
            {"scale": "units"},
            r"job: training\.scale: expected none or unit or critical, .*; got 'units'; did you mean 'unit'\?",
        ),
        (
            {"initial": ["own", "drwn"]},
            r"job: training\.initial: expected own or drawn.*got 'drwn'; did you mean 'drawn'",
        ),
        ({"scale": 1}, r"job: training\.scale: expected none or unit or critical, .*; got 1"),
        ({"scale": ["unit", "none"]}, r"training\.scale: expected one for each of 1 tasks, .*, got 2"),
    ],
)
def test_wrong_settings_are_named(training: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        checked({"budget": 1, "training": training}, "job")


def test_evaluate_takes_both_settings(config: Path, command: Callable[..., tuple[int, str, str]]) -> None:
    def evaluated(task: str, *options: str) -> tuple[int, str, str]:
        return command("evaluate", "2*relu(x)", "--task", task, "--seeds", "2", "--steps", "4", *options)

    def gains(*options: str) -> dict[str, float]:
        found: dict[str, float] = json.loads(evaluated("mine.py:Mine", "--json", *options)[1])[0]["gain_over"]
        return found

    own = gains()["relu"]
    assert own != 0.0
    assert gains("--scale", "unit")["relu"] == 0.0
    assert gains("--initial", "drawn")["relu"] not in (0.0, own)
    code, _, errors = evaluated("digits", "--scale", "unti")
    assert code != 0
    assert "scale: expected 'none' or 'unit' or 'critical', got 'unti'; did you mean 'unit'?" in errors
    assert "initial weights drawn, scale unit" in evaluated("digits")[1]
    assert "initial weights own, scale none" in evaluated("mine.py:Mine")[1]


def test_short_forms_and_neighbours_keep_a_factor_where_it_counts() -> None:
    twice = parse("2*tanh(x)")
    assert plain(twice).text == "tanh(x)"
    assert plain(twice, exact=True).text == "2*tanh(x)"
    assert plain(parse("tanh(x)+tanh(x)-0*x"), exact=True).text in ("2*tanh(x)", "tanh(x)+tanh(x)")
    assert "tanh(x)" not in [each.text for each in shorter(twice)]
    assert "tanh(x)" in [each.text for each in shorter(twice, exact=True)]
    assert not moved(twice)
    assert {each.text for each in moved(twice, exact=True)} == {
        "tanh(x)",
        *(f"tanh(x)*{n}" for n in ("1.6", "2.5", "4")),
    }


def test_a_start_list_says_what_is_left_out() -> None:
    given = ["2*relu(x)", "tanh(x)", "3*tanh(x)", "silu(x)"]
    assert [line.split(" is not")[0] for line in left_out(given)] == [f"start: {given[n]}" for n in (0, 2, 3)]
    (line,) = left_out(given, exact=True)
    assert line == "start: silu(x) is not trained: it equals the control silu"


def test_a_table_of_a_run_without_scale_keeps_functions_apart(config: Path) -> None:
    run = Job.load(config, CHANGES).launch("one")
    write_table(run, Path("table.csv"))
    table = read_table(Path("table.csv"))
    assert table.exact
    assert len(table.expressions) == 4
    scores = Scores(table.gains, table.gains)
    tried = Replayed(table, scores, {"name": "random"}, grammar("default"), 0, Setting(budget=4, cohort=2)).run()
    assert sorted(tried) == np.flatnonzero(~table.known).tolist()
    text = Path("table.csv").read_text().replace(",none,", ",unit,")
    Path("table.csv").write_text(text)
    assert len(read_table(Path("table.csv")).expressions) < 4


@pytest.mark.parametrize("exact", [False, True])
def test_strategies_propose_multiples_of_a_function_only_where_a_factor_counts(exact: bool) -> None:
    rng = np.random.default_rng(0)
    surrogate = strategy({"name": "surrogate", "pool": 600}, exact=exact)
    sampler = strategy({"name": "optuna", "sampler": "RandomSampler"}, exact=exact)
    assert isinstance(surrogate, Surrogate)
    for proposals in (surrogate._pool([], [], rng), sampler.ask([], [], 300, rng)):
        classes = [fingerprint(proposal.expression) for proposal in proposals]
        assert (len({each.scale for each in classes}) < len(classes)) == exact
        assert len({each.exact for each in classes}) == len(classes)


@pytest.mark.parametrize("exact", [False, True])
def test_a_surrogate_tells_sizes_apart_only_where_a_factor_counts(exact: bool) -> None:
    functions = [parse(text) for text in ("2*tanh(x)", "3*tanh(x)")]
    described = Descriptions.of(functions, exact=exact).numbers
    for twice, thrice in (described, row_of_each(functions, exact=exact)):
        assert bool(np.allclose(twice, thrice)) != exact


def test_a_resume_cannot_change_them(config: Path) -> None:
    run = Job.load(config, CHANGES).launch("one")
    with pytest.raises(RunError, match="can only be resumed with another budget"):
        run.resume(changes=["training.scale=unit"])


def test_every_request_carries_what_the_job_asks_for() -> None:
    training = {"scale": ["unit", "none"], "initial": "drawn"}
    config = checked({"budget": 1, "tasks": ["digits", "tabular-wine"], "training": training}, "job")
    asked = (Conditions("drawn", "unit"), Conditions("drawn", "none"))
    assert request_for(config, Plan(0, [], {})).conditions == asked
    assert _request(config, [], "tabular-wine", {}).conditions == asked[1:]
    assert _request(config, [], "digits-cnn", {}).conditions == (Conditions("drawn", None),)  # it is not searched
