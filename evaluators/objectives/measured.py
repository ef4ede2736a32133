"""Objectives measured on the trained models of one candidate: one model a seed, at its best learning rate.

They are taken from a stack of these models alone, so that no number depends on the stack in which they were trained.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from evaluators.errors import TaskError
from evaluators.seeds import torch_generator
from evaluators.stack import Stack

EXAMPLES = 256  # at most, of each seed's validation examples
NEAR_ZERO = 1e-3  # of the root mean square of a layer's activations
LEVELS = 7  # 2^3 - 1 on either side of zero, and zero: 15 in all
RADIUS, ATTACK_STEPS = 0.1, 10  # the first in standard deviations of the inputs
STEP = 2.5 / ATTACK_STEPS  # of the radius: ten steps can cross the ball from side to side, as Madry et al. advise


def check_measured(names: Sequence[str], stack: Stack) -> None:
    """Refuse what cannot be measured, before anything is trained.

    Raises:
        TaskError: one seed has no differences, and tokens no small steps.
    """
    if "reproducibility" in names and min(len(member.seeds) for member in stack.members) < 2:
        raise TaskError(f"task {stack.task.name!r}: reproducibility: expected at least 2 seeds, got 1")
    if "robustness" in names and not stack.x.is_floating_point():
        raise TaskError(f"task {stack.task.name!r}: robustness: expected floating point inputs, got {stack.x.dtype}")


def measure(models: Stack, names: Sequence[str]) -> dict[str, float]:
    """The named objectives of the models of one candidate; means over the seeds, not always finite.

    Losses, for ``noise`` and ``robustness``, are raised to the task's ``loss_floor``.
    """
    return {name: float(_MEASURES[name](models)) for name in names}


def sparsity(models: Stack) -> Tensor:
    """Share of activations near zero: at most 1e-3 of their root mean square in that layer and model."""
    shares: list[Tensor] = []

    def note(output: Tensor) -> Tensor:
        values = output.flatten(1).double()
        near = values.abs() <= NEAR_ZERO * values.square().mean(dim=1, keepdim=True).sqrt()
        shares.append(near.double().mean(dim=1))
        return output

    with torch.no_grad(), _altered(models, note):
        output = models.outputs(models.x[_examples(models)])
    # a NaN is not near zero, but no share of such a network means anything
    return torch.stack(shares).mean() + 0.0 * output.double().mean()


def noise(models: Stack) -> Tensor:
    """Loss with every activation rounded to one of 15 levels, evenly from minus the layer's largest |a| to plus it."""

    def rounded(output: Tensor) -> Tensor:
        step = output.flatten(1).abs().amax(dim=1).div(LEVELS).clamp_min(torch.finfo(output.dtype).tiny)
        step = step.view(-1, *[1] * (output.dim() - 1))
        return torch.round(output / step) * step

    index = _examples(models)
    with torch.no_grad(), _altered(models, rounded):
        losses = models.judged(models.outputs(models.x[index]), models.y[index])
    return _mean_loss(models, losses)


def robustness(models: Stack) -> Tensor:
    """Loss under projected gradient descent: the larger of the losses before and after, example by example.

    Ten steps by the sign of the gradient from a random point of the ball, which is the same for all candidates.
    """
    index = _examples(models)
    x, y, radius = models.x[index], models.y[index], RADIUS * float(models.x.double().std())
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
    return _mean_loss(models, torch.maximum(clean, attacked))


def _starts(models: Stack, x: Tensor) -> Tensor:
    """Uniform numbers in [-1, 1] of each seed, in the shape of ``x``."""
    generators = [torch_generator(seed, "attack") for seed in models.members[0].seeds]
    rows = [2.0 * torch.rand(x.shape[1:], generator=generator, device="cpu") - 1.0 for generator in generators]
    return models.backend.place(torch.stack(rows))


def reproducibility(models: Stack) -> Tensor:
    """How much the models of the seeds differ in what they predict, on the validation examples of each in turn.

    The others may have trained on these, which is alike for all candidates. Where targets are classes, the total
    variation distance of a model's probabilities from their mean over the models, averaged; else the share of the
    variance of the predictions, over models and examples, that lies between the models.
    """
    found = []
    classes = not models.y.is_floating_point()
    for index in _examples(models):
        x = models.x[index]
        with torch.no_grad():
            outputs = models.outputs(x.expand(models.width, *x.shape)).double()
        found.append(_variation(outputs.softmax(dim=-1)) if classes else _between(outputs))
    return torch.stack(found).mean()


def _variation(p: Tensor) -> Tensor:
    """Mean total variation distance from the mean over models; shape (models, examples, ..., classes)."""
    return 0.5 * (p - p.mean(dim=0)).abs().sum(dim=-1).mean()


def _between(outputs: Tensor) -> Tensor:
    """Share of the variance of predictions that is between models; shape (models, examples, ...)."""
    values = outputs.flatten(2) if outputs.dim() > 2 else outputs[..., None]
    between = (values - values.mean(dim=0)).square().mean()
    total = (values - values.mean(dim=(0, 1))).square().mean()
    rounding = torch.finfo(torch.float32).eps ** 2 * values.square().mean()  # a share of this noise means nothing
    return torch.where(total <= rounding, torch.zeros_like(total), between / total)


def _examples(models: Stack) -> Tensor:
    """Indices of the validation examples of each slice, shape (slices, at most 256)."""
    return models.splits.validation[models.seed][:, :EXAMPLES]


def _mean_loss(models: Stack, losses: Tensor) -> Tensor:
    """Mean over examples, raised to the floor, then over seeds by the logarithm, as gains are."""
    return losses.double().mean(dim=1).clamp_min(models.task.loss_floor).log().mean().exp()


@contextmanager
def _altered(models: Stack, after: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Apply a function to what the slots put out."""
    for slot in models.slots:
        slot.after = after
    try:
        yield
    finally:
        for slot in models.slots:
            slot.after = None


_MEASURES: dict[str, Callable[[Stack], Tensor]] = {
    "reproducibility": reproducibility,
    "sparsity": sparsity,
    "robustness": robustness,
    "noise": noise,
}
