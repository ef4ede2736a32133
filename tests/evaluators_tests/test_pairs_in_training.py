"""Pairs in training: a stack equals one model at a time, and gradients are those of the second part."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from evaluators.objectives import cost, lipschitz
from evaluators.rejection.screens import screen
from evaluators.results.reasons import Reason
from evaluators.training.member import CohortMember, Schedule
from evaluators.training.stacking.stack import Stack
from primitives.expression.parsing import parse
from primitives.grammars import grammar
from search.strategies.features import features
from tests.evaluators_tests.families import Family
from tests.evaluators_tests.test_stack_equals_plain import DOUBLE, check

PAIRS = (
    "paired(relu(x),relu(x+0.1))",
    "paired(sign(sin(x)),sin(x))",
    "paired(tanh(a*x),a*x/(1+abs(x))); a=1.5:channel",
)


@pytest.mark.parametrize("family", ["mlp", "cnn", "derivatives"])
def test_a_stack_equals_one_model_at_a_time(family: str) -> None:
    check(Family(family), [CohortMember(parse(text), (n,)) for n, text in enumerate(PAIRS)], 20, DOUBLE, 1e-9)


def test_company_changes_no_bit() -> None:
    task = Family("mlp")
    members = [CohortMember(parse(text), (1,)) for text in ("relu(x)", *PAIRS)]
    schedule = Schedule(6, (), (0.01,))
    beside = Stack(task, "search", members, schedule)
    losses = beside.advance(6)
    for number, member in enumerate(members):
        assert torch.equal(Stack(task, "search", [member], schedule).advance(6)[:, 0], losses[:, number])
    assert len(set(losses[-1].tolist())) == len(members)


def test_objectives_and_screens() -> None:
    relu, helu = parse("relu(x)"), parse(PAIRS[0])
    assert cost(relu) < cost(helu) < 2 * cost(relu)
    assert lipschitz(helu) == pytest.approx(1.0)  # of the function that a network applies
    assert screen(helu) is None
    assert screen(parse("paired(relu(x),1+sign(x))")) is Reason.FLAT
    assert screen(parse("paired(relu(x),log(x))")) is not None
    left, right = features(helu), features(relu)
    assert left.shape == right.shape
    assert not np.array_equal(left[41:81], right[41:81])


def test_a_grammar_with_pairs(tmp_path: Path) -> None:
    text = "name: pairs\nunary: [a, relu(a), sin(a)]\nbinary: [a*b, 'paired(a,b)']\ntemplates: [{tree_size: 5}]\n"
    (tmp_path / "pairs.yaml").write_text(text, encoding="utf-8")
    pairs, rng = grammar(tmp_path / "pairs.yaml"), np.random.Generator(np.random.PCG64(0))
    drawn = [pairs.sample(rng) for _ in range(60)]
    assert any(each.is_paired for each in drawn)
    for first, second in pairwise(drawn):
        assert first in pairs
        assert pairs.crossover(first, second, rng) in pairs
        assert pairs.mutate(first, rng) in pairs
        vector = pairs.encode(first)
        assert vector is None or pairs.decode(vector) is first
