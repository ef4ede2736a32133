"""Replay: a strategy searches a table's members; random is the textbook's; what is printed follows from the orders."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from evaluators.statistics import interval
from primitives import Expression, apply, constant, parse, value_at
from primitives.equivalence.classes import fingerprint
from primitives.grammars import Grammar, grammar
from search.commands.cli import app
from search.errors import ReplayError
from search.strategies import STRATEGIES, Proposal, Result
from search.strategies.controller import Controller, Taught
from search.strategies.random import Random
from search.tabular.compare import CHOSEN, compare
from search.tabular.members import NEAREST, Members
from search.tabular.replay import Replayed, Setting, drawn, labelled, said, seen_by_default
from search.tabular.score_table import Losses, Table, read_table

GRAMMAR = grammar("swish2017")
FAST: dict[str, dict[str, object]] = {"surrogate": {"pool": 48}, "optuna": {"window": 60, "best": 20}}


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def distance_of(expression: Expression) -> float:
    x = torch.linspace(-3.0, 3.0, 25, dtype=torch.float64)
    return float((value_at(expression, x) - value_at(parse("max(x,sin(x))"), x)).abs().mean())


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """600 classes of the grammar; the loss is the distance from ``max(x,sin(x))`` at a few points."""
    random = rng()
    seen: dict[object, tuple[str, float]] = {}
    while len(seen) < 600:
        expression = GRAMMAR.sample(random)
        distance = distance_of(expression)
        if np.isfinite(distance):
            seen.setdefault(fingerprint(expression).scale, (expression.text, distance + 0.01))
    path = tmp_path_factory.mktemp("replay") / "table.csv"
    path.write_text("expression,loss0,loss1\n" + "".join(f'"{t}",{d},{2 * d}\n' for t, d in seen.values()))
    return path


@pytest.fixture(scope="module")
def table(file: Path) -> Table:
    return read_table(file)


@pytest.fixture(scope="module")
def noisy(table: Table) -> Table:
    """Six seeds and two learning rates, of which the first is good."""
    losses = np.exp(-table.gains)[:, None, None] * np.exp(rng(3).normal(0.0, 0.3, (len(table.expressions), 6, 1)))
    return replace(table, losses=Losses(losses * np.array([1.0, 3.0]), np.ones((6, 2))))


def replayed(table: Table, name: str, budget: int = 1000, seed: int = 1, **setting: object) -> Replayed:
    scores = drawn(table, 1, rng(seed))
    chosen = Setting(budget=budget, seeds=1, **setting)  # type: ignore[arg-type]
    return Replayed(table, scores, {"name": name, **FAST.get(name, {})}, GRAMMAR, seed, chosen)


@pytest.mark.parametrize("name", ["random", "evolution", "exhaustive", "late_acceptance", "nsga2"])
def test_every_unknown_member_is_tried_once_in_the_end(table: Table, name: str) -> None:
    assert sorted(replayed(table, name).run()) == np.flatnonzero(~table.known).tolist()


def test_a_strategy_that_trains_mixtures_has_no_network_in_a_table(table: Table) -> None:
    with pytest.raises(ReplayError, match="strategy 'gradient' trains mixtures on a job's tasks; a table"):
        replayed(table, "gradient")


@pytest.mark.parametrize("name", sorted(STRATEGIES.keys() - {"gradient"}))
@pytest.mark.parametrize("baseline", [False, True])
def test_every_strategy_spends_its_budget_on_different_unknown_members(table: Table, name: str, baseline: bool) -> None:
    order = replayed(table, name, 24, baseline=baseline).run()
    assert len(set(order)) == len(order) == 24
    assert not table.known[order].any()


def test_random_is_the_textbooks(table: Table) -> None:
    """Of N members n are tried: the best is one of them with probability n / N, its mean rank is (N + 1) / (n + 1)."""
    unknown, tried, repeats = np.flatnonzero(~table.known), 100, 400
    ranks = np.empty(len(table.expressions))
    ranks[unknown[np.argsort(-table.gains[unknown], kind="stable")]] = np.arange(1, len(unknown) + 1)
    members, random = len(unknown), replayed(table, "random", tried)
    best = []
    for seed in range(repeats):
        random.untried[:] = ~table.known
        random.order, random.seed = [], seed
        best.append(ranks[random.run()].min())
    share = tried / members
    assert abs(np.mean(np.array(best) == 1) - share) < 3.0 * np.sqrt(share * (1 - share) / repeats)
    low, high = interval(best, level=0.999) or (0.0, 0.0)
    assert low < (members + 1) / (tried + 1) < high


class Watched(Random):
    """Notes what it was told."""

    def __init__(self, grammar: Grammar) -> None:
        super().__init__(grammar)
        self.told: list[list[Result]] = []

    def ask(
        self, history: Sequence[Result], pending: Sequence[Proposal], n: int, rng: np.random.Generator
    ) -> list[Proposal]:
        self.told.append(list(history))
        return super().ask(history, pending, n, rng)


@pytest.mark.parametrize("baseline", [False, True])
def test_the_baseline_is_seen_first_and_not_counted(table: Table, baseline: bool) -> None:
    assert 0 < table.known.sum() < len(table.expressions) / 4
    search = replayed(table, "random", 16, baseline=baseline)
    search.strategy = watched = Watched(search.members)
    assert len(search.run()) == 16
    known = {table.expressions[row] for row in np.flatnonzero(table.known)}
    assert {result.expression for result in watched.told[0]} == (known if baseline else set())
    assert [result.gain for result in watched.told[-1][-8:]] == [search.scores.shown[row] for row in search.order[:8]]


def test_known_means_of_the_catalogue_up_to_signs_and_a_factor() -> None:
    texts = ("2*tanh(x)", "gelu(-1*x)", "-1*max(x,0)", "sin(x)*x+max(x,1)")
    written = Table(tuple(map(parse, texts)), ({"gain": 0.0},) * len(texts))
    assert written.known.tolist() == [True, True, True, False]


def test_a_sample_is_an_untried_member_and_a_class_is_found_by_any_formula(table: Table) -> None:
    untried = np.zeros(len(table.expressions), dtype=bool)
    untried[[3, 7]] = True
    members = Members.of(table, GRAMMAR, untried)
    assert {members.sample(rng(seed)) for seed in range(30)} == {table.expressions[3], table.expressions[7]}
    assert members.row(apply("mul", constant(3.0), table.expressions[7])) == 7
    assert members.row(table.expressions[0]) is None


def test_children_are_the_grammars_where_they_are_members(table: Table) -> None:
    """A mutation that is in the table is taken as it is; one that is not stands for one of the nearest."""
    members, parent = Members.of(table, GRAMMAR, ~table.known), parse("max(tanh(x),sin(x))")
    children = [members.mutate(parent, rng(seed)) for seed in range(40)]
    assert {table.row[fingerprint(child).scale] for child in children} <= set(np.flatnonzero(~table.known))
    neighbours = {fingerprint(GRAMMAR.mutate(parent, rng(seed))).scale for seed in range(400)}
    own = sum(fingerprint(child).scale in neighbours for child in children)
    assert own >= 0.8 * members.counts["own"]
    members.untried[:] = False
    last = np.flatnonzero(~table.known)[:NEAREST]
    members.untried[last] = True
    before = members.counts["nearest"]
    shown = {members.crossover(parent, parse("x*sin(x)"), rng(seed)) for seed in range(30)}
    assert shown <= {table.expressions[row] for row in last}
    assert members.counts["nearest"] > before


def test_what_is_no_member_is_asked_again_and_then_drawn_by_lot(table: Table) -> None:
    few = replace(table, expressions=table.expressions[:40], objectives=table.objectives[:40])
    search = replayed(few, "controller", 30)
    assert len(set(search.run())) == 30
    assert search.in_vain > 0.5 * search.asked
    random = replayed(table, "random", 30)
    random.run()
    assert random.in_vain < 0.2 * random.asked  # drawn twice in one cohort


@pytest.mark.parametrize("baseline", [True, False])
def test_a_strategy_that_asks_is_told_of_members_that_it_has_seen(
    table: Table, baseline: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With their gains, as in a job; never of one that it has not seen."""
    seen: list[Result] = []
    learn = Controller.told

    def noted(self: Controller, state: Taught, result: Result) -> Taught:
        seen.append(result)
        return learn(self, state, result)

    monkeypatch.setattr(Controller, "told", noted)
    replayed(table, "controller", 60, baseline=baseline).run()
    tried: dict[int, float] = {}
    repeats = [each for each in seen if "+" in each.id]
    for each in seen:
        row = table.row[fingerprint(each.expression).scale]
        if "+" in each.id:
            assert tried[row] == each.gain
        tried[row] = each.gain
    assert repeats


