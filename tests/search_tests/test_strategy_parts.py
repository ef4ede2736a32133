"""What single strategies promise beyond the contract."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import pytest

from primitives import parse
from primitives.equivalence.classes import fingerprint
from primitives.grammars import grammar
from search import Job
from search.config import checked
from search.engine.known import KnownClasses
from search.engine.proposer import Proposer
from search.errors import ConfigError
from search.strategies import Proposal, Result, strategy
from search.strategies.evolution import WINNERS, Evolution
from search.strategies.features import features, shape
from search.strategies.late_acceptance import LateAcceptance
from search.strategies.nsga2 import NSGA2, ranked
from search.strategies.predictors import Question, normal_scores
from search.strategies.surrogate import CHOOSE

GRAMMAR = grammar("swish2017")


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def result(text: str, gain: float, number: int = 0, **others: float) -> Result:
    return Result(f"0.{number}", parse(text), {"gain": gain, "cost": 1.0, **others}, "")


def test_exhaustive_walks_the_whole_grammar_in_order_and_ends() -> None:
    walker, given = strategy({"name": "exhaustive"}, GRAMMAR), []
    history: list[Result] = []
    while asked := walker.ask(history, [], 500, rng()):
        given += [proposal.expression for proposal in asked]
        history += [Result(f"0.{len(history)}", proposal.expression, {}, "non-finite") for proposal in asked]
    assert given == list(GRAMMAR.enumerate())
    assert len(given) == 6_250


def test_exhaustive_goes_on_behind_the_last_accepted_candidate() -> None:
    """What was asked for behind it and not accepted is asked for again: a resumed job could not know of it."""
    walk = list(islice(GRAMMAR.enumerate(), 60))
    walker = strategy({"name": "exhaustive"}, GRAMMAR)
    first = [*walker.ask([], [], 10, rng()), *walker.ask([], [], 10, rng())]
    assert [proposal.expression for proposal in first] == walk[:20]
    pending = [Proposal(walk[n]) for n in (3, 14)]
    after = walker.ask([], pending, 10, rng())
    again = strategy({"name": "exhaustive"}, GRAMMAR).ask([], pending, 10, rng())
    assert after == again
    assert after[-1].expression in walk[15:60]


def test_a_shuffled_walk_has_everything_once_and_goes_on_where_it_was() -> None:
    shuffled, own = {"name": "exhaustive", "order": "shuffled"}, list(GRAMMAR.enumerate())
    walk = [proposal.expression for proposal in strategy(shuffled, GRAMMAR).ask([], [], len(own) + 1, rng())]
    assert walk != own
    assert sorted(e.text for e in walk) == sorted(e.text for e in own)
    after = strategy(shuffled, GRAMMAR).ask([], [Proposal(walk[n]) for n in (3, 14)], 40, rng(1))
    assert [proposal.expression for proposal in after] == walk[15:55]
    head = {e.text for e in walk[:1000]}
    tenths = [sum(e.text in head for e in own[at : at + 625]) for at in range(0, len(own), 625)]
    assert 60 < min(tenths) <= max(tenths) < 140  # of 100 expected, with a deviation of 9


def test_a_shuffled_walk_is_of_a_small_grammar() -> None:
    with pytest.raises(
        ConfigError, match=r"'exhaustive': order: .* at most 200,000 derivations, .* has [0-9,]+; .*'random'"
    ):
        Job(checked({"budget": 4, "strategy": {"name": "exhaustive", "order": "shuffled"}}, "test"), "job")
    with pytest.raises(ConfigError, match="one of grammar, shuffled"):
        strategy({"name": "exhaustive", "order": "random"}, GRAMMAR)


@pytest.mark.parametrize(("name", "found"), [("exhaustive", True), ("random", False)])
def test_a_walk_goes_on_through_what_is_known(name: str, found: bool) -> None:
    """Random sampling gives up when 20 proposals a place were in vain."""
    known = KnownClasses(lambda number: parse("x"))
    for expression in islice(GRAMMAR.enumerate(), None if name == "random" else 1_000):
        known.expect(fingerprint(expression).scale, expression)
    config = checked({"budget": 4, "grammar": "swish2017", "strategy": name, "cohorts": {"size": 4}}, "test")
    plan = Proposer(config, known).propose(0, [], [])
    assert bool(plan.proposals) == found
    assert sum(plan.counts.values()) >= (1_000 if found else 80)


def test_ranks_are_those_of_the_definition() -> None:
    values = rng(1).integers(0, 6, size=(60, 3)).astype(float)
    ranks, _ = ranked(values)
    for row, rank in zip(values, ranks, strict=True):
        dominators = (values <= row).all(axis=1) & (values < row).any(axis=1)
        assert rank == (ranks[dominators].max() + 1 if dominators.any() else 0)


def test_crowding_prefers_the_ends_and_the_lonely() -> None:
    ranks, crowding = ranked(np.array([[0.0, 4.0], [1.0, 3.0], [1.1, 2.9], [4.0, 0.0]]))
    assert (ranks == 0).all()
    assert np.isinf(crowding[[0, 3]]).all()
    assert crowding[2] == pytest.approx((4.0 - 1.0) / 4 + (3.0 - 0.0) / 4)
    assert crowding[1] == pytest.approx((1.1 - 0.0) / 4 + (4.0 - 2.9) / 4)


ONE, OTHER, BETWEEN, BAD = "x*sin(x)", "x*tanh(x)", "max(tanh(x),sin(x))", "x+sin(x)"
#: Gains on two tasks: the first two are best on one, the third is dominated by none, the last by all in the mean.
ON_TASKS = {ONE: (0.9, 0.0), OTHER: (-0.3, 0.8), BETWEEN: (0.2, 0.2), BAD: (-0.4, -0.1)}


def on_tasks() -> list[Result]:
    """All of a tournament; the job's gain is the least of the tasks'."""
    return [
        Result(f"0.{n}", parse(text), {"gain": min(values)}, "", dict(zip("ab", values, strict=True)))
        for n, (text, values) in enumerate(ON_TASKS.items())
    ]


def parents(winner: str, history: Sequence[Result], **settings: float) -> set[str]:
    """The parents' expressions of 200 children of tournaments, mutation alone."""
    chosen = {"population": 4, "tournament": 4, "crossover": 0.0, "immigrants": 0.0} | settings
    asked = strategy({"name": "evolution", "winner": winner, **chosen}, GRAMMAR).ask(history, [], 200, rng())
    texts = {each.id: each.expression.text for each in history}
    assert all(len(proposal.parents) <= 1 for proposal in asked)
    return {texts[parent] for proposal in asked for parent in proposal.parents}


