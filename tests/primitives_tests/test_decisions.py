"""Decisions: every vector is a member, every member that fits comes back, vectors are canonical."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import numpy as np
import optuna
import pytest

from primitives.errors import GrammarError
from primitives.expression.parsing import parse
from primitives.grammars import Grammar, grammar, grammar_names
from tests.primitives_tests.declaring import loaded, rng

PRESETS = {name: grammar(name) for name in grammar_names()}

SMALL = """
name: small
constants: [2]
unary: [sin(a), "-a"]
binary: [a+b]
templates: [{tree_size: 4}]
"""
MIXED = """
name: mixed
parameters: {beta: {initial: 0.5}}
constants: [2]
unary: [a, sin(a), "1", beta*a]
binary: [a+b, a*b, b]
factors: {max: 2, per: channel}
templates: [{units: 1}, {form: unary(unary(x))}, {tree_size: 6}]
"""


def random_vector(chosen: Grammar, source: np.random.Generator) -> dict[str, str]:
    return {d.name: d.choices[source.integers(len(d.choices))] for d in chosen.decisions()}


@pytest.fixture(params=[*sorted(PRESETS), "small", "mixed"])
def chosen(request: pytest.FixtureRequest, tmp_path: Path) -> Grammar:
    texts = {"small": SMALL, "mixed": MIXED}
    return PRESETS.get(request.param) or loaded(tmp_path, texts[request.param])


def test_vectors_are_short_and_plain(chosen: Grammar) -> None:
    decisions = chosen.decisions()
    assert 1 <= len(decisions) <= (30 if chosen.name == "evonorm" else 12)
    assert len({d.name for d in decisions}) == len(decisions)
    for decision in decisions:
        assert len(set(decision.choices)) == len(decision.choices) >= 1
        assert json.loads(json.dumps(decision.choices)) == list(decision.choices)
        assert all(isinstance(choice, str) and len(choice) <= 50 for choice in decision.choices)


def test_every_vector_is_a_member(chosen: Grammar) -> None:
    source = rng(1)
    for _ in range(300):
        f = chosen.decode(random_vector(chosen, source))
        assert f in chosen
        vector = chosen.encode(f)
        assert vector is not None and list(vector) == [d.name for d in chosen.decisions()]
        assert chosen.decode(vector) is f
        assert chosen.encode(chosen.decode(vector)) == vector


def test_every_member_that_fits_comes_back(chosen: Grammar) -> None:
    source, fitting = rng(2), 0
    for _ in range(150):
        f = chosen.sample(source)
        for g in (f, chosen.mutate(f, source)):
            vector = chosen.encode(g)
            fitting += vector is not None
            assert vector is None or chosen.decode(vector) is g
    assert fitting > 200


def test_all_samples_of_the_presets_fit() -> None:
    """Trees grown by PANGAEA's mutations may be larger than a vector; nothing that is sampled is."""
    for preset in PRESETS.values():
        source = rng(3)
        assert all(preset.encode(preset.sample(source)) for _ in range(200))


def test_what_does_not_fit_is_none() -> None:
    long = parse("sin(x)+cos(x)+tanh(x)+sin(x)")
    assert long not in PRESETS["default"]
    deep = parse("sinh(cosh(sinh(cosh(sinh(cosh(sinh(cosh(x))))))))")
    assert deep in PRESETS["pangaea"] and PRESETS["pangaea"].encode(deep) is None


def test_vectors_reach_every_member_of_a_small_grammar(tmp_path: Path) -> None:
    small = loaded(tmp_path, SMALL)
    vectors = product(*(d.choices for d in small.decisions()))
    names = [d.name for d in small.decisions()]
    reached = {small.decode(dict(zip(names, vector, strict=True))) for vector in vectors}
    assert reached == set(small.enumerate())