def test_seeds_are_drawn_for_each_repeat_and_the_others_judge(noisy: Table) -> None:
    losses = noisy.losses
    assert losses is not None
    seen = set()
    for seed in range(20):
        scores = drawn(noisy, 2, rng(seed))
        order = rng(seed).permutation(6)
        np.testing.assert_allclose(scores.shown, -np.log(losses.candidates[:, order[:2], 0]).mean(axis=1))
        np.testing.assert_allclose(scores.true, -np.log(losses.candidates[:, order[2:], 0]).mean(axis=1))
        seen.add(tuple(sorted(order[:2])))
    assert len(seen) > 8
    with pytest.raises(ReplayError, match="seeds: expected at most 5 of the table's 6"):
        drawn(noisy, 6, rng())


def test_a_learning_rate_is_chosen_by_the_seeds_at_hand_alone() -> None:
    losses = Losses(np.array([[[1.0, 2.0], [8.0, 2.0]]]), np.array([[1.0, 1.0], [1.0, 1.0]]))
    assert losses.gains([0]) == 0.0
    assert losses.gains([1]) == pytest.approx(-np.log(2.0))
    assert losses.gains([0, 1]) == pytest.approx(-np.log(2.0))
    assert Losses(np.array([[[np.nan], [1.0]]]), np.ones((2, 1))).gains([0, 1]) == -np.inf


