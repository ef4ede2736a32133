"""Replay: a table is read or refused by name; proposals become its members; what is printed follows from the orders."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from primitives import Expression, apply, constant, parse, value_at
from primitives.equivalence.classes import fingerprint
from primitives.grammars import grammar
from search.commands.cli import app
from search.errors import ReplayError
from search.tabular.replay import Replayed, labelled, replay
from search.tabular.score_table import Table, read_table

GRAMMAR = grammar("swish2017")


def distance_of(expression: Expression) -> float:
    x = torch.linspace(-3.0, 3.0, 25, dtype=torch.float64)
    return float((value_at(expression, x) - value_at(parse("max(x,sin(x))"), x)).abs().mean())


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """600 classes of the grammar; the loss is the distance from ``max(x,sin(x))`` at a few points."""
    rng = np.random.Generator(np.random.PCG64(0))
    seen: dict[object, tuple[str, float]] = {}
    while len(seen) < 600:
        expression = GRAMMAR.sample(rng)
        distance = distance_of(expression)
        if np.isfinite(distance):
            seen.setdefault(fingerprint(expression).scale, (expression.text, distance + 0.01))
    path = tmp_path_factory.mktemp("replay") / "table.csv"
    path.write_text("expression,loss0,loss1\n" + "".join(f'"{t}",{d},{2 * d}\n' for t, d in seen.values()))
    return path


@pytest.fixture(scope="module")
def table(file: Path) -> Table:
    return read_table(file)


@pytest.mark.parametrize("name", ["random", "evolution", "exhaustive", "late_acceptance", "nsga2"])
def test_every_member_is_tried_once_in_the_end(table: Table, name: str) -> None:
    order = Replayed(table, {"name": name}, GRAMMAR, seed=1, cohort=8).run(1000)
    assert sorted(order) == list(range(len(table.expressions)))


def test_a_proposal_of_a_class_is_that_member(table: Table) -> None:
    replayed = Replayed(table, {"name": "random"}, GRAMMAR, seed=1, cohort=8)
    for row, expression in enumerate(table.expressions):
        assert replayed._member(apply("mul", constant(3.0), expression)) == row


def test_a_tried_class_becomes_the_nearest_one(table: Table) -> None:
    replayed = Replayed(table, {"name": "random"}, GRAMMAR, seed=1, cohort=8)
    replayed.untried[:] = False
    replayed.untried[7] = True
    assert replayed._member(parse("sin(x)+x")) == 7


def test_learning_beats_random_and_random_is_itself(table: Table) -> None:
    learner = {"name": "surrogate", "choice": "nearest", "pool": 48}
    found = replay(table, {"learner": learner}, GRAMMAR, budget=32, repeats=24)
    assert found["random"].better == 0.0
    assert found["random"].p == 1.0
    assert found["learner"].better > 0
    assert found["learner"].p < 0.05
    ranks = [found["learner"].rank[mark][1] for mark in (10, 25, 32)]
    assert ranks == sorted(ranks, reverse=True)


def test_gains_come_from_losses_by_seed(table: Table) -> None:
    losses = np.array([distance_of(expression) + 0.01 for expression in table.expressions])
    np.testing.assert_allclose(table.gains, np.log(np.median(losses) / losses))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b\n1,2\n", "expected columns 'expression' and 'gain'"),
        ("", "found nothing"),
        ("expression,gain\nsigmoi(x),1\n", "line 2.*did you mean 'sigmoid'"),
        ("expression,gain\nsin(x),many\n", "line 2.*many"),
        ("expression,loss0\nsin(x),1\n2*sin(x),3\n", "two different functions, found 1"),
    ],
)
def test_bad_tables_are_refused_by_place(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(content)
    with pytest.raises(ReplayError, match=message):
        read_table(path)


def test_a_strategy_named_twice_is_refused() -> None:
    with pytest.raises(ReplayError, match="named twice"):
        labelled([{"name": "random"}, {"name": "random"}])


def test_the_command_prints_tables_and_json(file: Path) -> None:
    words = [
        "replay",
        str(file),
        "--strategy",
        "evolution",
        "--grammar",
        "swish2017",
        "--budget",
        "30",
        "--repeats",
        "3",
    ]
    shown = CliRunner().invoke(app, words)
    assert shown.exit_code == 0
    assert "Rank of the best" in shown.output
    assert "evolution" in shown.output
    found = json.loads(CliRunner().invoke(app, [*words, "--json"]).output)
    assert set(found) == {"random", "evolution"}
    assert set(found["evolution"]["rank"]) == {"10", "25", "30"}
