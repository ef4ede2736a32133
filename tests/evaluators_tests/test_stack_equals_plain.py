"""The stacked trainer equals one ordinary model at a time with torch.optim.Adam."""

from __future__ import annotations

import pytest
import torch

from evaluators.member import Member, Schedule
from evaluators.plain import PlainModel
from evaluators.stack import Stack
from evaluators.tasks import task
from primitives.text import parse

FORMULAS = (
    "relu(x)",
    "gelu(x)",
    "x*sigmoid(beta*x); beta=1.0:channel",
    "a*tanh(x)+b*x; a=1.2, b=0.1:channel",
    "max(x,c*x); c=0.25",
    "x*tanh(softplus(x))",
)
SEEDS = (1, 2)
RATES = (3e-4, 1e-3)


def pairs(name: str, steps: int, dtype: torch.dtype) -> tuple[Stack, list[PlainModel]]:
    """A stack of all formulas, seeds and rates, and the same models one by one, in the order of the slices."""
    members = [Member(parse(text), SEEDS) for text in FORMULAS]
    stack = Stack(task(name), "search", members, Schedule(steps, (), RATES), dtype=dtype)
    models = [
        PlainModel(task(name), "search", member.expression, seed=seed, rate=rate, steps=steps, dtype=dtype)
        for member in members
        for seed in SEEDS
        for rate in RATES
    ]
    return stack, models


@pytest.mark.parametrize(("name", "steps"), [("digits", 60), ("digits-10x32", 60)])
def test_float64_losses_agree_to_rounding(name: str, steps: int) -> None:
    stack, models = pairs(name, steps, torch.float64)
    stack.advance(steps)
    for model in models:
        model.advance(steps)
    plain = torch.tensor([model.loss("validation") for model in models], dtype=torch.float64)
    torch.testing.assert_close(stack.loss("validation"), plain, rtol=0, atol=1e-9)


def test_every_training_loss_agrees() -> None:
    steps = 30
    stack, models = pairs("digits", steps, torch.float64)
    plain = torch.tensor([model.advance(steps) for model in models], dtype=torch.float64)
    for step in range(steps):
        with torch.no_grad():
            losses = stack._losses(stack.orders[stack.seed, step]).mean(dim=1)
        torch.testing.assert_close(losses, plain[:, step], rtol=0, atol=1e-9)
        stack.advance(step + 1)


@pytest.mark.parametrize("name", ["digits", "digits-10x32"])
def test_float32_losses_agree_over_50_steps(name: str) -> None:
    stack, models = pairs(name, 50, torch.float32)
    stack.advance(50)
    for model in models:
        model.advance(50)
    plain = torch.tensor([model.loss("validation") for model in models])
    torch.testing.assert_close(stack.loss("validation"), plain, rtol=0, atol=1e-3)


def test_candidate_parameters_are_trained() -> None:
    stack, models = pairs("digits", 20, torch.float64)
    stack.advance(20)
    for model in models:
        model.advance(20)
    names = [share.expression.parameters for share in stack.layout.shares]
    slot, first = stack.slots[0], 0
    for number, (share, parameters) in enumerate(zip(stack.layout.shares, names, strict=True)):
        for parameter in parameters:
            value = slot.values[first]
            first += 1
            for offset in range(share.slices):
                own = dict(models[share.slices * number + offset].network.named_parameters())[f"1.{parameter.name}"]
                torch.testing.assert_close(value[offset].view(-1), own.view(-1), rtol=0, atol=1e-10)
                assert (own != parameter.initial).any()