def test_the_winner_of_a_tournament() -> None:
    assert parents("gain", on_tasks()) == {BETWEEN}
    assert parents("average", on_tasks()) == {ONE}  # a mean of .45, where the job's gain is the least one
    assert parents("random", on_tasks()) == {ONE, OTHER}
    assert parents("pareto", on_tasks()) == {ONE, OTHER, BETWEEN}


def test_the_winner_by_other_objectives() -> None:
    dear = [replace(each, objectives=each.objectives | {"cost": float(n)}) for n, each in enumerate(on_tasks())]
    assert parents("pareto", dear) == {ONE, OTHER, BETWEEN}
    cheap = [replace(each, objectives=each.objectives | {"cost": float(-n)}) for n, each in enumerate(on_tasks())]
    assert parents("pareto", cheap) == {ONE, OTHER, BETWEEN, BAD}
    assert parents("random", cheap) == {ONE, OTHER, BAD}


@pytest.mark.parametrize("winner", WINNERS)
def test_failures_never_win(winner: str) -> None:
    failed = [Result("1.0", parse("cos(x)"), {}, "non-finite"), Result("1.1", parse("exp(x)"), {}, "non-finite")]
    assert parents(winner, [*on_tasks()[:1], *failed], population=3, tournament=3) == {ONE}
    assert parents(winner, failed, population=2, tournament=2) == set()


