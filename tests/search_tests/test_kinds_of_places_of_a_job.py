"""A job on a task with gates: its controls, its known functions, and what it refuses or screens."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from evaluators.results.reasons import Reason
from primitives.expression.parsing import parse
from search.baseline.stage import functions_of
from search.config import Config, checked, with_pinned_files
from search.engine.known import KnownClasses
from search.engine.proposer import Proposer
from search.engine.rivals import rivals_in
from search.errors import ConfigError

FILE = """
import torch
from torch import nn
from evaluators import Place, Task

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.bn = nn.Linear(8, 6), nn.Linear(8, 6), nn.BatchNorm1d(6)
        self.head = nn.Linear(6, 2)
        self.act, self.relu, self.softmax = nn.SiLU(), nn.ReLU(), nn.Softmax(-1)

    def forward(self, x):
        x = self.act(self.first(x)) * self.second(x)
        return self.head(self.softmax(self.relu(self.bn(x))))

class Gated(Task):
    replaced, batch_size, steps, learning_rates = (Place("act", kind="gate"),), 32, 2, (0.01,)

    def network(self):
        return Net()

    def data(self, part):
        x = torch.randn(96, 8, generator=torch.Generator().manual_seed(len(part)))
        return x, (x[:, 0] > 0).long()

class All(Gated):
    replaced = (
        Place("act", kind="gate"), Place("softmax", kind="row"),
        Place(nn.ReLU, kind="layer", absorbs=(nn.BatchNorm1d,)),
    )
"""

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(FILE)


def config(**settings: object) -> Config:
    return checked({"budget": 4, "grammar": "swish2017", "tasks": ["mine.py:Gated"], **settings}, "test")


def test_the_controls_are_those_of_the_kind(file: None) -> None:
    assert dict(config().all_controls) == {"glu": "sigmoid(x)*z", "swiglu": "silu(x)*z"}
    known = functions_of(config(baseline={"functions": "catalogue"}))
    assert known
    assert all("z" in expression.inputs for _, expression in known)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"start": ["relu(x)"]}, r"relu\(x\) does not fit the place 'act', of kind 'gate'"),
        ({"controls": ["swish"]}, "does not fit the place 'act'"),
        ({"tasks": ["mine.py:Gated", "digits"]}, "expected places of one kind"),
        ({}, "grammar: expected functions that fit the tasks' places, but none of 100 drawn does: task 'Gated'"),
        ({"tasks": ["digits"], "grammar": "glu"}, "grammar: expected functions that fit the tasks' places"),
        ({"tasks": ["digits"], "start": ["x*z"]}, r"task 'digits': x\*z does not fit"),
    ],
)
def test_what_does_not_fit_is_refused_before_the_job(file: None, settings: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        with_pinned_files(config(**settings))


def test_proposals_that_do_not_fit_are_counted(file: None) -> None:
    plan = Proposer(config(cohorts={"size": 2}), KnownClasses(lambda number: parse("x"))).propose(0, [], [])
    assert not plan.expressions
    assert set(plan.counts) == {Reason.MISFIT}


def test_names_of_controls_are_those_of_the_kind() -> None:
    assert rivals_in([]) == ("relu", "gelu", "silu")


def test_places_shows_kinds_and_what_is_absorbed(file: None, command: Command) -> None:
    code, text, _ = command("places", "mine.py:All", "--json")
    assert code == 0
    assert {row["place"]: row["replaced"] for row in json.loads(text)} == {
        "act": "yes: gate",
        "softmax": "yes: row",
        "relu": "yes: layer, with bn",
    }
    code, text, _ = command("places", "mine.py:All")
    assert code == 0
    table, _, _ = text.partition("Others are chosen in the task")
    assert max(len(line.rstrip()) for line in table.splitlines()) <= 80