def test_decisions_of_units_are_their_rules() -> None:
    swish = PRESETS["swish2017"]
    assert [(d.name, len(d.choices)) for d in swish.decisions()] == [("rule1", 10), ("rule2", 25), ("rule3", 25)]
    assert swish.encode(parse("max(x,sigmoid(x))")) == {"rule1": "max(a,b)", "rule2": "a", "rule3": "sigmoid(a)"}
    assert swish.decode({"rule1": "a*b", "rule2": "a", "rule3": "tanh(a)"}) is parse("x*tanh(x)")
    assert swish.encode(parse("beta/(x+1e-7); beta=1:channel")) == {
        "rule1": "a/(b+1e-7)",
        "rule2": "beta",  # what it hides is not needed
        "rule3": "a",
    }


def test_decisions_of_trees_are_in_prefix_order(tmp_path: Path) -> None:
    small = loaded(tmp_path, SMALL)
    f = parse("sin(x)+2")
    assert small.encode(f) == {"rule1": "a+b", "rule2": "sin(a)", "rule3": "x", "rule4": "2"}
    assert small.encode(parse("-x")) == {"rule1": "-a", "rule2": "x", "rule3": "x", "rule4": "x"}  # defaults
    assert small.decode({"rule1": "x", "rule2": "sin(a)", "rule3": "2", "rule4": "2"}) is parse("x")


def test_impossible_choices_stand_for_possible_ones(tmp_path: Path) -> None:
    """With a+b and a+b there would be five rules; without an x there would be none."""
    small = loaded(tmp_path, SMALL)
    assert [d.choices for d in small.decisions()] == [
        ("x", "2", "sin(a)", "-a", "a+b"),
        ("x", "2", "sin(a)", "-a", "a+b"),
        ("x", "2", "sin(a)", "-a"),
        ("x", "2"),
    ]
    vector = {"rule1": "sin(a)", "rule2": "2", "rule3": "2", "rule4": "2"}
    assert small.decode(vector) is parse("sin(x)")
    assert small.decode(vector | {"rule1": "a+b"}) is parse("2+x")
    assert small.decode(vector | {"rule1": "a+b", "rule2": "a+b"}) is parse("x+2")  # number 4 of 4 possible ones: x
    assert small.decode(vector | {"rule1": "a+b", "rule3": "sin(a)"}) is parse("2+sin(x)")


def test_factors_are_places(tmp_path: Path) -> None:
    mixed = loaded(tmp_path, MIXED)
    f = parse("sin(alpha*(x*2)); alpha=1:channel")
    vector = mixed.encode(f)
    assert vector is not None
    assert (vector["template"], vector["factor1"], vector["factor2"]) == ("trees-6", "2", "none")
    assert mixed.decode(vector | {"factor2": "1"}).text == "alpha*sin(alpha2*(x*2)); alpha=1:channel, alpha2=1:channel"
    assert mixed.decode(vector | {"factor1": "none"}) is parse("sin(x*2)")
    assert mixed.decode(vector | {"factor2": "2"}) is f  # one place twice is once
    assert mixed.decode(vector | {"factor2": "6"}) is f  # a place that is not there


def test_wrong_vectors_are_refused() -> None:
    swish = PRESETS["swish2017"]
    right = {"rule1": "a*b", "rule2": "a", "rule3": "tanh(a)"}
    with pytest.raises(GrammarError, match=r"decision 'rule3': no choice 'tahn\(a\)'; did you mean 'tanh\(a\)'"):
        swish.decode(right | {"rule3": "tahn(a)"})
    with pytest.raises(GrammarError, match=r"unknown decision 'rule33'; did you mean 'rule3'"):
        swish.decode(right | {"rule33": "a"})
    with pytest.raises(GrammarError, match="decision 'rule2' is missing; it has 25 choices"):
        swish.decode({"rule1": "a*b", "rule3": "a"})


def test_optuna_can_suggest_them() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    chosen = PRESETS["default"]

    def objective(trial: optuna.Trial) -> float:
        f = chosen.decode({d.name: trial.suggest_categorical(d.name, d.choices) for d in chosen.decisions()})
        return float(f.size)

    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
    start = chosen.encode(parse("x*sigmoid(x)"))
    assert start is not None
    study.enqueue_trial(start)
    study.optimize(objective, n_trials=15)
    assert all(set(t.params) == {d.name for d in chosen.decisions()} for t in study.trials)
    assert study.trials[0].params == start and study.trials[0].value == 4
