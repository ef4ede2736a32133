"""An objective of a user's file: its name in results, its measure in workers, mistakes named with file and line."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import pytest

from evaluators.errors import TaskError
from evaluators.objectives import OBJECTIVES, registry
from primitives import parse
from primitives.errors import UserFileError
from search import Job, Run
from search.commands.cli import main
from search.strategies import Result, strategy
from search.strategies.late_acceptance import LateAcceptance

MINE = """\
from torch import Tensor

from evaluators.objectives.formula import FormulaObjective
from evaluators.objectives.measured import MeasuredObjective, mean_of_activations


class Size(FormulaObjective):
    name = "my_size"
    unit = "nodes"
    direction = "minimize"
    formula = "nodes of the graph"
    source = "our own"

    def of(self, expression) -> float:
        return float(expression.size)


class Ratio(MeasuredObjective):
    name = "my_ratio"
    unit = "1"
    direction = "maximize"
    formula = "mean of |output| / mean of |input|"
    source = "our own"
    fewest_seeds = 2

    def measure(self, models) -> Tensor:
        return mean_of_activations(models, ratio)


def ratio(x: Tensor, output: Tensor) -> Tensor:
    return output.abs().flatten(1).mean(dim=1) / x.abs().flatten(1).mean(dim=1)
"""
BOTH = ["objectives=[gain, 'mine.py:Size', 'mine.py:Ratio']", "confirmation.finalists=0", "budget=12"]


@pytest.fixture
def file(small: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(registry, "_LOADED", {})
    path = small.with_name("mine.py")
    path.write_text(MINE)
    return path


def test_results_have_its_name_and_the_config_its_pin(file: Path, small: Path) -> None:
    run = Job.load(small, BOTH).launch("one")
    gain, *own = run.config.objectives
    assert gain == "gain" and all(reference.startswith(f"{file}:") for reference in own)
    assert run.config.scoring.objectives == ("gain", "my_size", "my_ratio")
    with run.folder.front.open() as lines:
        rows = list(csv.DictReader(lines))
    assert rows and list(rows[0])[2:6] == ["gain", "my_size", "my_ratio", "cost"]
    cohort = json.loads((run.path / "cohorts" / "000000.json").read_text())["result"]
    assert cohort["controls"]["relu"]["measured"]["digits"]["my_ratio"] > 0.0
    page = Run.open("one").report().read_text()
    assert "smallest my size (nodes)" in page and "largest my ratio (1)" in page


def test_a_changed_file_ends_a_resume_but_not_a_look(file: Path, small: Path) -> None:
    """The journal has the names and which way is up."""
    front = Job.load(small, BOTH).launch("one", max_minutes=0).front()
    file.write_text(MINE.replace('"minimize"', '"maximize"'))
    assert Run.open("one").front() == front
    page = Run.open("one").report().read_text()
    assert "smallest my size" in page and "largest my ratio" in page
    for trust in (True, False):
        with pytest.raises(UserFileError, match=r"mine.py was changed: expected .* begins with \w{12}, got \w{12}"):
            Run.open("one", trust=trust).resume()
    file.write_text(MINE)
    assert Run.open("one").resume().status().trained == 12


@pytest.mark.parametrize(
    ("change", "name", "message"),
    [
        (("", ""), "Seize", "mine.py has no objective 'Seize'; did you mean 'Size'.; available: Size, Ratio"),
        (("", ""), "ratio", "ratio is no objective: expected a subclass of FormulaObjective or MeasuredObjective"),
        (("my_size", "cost"), "Size", "the package has an objective of the name 'cost'; choose another one"),
        (('"minimize"', '"smaller"'), "Size", "direction: expected maximize or minimize, got 'smaller'"),
        (('    unit = "nodes"\n', ""), "Size", "Size has no unit, which must be a text"),
        (("float(expression.size)", "expression.siz"), "Size", "mine.py, line 15: AttributeError"),
        (("float(expression.size)", "None"), "Size", "objective 'my_size': expected a number, got None"),
        (("mean(dim=1)", "mean(dim=9)"), "Ratio", "mine.py, line 31: IndexError"),
    ],
)
def test_what_cannot_be_used(file: Path, small: Path, change: tuple[str, str], name: str, message: str) -> None:
    file.write_text(MINE.replace(*change))
    with pytest.raises(UserFileError, match=message):
        Job.load(small, [f"objectives=[gain, 'mine.py:{name}']"])
    assert not Path("runs").exists()


def test_requirements_and_names_of_two_files(file: Path, small: Path) -> None:
    with pytest.raises(TaskError, match="my_ratio: expected at least 2 seeds, got 1"):
        Job.load(small, [*BOTH, "training.seeds=1"])
    file.with_name("other.py").write_text(MINE)
    with pytest.raises(UserFileError, match=r"mine.py:Size has an objective of the name 'my_size'"):
        Job.load(small, ["objectives=[gain, 'mine.py:Size', 'other.py:Size']"])
    twice = Job.load(small, [f"objectives=[gain, 'mine.py:Size', '{file}:Size']"])
    assert twice.config.scoring.objectives == ("gain", "my_size")
    assert "my_size" not in OBJECTIVES


def test_evaluate_on_the_command_line(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["relu(x)", "--seeds", "2", "--steps", "3", "--objectives", "mine.py:Size,mine.py:Ratio"]
    for more in ([], ["--json"]):
        monkeypatch.setattr(sys, "argv", ["actsearch", "evaluate", *given, *more])
        with pytest.raises(SystemExit):
            main()
    shown, found = capsys.readouterr().out.split("[", 1)
    assert "my_size" in shown
    assert json.loads(f"[{found}")[0]["my_size"] == 2.0


def test_a_climb_goes_by_it(file: Path, small: Path) -> None:
    climb = {"name": "late_acceptance", "by": "mine.py:Size"}
    run = Job.load(small, [*BOTH, f"strategy={climb}"]).launch("one")
    again = Run.open("one").config
    assert again == run.config and again.strategy["by"] == again.objectives[1]
    made = strategy(again.strategy)
    assert isinstance(made, LateAcceptance)
    sizes = (3.0, 2.0, 4.0)
    rows = [Result(f"0.{n}", parse("relu(x)-beta*x; beta=1"), {"my_size": size}, "") for n, size in enumerate(sizes)]
    current = made.folded(rows[:2]).current
    assert current is not None and current.id == "0.1"
