"""Layers with statistics, and one function per place, in training: a stack equals one model at a time."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch

from evaluators.machine.backend import CPU
from evaluators.tasks import task
from evaluators.training.member import CohortMember, Schedule
from evaluators.training.stacking.stack import Stack
from primitives.expression.parsing import parse
from tests.evaluators_tests.families import Family
from tests.evaluators_tests.test_stack_equals_plain import DOUBLE, check, pairs

S0 = "x*sigmoid(v*x)/std_gp(x)*w+b; v=1:channel, w=1:channel, b=0:channel"
B0 = "x/max(std_np(x),v*x+std_p(x))*w+b; v=1:channel, w=1:channel, b=0:channel"
NORM = "relu((x-mean_np(x))/std_np(x)*w+b); w=1:channel, b=0:channel"
PAIR = "paired(relu(x),relu(x+0.1))/rms_c(x)"
PLACES = "layers(x*sigmoid(beta*x),relu(x-mean_np(x)),tanh(beta*x)); beta=1:network"
ALL = (S0, B0, NORM, PAIR, PLACES, "layers(sin(x),relu(x))")


@pytest.mark.parametrize("family", ["mlp", "cnn", "transformer"])
def test_a_stack_equals_one_model_at_a_time(family: str) -> None:
    """In float64 after 12 steps, losses of steps and of validation."""
    members = [CohortMember(parse(text), (n,)) for n, text in enumerate((*ALL, "relu(x)"))]
    check(Family(family, clip=0.5), members, 12, DOUBLE, 1e-9)


@pytest.mark.parametrize("text", [S0, "layers(silu(x),x/rms_c(x))", "relu(x)*(x/rms_cp(x))"])
def test_a_network_that_derives_its_output(text: str) -> None:
    """Its loss holds derivatives by the input, so that the layer's own backward pass is derived, too."""
    check(Family("derivatives"), [CohortMember(parse(text), (n,)) for n in range(2)], 5, DOUBLE, 1e-9)


def test_float32_after_50_steps() -> None:
    members = [CohortMember(parse(text), (1,)) for text in (S0, B0, PLACES)]
    stack, models = pairs(Family("cnn"), members, 50, CPU)
    stack.advance(50)
    losses = stack.loss("validation")
    for number, model in enumerate(models):
        model.advance(50)
        assert float(losses[number]) == pytest.approx(model.loss("validation"), rel=2e-2)


def test_company_width_order_and_shrinking_change_no_bit() -> None:
    chosen = Family("cnn")
    members = [CohortMember(parse(text), (1, 2)) for text in (*ALL, "relu(x)")]
    schedule = Schedule(6, (), (0.01, 0.02))
    beside = Stack(chosen, "search", members, schedule)
    beside.advance(3)
    first = beside.loss("validation")
    turned = Stack(chosen, "search", members[::-1], schedule)
    turned.advance(3)
    assert torch.equal(turned.loss("validation").view(-1, 4).flip(0).flatten(), first)
    beside.keep([0, 1, 4])
    beside.advance(6)
    losses = beside.loss("validation").view(-1, 4)
    for row, number in enumerate((0, 1, 4)):
        alone = Stack(chosen, "search", [members[number]], schedule)
        alone.advance(6)
        assert torch.equal(alone.loss("validation"), losses[row])
        narrow = Stack(chosen, "search", [CohortMember(members[number].expression, (2,))], Schedule(6, (), (0.02,)))
        narrow.advance(6)
        assert torch.equal(narrow.loss("validation")[0], losses[row, 3])


def test_evaluation_depends_on_no_other_example() -> None:
    stack = Stack(Family("cnn"), "search", [CohortMember(parse(B0), (1,))], Schedule(4, (), (0.01,)), backend=DOUBLE)
    stack.advance(4)
    index = stack.splits.validation[stack.seed][:, :32]
    with torch.no_grad():
        together = stack.losses(index)
        turned = stack.losses(index.roll(5, dims=1))
        others = index.clone()
        others[:, 1:] = index[:, :1]
        alone = stack.losses(others)
    torch.testing.assert_close(turned, together.roll(5, dims=1), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(alone[:, 0], together[:, 0], rtol=1e-12, atol=1e-12)


def test_calibration_is_a_function_of_weights_and_data() -> None:
    """So a restored stack goes on with the same bits, whatever was evaluated before."""
    chosen, schedule = Family("cnn"), Schedule(6, (), (0.01,))
    members = [CohortMember(parse(B0), (1,)), CohortMember(parse("layers(relu(x),x/std_np(x))"), (1,))]
    straight, looked, restored = (Stack(chosen, "search", members, schedule) for _ in range(3))
    straight.advance(6)
    looked.advance(3)
    looked.loss("validation")
    restored.restore(deepcopy(looked.saved()))
    for stack in (looked, restored):
        stack.advance(6)
        assert torch.equal(stack.loss("validation"), straight.loss("validation"))


@pytest.mark.parametrize("places", [2, 3, 5])
def test_parts_take_equal_runs_of_the_places(places: int) -> None:
    """Place i of n takes part i*k//n, for k below, at and above n."""
    schedule = Schedule(1, (), (0.01,))
    for parts in (["relu(x)", "tanh(x)"], ["relu(x)", "tanh(x)", "sin(x)"], ["x", "sin(x)", "cos(x)", "abs(x)"]):
        stack = Stack(
            task(f"digits-{places}x16"), "search", [CohortMember(parse(f"layers({','.join(parts)})"), (1,))], schedule
        )
        assert len(stack.activations) == places
        taken = [slot.layout.shares[0].expression.text for slot in stack.activations]
        assert taken == [parts[number * len(parts) // places] for number in range(places)]


def test_a_parameter_per_network_moves_by_the_sum_of_the_gradients_of_all_parts() -> None:
    (stack, models) = pairs(Family("mlp"), [CohortMember(parse(PLACES), (1,))], 1, DOUBLE)
    (block,) = stack.blocks
    assert block.key[0] is None
    layers = [layer for layer in models[0].activations if "beta" in dict(layer.named_parameters())]
    assert len({id(layer.get_parameter("beta")) for layer in layers}) == 1
