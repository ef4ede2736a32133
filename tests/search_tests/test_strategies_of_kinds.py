"""Strategies on grammars of layers, gates and one function per place: they propose members, and surrogates learn."""

from __future__ import annotations

import numpy as np
import pytest

from primitives.expression.parsing import parse
from primitives.grammars import grammar
from search.strategies import Proposal, Result, strategy
from search.strategies.predictors import Question, nearest

FAST: dict[str, dict[str, object]] = {"surrogate": {"pool": 32, "initial": 4}, "optuna": {"window": 60, "best": 20}}
LINES = """
name: places
description: one function for each third
source: ours
unary: [a, relu(a), tanh(a), sin(a)]
templates: [{layers: 3, form: "unary(x)"}]
"""


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


@pytest.fixture(params=["evonorm", "glu", "places"])
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    if request.param != "places":
        return str(request.param)
    path = tmp_path_factory.mktemp("grammar") / "places.yaml"
    path.write_text(LINES, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    "name", ["controller", "evolution", "late_acceptance", "nsga2", "optuna", "random", "surrogate"]
)
def test_every_strategy_searches_every_kind(name: str, source: str) -> None:
    rules, random = grammar(source), rng()
    made = strategy({"name": name, **FAST.get(name, {})}, rules)
    tried = [rules.sample(random) for _ in range(12)]
    history = [
        Result(f"0.{n}", f, {"gain": float(n), "cost": 1.0} if n % 5 else {}, "" if n % 5 else "non-finite")
        for n, f in enumerate(tried)
    ]
    found = made.ask(history, [Proposal(rules.sample(random)) for _ in range(3)], 4, random)
    assert all(each.expression in rules for each in found)
    assert 0 < len(found) <= 4


def test_the_nearest_gates_share_their_gains() -> None:
    tried = [parse(f"{f}(x)*z") for f in ("silu", "gelu", "hard_swish")] + [parse(f"sin({k}*x)*z") for k in (7, 8, 9)]
    gains = np.array([1.0, 1.1, 0.9, -1.0, -1.1, -0.9])
    pool = [parse("sin(7.5*x)*z"), parse("mish(x)*z")]
    assert nearest(Question(tried, gains, [], pool, 1, exact=False)) == [1]
