"""Robustness: what a network loses when its inputs are moved against it."""

from __future__ import annotations

import torch
from torch import Tensor

from evaluators.errors import TaskError
from evaluators.objectives.measured import MeasuredObjective, examples, mean_loss
from evaluators.seeds import torch_generator
from evaluators.tasks.examples import Examples
from evaluators.training.models import Models

RADIUS, ATTACK_STEPS, RESTARTS = 0.1, 10, 5  # the first in standard deviations of the inputs
ATTACKED = 128  # examples of each seed: half of those of other objectives, each of which is attacked five times
STEP = 2.5 / ATTACK_STEPS  # of the radius: ten steps can cross the ball from side to side, as Madry et al. advise


class Robustness(MeasuredObjective):
    """Loss under projected gradient descent: example by example the largest of all points that are looked at.

    Ten steps by the sign of the gradient from each of five random points of the ball, which are the same for all
    candidates. A function whose slopes mislead, such as a flat or a fast one, hides its gradient without being robust
    (Athalye et al. 2018, arXiv:1802.00420). So the points on the way count, the starts, and the corner of the ball that
    each start points to: the value is never below the loss under random noise of that size, nor that without any.
    """

    name = "robustness"
    unit = "nats"
    direction = "maximize"
    formula = (
        "log(loss of the reference / loss of the candidate) under 10 steps of PGD, "
        "from 5 starts, |d| <= 0.1 of the inputs' standard deviation"
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
        few, radius = models.at(examples(models)[:, :ATTACKED]), RADIUS * float(models.examples.inputs.double().std())
        assert isinstance(few.inputs, Tensor)
        with torch.no_grad():
            clean = models.judged(models.outputs(few.inputs), few.targets)
        # the starts side by side: half the time of one after the other on digits' perceptron
        many = few.mapped(lambda t: torch.cat([t] * RESTARTS, dim=1))
        attacked = _attacked(models, many, radius).view(len(clean), RESTARTS, -1).amax(dim=1)
        return mean_loss(models, torch.maximum(clean, attacked))


def _attacked(models: Models, few: Examples, radius: float) -> Tensor:
    """The largest loss of each example, shape (slices, examples), at a corner of the ball and from there on a walk."""
    x, y = few.inputs, few.targets
    start = _starts(models, x)
    with torch.no_grad():
        worst = models.judged(models.outputs(x + radius * start.sign()), y)
    moved = x + radius * start
    for _ in range(ATTACK_STEPS):
        moved.requires_grad_()
        losses = models.judged(models.outputs(moved), y)
        (slope,) = torch.autograd.grad(losses.sum(), moved)
        worst = torch.maximum(worst, losses.detach())
        step = STEP * radius * slope.nan_to_num(0.0, 1.0, -1.0).sign()
        moved = x + (moved.detach() + step - x).clamp(-radius, radius)
    with torch.no_grad():
        return torch.maximum(worst, models.judged(models.outputs(moved), y))


def _starts(models: Models, x: Tensor) -> Tensor:
    """Uniform numbers in [-1, 1] of each seed, in the shape of ``x``."""
    generators = [torch_generator(seed, "attack") for seed in models.members[0].seeds]
    rows = [2.0 * torch.rand(x.shape[1:], generator=generator, device="cpu") - 1.0 for generator in generators]
    return models.backend.place(torch.stack(rows))
