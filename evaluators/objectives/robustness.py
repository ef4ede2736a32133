"""Robustness: what a network loses when its inputs are moved against it."""

from __future__ import annotations

import torch
from torch import Tensor

from evaluators.errors import TaskError
from evaluators.objectives.measured import MeasuredObjective, examples, mean_loss
from evaluators.seeds import torch_generator
from evaluators.training.models import Models

RADIUS, ATTACK_STEPS = 0.1, 10  # the first in standard deviations of the inputs
STEP = 2.5 / ATTACK_STEPS  # of the radius: ten steps can cross the ball from side to side, as Madry et al. advise


class Robustness(MeasuredObjective):
    """Loss under projected gradient descent: the larger of the losses before and after, example by example.

    Ten steps by the sign of the gradient from a random point of the ball, which is the same for all candidates.
    """

    name = "robustness"
    unit = "nats"
    direction = "maximize"
    formula = (
        "log(loss of the reference / loss of the candidate) under 10 steps of PGD, "
        "|d| <= 0.1 of the inputs' standard deviation"
    )
    source = "Madry et al. 2018, arXiv:1706.06083"
    relative = True

    def check(self, models: Models) -> None:
        inputs = models.examples.inputs
        if not isinstance(inputs, Tensor) or not inputs.is_floating_point():  # tokens have no small steps
            came = inputs.dtype if isinstance(inputs, Tensor) else f"a {type(inputs).__name__}"
            raise TaskError(f"task {models.task.name!r}: robustness: expected floating point inputs, got {came}")

    def measure(self, models: Models) -> Tensor:
        assert isinstance(models.examples.inputs, Tensor)
        few, radius = models.at(examples(models)), RADIUS * float(models.examples.inputs.double().std())
        x, y = few.inputs, few.targets
        assert isinstance(x, Tensor)
        with torch.no_grad():
            clean = models.judged(models.outputs(x), y)
        moved = x + radius * _starts(models, x)
        for _ in range(ATTACK_STEPS):
            moved = moved.detach().requires_grad_()
            (slope,) = torch.autograd.grad(models.judged(models.outputs(moved), y).sum(), moved)
            step = STEP * radius * slope.nan_to_num(0.0, 1.0, -1.0).sign()
            moved = x + (moved.detach() + step - x).clamp(-radius, radius)
        with torch.no_grad():
            attacked = models.judged(models.outputs(moved), y)
        return mean_loss(models, torch.maximum(clean, attacked))


def _starts(models: Models, x: Tensor) -> Tensor:
    """Uniform numbers in [-1, 1] of each seed, in the shape of ``x``."""
    generators = [torch_generator(seed, "attack") for seed in models.members[0].seeds]
    rows = [2.0 * torch.rand(x.shape[1:], generator=generator, device="cpu") - 1.0 for generator in generators]
    return models.backend.place(torch.stack(rows))