@pytest.mark.parametrize("winner", WINNERS)
def test_the_oldest_die(winner: str) -> None:
    young = [replace(each, id=f"1.{n}") for n, each in enumerate(on_tasks()[2:])]
    assert parents(winner, [*on_tasks(), *young], population=2, tournament=2) <= {BETWEEN, BAD}


@pytest.mark.parametrize(("given", "drawn"), [(8, 8), (1, 1), (0.05, 125), (0.5, 1250), (0.0001, 1)])
def test_a_tournament_is_a_number_or_a_share_of_the_population(given: float, drawn: int) -> None:
    made = strategy({"name": "evolution", "population": 2500, "tournament": given}, GRAMMAR)
    assert isinstance(made, Evolution)
    assert made.tournament == drawn


def test_a_tournament_looks_at_nobody_else() -> None:
    """Of a population of thousands only those that are drawn are decoded."""
    looked: list[int] = []

    class Seen(Sequence[Result]):
        def __len__(self) -> int:
            return 5_000

        def __getitem__(self, index: Any) -> Any:
            assert isinstance(index, int)
            looked.append(index)
            return on_tasks()[index % 4]

    settings = {"population": 2500, "tournament": 0.01, "winner": "pareto", "crossover": 0.0, "immigrants": 0.0}
    strategy({"name": "evolution", **settings}, GRAMMAR).ask(Seen(), [], 2, rng())
    assert len(looked) == 2 * 25
    assert min(looked) >= 2_500


def test_nsga2_keeps_what_is_best_on_one_task_alone() -> None:
    by_task = [{"a": 1.0, "b": -1.0}, {"a": -1.0, "b": 1.0}, {"a": -0.9, "b": -0.9}, {"a": -0.95, "b": -0.95}]
    texts = ("tanh(x)", "sin(x)", "atan(x)", "erf(x)")
    history = [
        Result(f"0.{n}", parse(f"max({text},{text})"), {"gain": 0.0, "cost": 1.0}, "", scores)
        for n, (text, scores) in enumerate(zip(texts, by_task, strict=True))
    ]
    kept = NSGA2(GRAMMAR, population=2).folded(history)
    assert {kept_one.id for kept_one in kept} >= {"0.0", "0.1"}


def test_late_acceptance_takes_a_worse_step_and_gives_up_in_the_end() -> None:
    climber = LateAcceptance(GRAMMAR, length=2, patience=3)
    gains = [0.0, 1.0, 0.5, 0.4, 0.3, 0.2]
    history = [result("max(tanh(x),sin(x))", gain, number) for number, gain in enumerate(gains)]
    current = [climber.folded(history[: n + 1]).current for n in range(len(history))]
    # 0.5 is no worse than 0.0, of two steps ago; the next three are worse than what they are compared with
    assert [each.gain if each else None for each in current] == [0.0, 1.0, 0.5, 0.5, 0.5, None]


def test_late_acceptance_begins_anew_with_a_fresh_sample() -> None:
    """Children of the climb that was given up are still under way then; they are no sample."""
    climber = LateAcceptance(GRAMMAR, length=1, patience=2)
    (first,) = climber.ask([], [], 1, rng())
    history = [replace(result("x*sin(x)", 1.0, 0), attributes=first.attributes)]
    (child,) = climber.ask(history, [], 1, rng())
    late = [replace(result("x+sin(x)", gain, n), attributes=child.attributes) for n, gain in enumerate((0, 0, 2), 1)]
    assert climber.folded([*history, *late]).current is None
    (fresh,) = climber.ask([*history, *late], [], 1, rng())
    assert not fresh.parents
    begun = [*history, *late, replace(result("x*tanh(x)", -1.0, 4), attributes=fresh.attributes)]
    current = climber.folded(begun).current
    assert current is not None and current.id == "0.4"


