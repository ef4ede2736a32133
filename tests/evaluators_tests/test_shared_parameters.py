"""A parameter per network: one element for each slice of a stack, shared by all slots, as in one model alone."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch

from evaluators.training.member import CohortMember, Schedule
from evaluators.training.stacking.stack import Stack
from primitives.expression.parsing import parse
from tests.evaluators_tests.families import Family
from tests.evaluators_tests.test_stack_equals_plain import DOUBLE, LEAKY, check, pairs

SHARED = "a*x*sigmoid(beta*x); a=1.5, beta=1:network"


@pytest.mark.parametrize("family", ["mlp", "cnn"])
def test_a_stack_equals_one_model_at_a_time(family: str) -> None:
    members = [CohortMember(parse(text), (n,)) for n, text in enumerate((LEAKY, SHARED), 1)]
    check(Family(family, clip=0.5), members, 30, DOUBLE, 1e-9)
    stack, models = pairs(Family(family), members, 3, DOUBLE)
    assert sum(len(block.elements) for block in stack.blocks if block.key[0] is None) == stack.width // 2
    assert len({id(activation.values[-1]) for activation in stack.activations}) == 1
    assert len({id(activation.values[-2]) for activation in stack.activations}) == len(stack.activations) > 1
    for model in models[len(models) // 2 :]:
        assert len({id(layer.get_parameter("beta")) for layer in model.activations}) == 1


def test_company_and_shrinking_change_no_bit() -> None:
    task = Family("mlp")
    members = [CohortMember(parse(text), (1,)) for text in ("relu(x)", SHARED, LEAKY)]
    schedule = Schedule(8, (), task.learning_rates)
    alone, beside = Stack(task, "search", members[1:2], schedule), Stack(task, "search", members, schedule)
    alone.advance(8)
    beside.advance(4)
    beside.keep([1, 2])
    beside.advance(8)
    assert torch.equal(alone.activations[0].values[1], beside.activations[0].values[1])
    assert (alone.activations[0].values[1] != 1.0).all()
    assert torch.equal(alone.loss("validation"), beside.loss("validation")[: alone.width])


def test_a_restored_stack_goes_on_with_the_same_bits() -> None:
    task = Family("mlp")
    stacks = [Stack(task, "search", [CohortMember(parse(SHARED), (1,))], Schedule(6, (), (0.01,))) for _ in range(2)]
    stacks[0].advance(3)
    stacks[1].restore(deepcopy(stacks[0].saved()))
    losses = [stack.advance(6) for stack in stacks]
    assert torch.equal(*losses)
