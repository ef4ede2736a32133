"""One contract for all strategies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from evaluators.statistics import sign_flip
from primitives import Expression, fingerprint, parse, value_at
from primitives.grammars import Grammar, grammar
from primitives.grammars.constraint import Constraint
from primitives.monotone import is_proved
from search.strategies import STRATEGIES, Proposal, Result, Strategy, strategy
from tests.search_tests.made_up import drawn_mixtures

GRAMMAR = grammar("swish2017")
FAST = {"surrogate": {"pool": 64}, "optuna": {"window": 60, "best": 20}}
SAMPLERS = {"NSGAIISampler": {"population_size": 8}, "QMCSampler": {}, "RandomSampler": {}}
CASES = {name: {"name": name, **FAST.get(name, {})} for name in STRATEGIES} | {
    f"optuna, {sampler}": {"name": "optuna", "sampler": sampler, "arguments": arguments}
    for sampler, arguments in SAMPLERS.items()
}
CASES |= {
    f"evolution, {winner}": {"name": "evolution", "population": 40, "tournament": 0.1, "winner": winner}
    for winner in ("average", "random", "pareto")
}
CASES["surrogate, nearest"] = {"name": "surrogate", "choice": "nearest", "pool": 64}
NAMES = sorted(CASES)
SLOW = {"surrogate", "surrogate, nearest", "optuna", "controller"}  # each learns anew for each of 200 cohorts
DEAR = {"surrogate", "surrogate, nearest", "optuna"}  # 3 and 6 s a climb
LEARNING = [
    pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name
    for name in NAMES
    if name
    not in {"exhaustive", "gradient", "random", "evolution, random", *(f"optuna, {sampler}" for sampler in SAMPLERS)}
]


def made(name: str, source: Grammar = GRAMMAR) -> Strategy:
    """A strategy at its defaults, or at settings with which it takes a fraction of the time."""
    chosen = strategy(CASES[name], source)
    chosen.mixtures = drawn_mixtures
    return chosen


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def results(count: int, seed: int = 0, source: Grammar = GRAMMAR) -> list[Result]:
    """A history whose scores are a fixed function of the expression; every fifth candidate failed."""
    random = rng(seed)
    found = []
    for number in range(count):
        expression = source.sample(random)
        values = {} if number % 5 == 4 else {"gain": planted(expression), "cost": float(expression.size)}
        found.append(Result(f"0.{number}", expression, values, "" if values else "non-finite"))
    return found


OPTIMUM = "max(tanh(x),sin(x))"


def planted(expression: Expression) -> float:
    """A score with a slope: how many of its characters stand where they stand in the optimum."""
    return sum(a == b for a, b in zip(expression.text, OPTIMUM, strict=False)) / 19


def planted_shape(expression: Expression) -> float:
    """A score with another slope: how close its values are to the optimum's; the formula does not matter."""
    x = torch.linspace(-3.0, 3.0, 25, dtype=torch.float64)
    distance = float((value_at(expression, x) - value_at(parse(OPTIMUM), x)).abs().mean())
    return 1.0 / (1.0 + distance) if np.isfinite(distance) else 0.0


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("count", [0, 3, 100])
def test_proposals_are_members_with_known_parents(name: str, count: int) -> None:
    history = results(count)
    proposals = made(name).ask(history, [Proposal(parse("x+x"))], 20, rng())
    assert 0 < len(proposals) <= 20
    assert all(proposal.expression in GRAMMAR for proposal in proposals)
    ids = {result.id for result in history}
    assert all(set(proposal.parents) <= ids for proposal in proposals)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "gradient"])  # it refuses them
def test_a_constrained_grammar_lets_nothing_else_through(name: str) -> None:
    source = replace(GRAMMAR, constraint=Constraint("increasing"))
    history = results(24, source=source)
    for known in ([], history):
        proposals = made(name, source).ask(known, [], 8, rng())
        assert proposals
        assert all(is_proved(proposal.expression, "increasing") for proposal in proposals)


@pytest.mark.parametrize("name", NAMES)
def test_same_arguments_give_the_same_proposals(name: str) -> None:
    history = results(60)
    asked = [made(name).ask(history, [], 16, rng(5)) for _ in range(2)]
    assert asked[0] == asked[1]
    assert (asked[0] != made(name).ask(history, [], 16, rng(6))) == (name not in {"exhaustive", "optuna, QMCSampler"})