def test_a_move_that_moves_nothing_is_refused_at_launch() -> None:
    climb = {"name": "late_acceptance", "move": "swap"}
    with pytest.raises(ConfigError, match="move: 'swap' changes none of 20 functions drawn from 'swish2017'; take"):
        Job(checked({"budget": 4, "grammar": "swish2017", "strategy": climb}, "c.yaml"), "job")
    Job(checked({"budget": 4, "grammar": "swish2017", "strategy": climb | {"move": "point+swap"}}, "c.yaml"), "job")


def test_late_acceptance_moves_as_safs_does() -> None:
    """One function of three is drawn anew, and two are swapped; what is impossible is left out."""
    safs, rng_ = grammar("safs-layers"), rng(3)
    for seed in range(40):
        f = safs.sample(rng(seed))
        (child,) = LateAcceptance(safs, move="point+swap").ask([Result("0.0", f, {"gain": 0.1}, "")], [], 1, rng_)
        before, after = Counter(part.text for part in f.args), Counter(part.text for part in child.expression.args)
        assert (before - after).total() == (after - before).total() == 1
        assert child.parents == ("0.0",)


def test_late_acceptance_climbs_by_the_objective_that_is_named() -> None:
    f = result("max(tanh(x),sin(x))", 0.0, 0).expression
    rows = [Result(f"0.{n}", f, {"gain": -n, "accuracy": n, "cost": n}, "") for n in range(3)]
    best = {by: LateAcceptance(GRAMMAR, by=by, length=1).folded(rows).current for by in ("gain", "accuracy", "cost")}
    assert {by: each.id if each else None for by, each in best.items()} == {
        "gain": "0.0",
        "accuracy": "0.2",
        "cost": "0.0",
    }


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"move": "point+swop"}, r"move: expected any, or kinds of mutation.*got 'point\+swop'; did you mean 'swap'"),
        ({"by": "acuracy"}, "by: unknown objective 'acuracy'; did you mean 'accuracy'"),
    ],
)
def test_settings_of_late_acceptance_that_mean_nothing(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        strategy({"name": "late_acceptance", **settings}, GRAMMAR)


def test_a_job_is_refused_whose_strategy_climbs_by_what_is_not_measured() -> None:
    climb = {"name": "late_acceptance", "by": "accuracy"}
    with pytest.raises(ConfigError, match=r"strategy\.by: 'accuracy' is none of the objectives, gain, cost; name it"):
        checked({"budget": 4, "strategy": climb}, "c.yaml")
    assert checked({"budget": 4, "strategy": climb, "objectives": ["gain", "accuracy"]}, "c.yaml").strategy == climb


def test_normal_scores_do_not_see_how_bad_a_failure_is() -> None:
    scores = normal_scores(np.array([0.1, -np.inf, 0.3, -1e9]))
    assert np.isfinite(scores).all()
    assert np.argsort(scores).tolist() == [1, 3, 0, 2]


@pytest.mark.parametrize("rule", sorted(CHOOSE))
def test_a_rule_finds_where_gains_are_high(rule: str) -> None:
    """The gain is how close a function's shape is to that of a function which is not there."""
    functions = list(dict.fromkeys(GRAMMAR.sample(rng(seed)) for seed in range(500)))
    aim = shape(parse("max(tanh(x),sin(x))"))
    gains = np.array([-np.abs(shape(each) - aim).mean() for each in functions])
    chosen = CHOOSE[rule](Question(functions[:200], gains[:200], [], functions[200:], 10, exact=False))
    assert len(set(chosen)) == 10
    assert gains[200:][chosen].mean() > np.quantile(gains[200:], 0.8)


def test_two_formulas_of_one_function_have_one_shape() -> None:
    np.testing.assert_allclose(shape(parse("x*sigmoid(x)")), shape(parse("3*silu(x)")), atol=1e-12)
    assert not np.array_equal(features(parse("x*sigmoid(x)")), features(parse("silu(x)")))
    assert np.isfinite(features(parse("1/(x-x)"))).all()


def test_a_word_that_is_no_choice_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"choice: expected one of gp, nearest.*'nearst'"):
        strategy({"name": "surrogate", "choice": "nearst"}, GRAMMAR)