def test_learning_beats_random_and_random_is_itself(table: Table) -> None:
    learner: dict[str, object] = {"name": "surrogate", "choice": "nearest", "pool": 48}
    found = compare(table, {"learner": learner}, GRAMMAR, Setting(budget=32, seeds=1), repeats=12)
    assert found["random"].better.mean == found["random"].better.low == found["random"].better.high == 0.0
    assert found["learner"].better.low > 0
    ranks = [found["learner"].rank[mark][1] for mark in (8, 16, 32)]
    assert ranks == sorted(ranks, reverse=True)


def test_the_chosen_are_as_good_as_a_sweeps_where_all_were_tried(noisy: Table) -> None:
    few = replace(
        noisy, expressions=noisy.expressions[:60], objectives=noisy.objectives[:60],
        losses=Losses(noisy.losses.candidates[:60], noisy.losses.reference),  # type: ignore[union-attr]
    )  # fmt: skip
    found = compare(few, {}, GRAMMAR, Setting(budget=60, seeds=2), repeats=6)["random"]
    assert found.over_sweep.mean == 0.0
    assert found.chosen == found.swept
    some = compare(few, {}, GRAMMAR, Setting(budget=CHOSEN, seeds=2), repeats=30)["random"]
    assert some.over_sweep.high < 0.0


def test_gains_come_from_losses_by_seed(table: Table) -> None:
    losses = np.array([distance_of(expression) + 0.01 for expression in table.expressions])
    np.testing.assert_allclose(table.gains, np.log(np.median(losses) / losses))
    assert table.losses is not None
    np.testing.assert_allclose(table.losses.gains([0, 1]), table.gains)
    assert seen_by_default(table) == 1
    assert "1 of 2 seeds are seen" in said(table, Setting(seeds=1))


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


def test_a_table_of_known_functions_alone_is_refused() -> None:
    known = Table((parse("tanh(x)"), parse("sin(x)")), ({"gain": 0.0}, {"gain": 1.0}))
    with pytest.raises(ReplayError, match="at least two functions that the catalogue does not have, found 0"):
        compare(known, {}, GRAMMAR, Setting(), repeats=2)


def test_a_strategy_named_twice_is_refused() -> None:
    with pytest.raises(ReplayError, match="named twice"):
        labelled([{"name": "random"}, {"name": "random"}])


def test_the_command_prints_tables_and_json(file: Path) -> None:
    words = ["replay", str(file), "--strategy", "evolution", "--grammar", "swish2017"]
    words += ["--budget", "30", "--repeats", "3"]
    shown = CliRunner().invoke(app, words)
    assert shown.exit_code == 0
    for said_there in ("Rank of the best", "evolution", "of a sweep", "1 of 2 seeds are seen"):
        assert said_there in shown.output
    found = json.loads(CliRunner().invoke(app, [*words, "--json"]).output)
    assert set(found) == {"random", "evolution"}
    assert set(found["evolution"]["rank"]) == {"8", "16", "30"}
    assert CliRunner().invoke(app, [*words, "--seeds", "2"]).exit_code == 1