@pytest.mark.parametrize("name", NAMES)
def test_one_that_saw_every_cohort_proposes_as_one_that_begins_here(name: str) -> None:
    """A resumed job has a new instance, whose caches are empty."""
    history, old = results(60), made(name)
    for told in (0, 20, 40, 60):
        asked = old.ask(history[:told], [], 8, rng(told))
        assert asked == made(name).ask(history[:told], [], 8, rng(told))


@pytest.mark.parametrize("name", NAMES)
def test_another_history_is_seen(name: str) -> None:
    one, other = results(60), results(40, seed=1)
    renamed = [replace(result, id=f"other.{result.id}") for result in other]
    instance = made(name)
    instance.ask(one, [], 8, rng())
    assert instance.ask(renamed, [], 8, rng()) == made(name).ask(renamed, [], 8, rng())


@pytest.mark.parametrize("name", NAMES)
def test_a_history_of_failures_is_no_obstacle(name: str) -> None:
    history = [Result(f"0.{n}", r.expression, {}, "non-finite") for n, r in enumerate(results(80))]
    assert made(name).ask(history, [], 8, rng())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("preset", ["default", "pangaea"])
def test_parameters_and_constants_are_proposed(name: str, preset: str) -> None:
    """All that the grammar has: factors in pangaea, betas and constants in default."""
    source, found = grammar(preset), []
    history = [] if name == "exhaustive" else results(40, source=source)  # it would walk to the last of them
    for cohort in range(3):
        found += made(name, source).ask(history, [], 24, rng(cohort))
    assert found
    assert all(proposal.expression in source for proposal in found)
    if name not in {"exhaustive", "gradient", "late_acceptance"}:  # a mixture has no factors
        assert any(proposal.expression.parameters for proposal in found)


@pytest.mark.parametrize("name", NAMES)
def test_several_objectives_and_tasks_are_no_obstacle(name: str) -> None:
    by_task = {"a": 0.5, "b": -0.5}
    history = [
        replace(r, objectives=r.objectives | {"reproducibility": float(n % 3)}, by_task=by_task) if r.objectives else r
        for n, r in enumerate(results(40))
    ]
    assert len(made(name).ask(history, [Proposal(parse("x+x"))], 8, rng())) == 8


@pytest.mark.parametrize("name", NAMES)
def test_it_gives_all_that_is_asked_for_until_nothing_is_left(name: str) -> None:
    """safs has 13 expressions: once they are known, a walk alone is at its end."""
    source = grammar("safs")
    walk = list(source.enumerate())
    history = [Result(f"0.{n}", f, {"gain": float(n), "cost": 1.0}, "") for n, f in enumerate(walk)]
    assert bool(made(name, source).ask(history, [], 4, rng())) == (name != "exhaustive")
    for n in (1, 5, 13):
        assert 1 <= len(made(name, source).ask([], [], n, rng())) <= n


@pytest.mark.parametrize("name", LEARNING)
def test_it_climbs_towards_a_planted_optimum(name: str) -> None:
    """Promise 6: the optimiser moves the right way, and better than random, paired by seed."""
    repeats = 12 if name in DEAR else 40
    score = planted_shape if "surrogate" in name else planted  # it sees what functions do, not how they are written
    differences = [climb(name, seed, score) - climb("random", seed, score) for seed in range(100, 100 + repeats)]
    assert np.mean(differences) > 0
    assert sign_flip(differences, rng()) < 0.05


@cache
def climb(name: str, seed: int, score: Callable[[Expression], float]) -> float:
    """Best planted score after 20 cohorts of 16, each class once."""
    chosen, seen = made(name), set()
    history: list[Result] = []
    for cohort in range(20):
        for slot, proposal in enumerate(chosen.ask(history, [], 16, rng(1000 * seed + cohort))):
            if (key := fingerprint(proposal.expression).scale) in seen:
                continue
            seen.add(key)
            values = {"gain": score(proposal.expression), "cost": 1.0}
            history.append(Result(f"{cohort}.{slot}", proposal.expression, values, ""))
    return max(result.gain for result in history)
