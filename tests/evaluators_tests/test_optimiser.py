"""Optimisers, schedules and the clip over a stack equal torch's slice by slice."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from evaluators.training.optimiser import MOMENTUM, OPTIMISERS, StackedOptimiser, clipped
from evaluators.training.schedules import SCHEDULES

RATES = torch.tensor([1e-4, 1e-3, 3e-3, 1e-2, 1e-1], dtype=torch.float64)
SLICES = len(RATES)
SHAPES = ((SLICES, 4, 3), (SLICES, 4), (SLICES,))
WHOLE = [slice(None)] * len(SHAPES)
LIMIT = 3.0
STEPS = 50


def tensors(seed: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in SHAPES]


def gradients(step: int) -> list[Tensor]:
    """Norms from far below to far above the limit."""
    return [gradient * 10.0 ** (step % 5 - 2) for gradient in tensors(100 + step)]


def stacked(name: str, values: list[Tensor]) -> StackedOptimiser:
    return OPTIMISERS[name](values, [RATES] * len(SHAPES))


def run(optimiser: StackedOptimiser, values: list[Tensor], steps: range) -> None:
    for step in steps:
        optimiser.step(values, gradients(step))


def theirs(name: str, values: list[Tensor], rate: float) -> torch.optim.Optimizer:
    return torch.optim.SGD(values, lr=rate, momentum=MOMENTUM) if name == "sgd" else torch.optim.Adam(values, lr=rate)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize("name", OPTIMISERS)
def test_equals_torch_slice_by_slice(name: str, clip: bool, schedule: str) -> None:
    values = tensors(0)
    optimiser = stacked(name, values)
    for step in range(STEPS):
        found = clipped(gradients(step), WHOLE, LIMIT) if clip else gradients(step)
        optimiser.step(values, found, SCHEDULES[schedule](step, STEPS))
    for index, rate in enumerate(RATES.tolist()):
        own = [value[index].clone().requires_grad_() for value in tensors(0)]
        plain = theirs(name, own, rate)
        cosine = torch.optim.lr_scheduler.CosineAnnealingLR(plain, T_max=STEPS)
        for step in range(STEPS):
            for value, gradient in zip(own, gradients(step), strict=True):
                value.grad = gradient[index].clone()
            if clip:
                torch.nn.utils.clip_grad_norm_(own, LIMIT)
            plain.step()
            if schedule == "cosine":
                cosine.step()
        for mine, value in zip(values, own, strict=True):
            torch.testing.assert_close(mine[index], value.detach(), rtol=1e-12, atol=1e-12)


def test_clip_counts_what_belongs_to_some_slices_alone() -> None:
    """A candidate's parameters at slices 1 and 2 add to the norms there; all are scaled by the whole norm."""
    everyone, some = torch.ones(4, 9, dtype=torch.float64), torch.full((2, 4), 2.0, dtype=torch.float64)
    for found, owner in zip(
        clipped([everyone, some], [slice(None), slice(1, 3)], 1.0), (range(4), (1, 2)), strict=True
    ):
        norms = torch.tensor([5.0 if index in (1, 2) else 3.0 for index in owner], dtype=torch.float64)
        torch.testing.assert_close(found, (everyone if len(found) == 4 else some) / norms[:, None], rtol=1e-6, atol=0)


@pytest.mark.parametrize("spoiler", [torch.nan, torch.inf])
def test_clip_leaves_other_slices_alone(spoiler: float) -> None:
    good, bad = tensors(1), tensors(1)
    bad[1][2, 0] = spoiler
    others = [0, 1, 3, 4]
    for clean, spoilt in zip(clipped(good, WHOLE, LIMIT), clipped(bad, WHOLE, LIMIT), strict=True):
        assert torch.equal(clean[others], spoilt[others])
        assert not (spoilt[2] == clean[2]).all()


@pytest.mark.parametrize("name", OPTIMISERS)
def test_nan_gradient_spoils_its_slice_alone(name: str) -> None:
    good, bad = tensors(0), tensors(0)
    clean, spoilt = stacked(name, good), stacked(name, bad)
    for step in range(5):
        found = tensors(step)
        clean.step(good, found)
        found[0][2, 1, 1] = torch.nan if step == 2 else found[0][2, 1, 1]
        spoilt.step(bad, found)
    others = [0, 1, 3, 4]
    assert torch.isnan(bad[0][2, 1, 1])
    assert all(torch.equal(g[others], b[others]) for g, b in zip(good, bad, strict=True))


@pytest.mark.parametrize("name", OPTIMISERS)
def test_keep_goes_on_as_if_alone(name: str) -> None:
    chosen = torch.tensor([4, 1])
    values, kept = tensors(0), tensors(0)
    whole, shrunk = stacked(name, values), stacked(name, kept)
    run(whole, values, range(10))
    run(shrunk, kept, range(5))
    shrunk.keep([chosen] * len(SHAPES))
    kept = [value[chosen] for value in kept]
    for step in range(5, 10):
        shrunk.step(kept, [gradient[chosen] for gradient in gradients(step)])
    for own, value in zip(kept, values, strict=True):
        assert torch.equal(own, value[chosen])


def test_cosine_falls_from_one_to_zero() -> None:
    factors = [SCHEDULES["cosine"](step, 10) for step in range(11)]
    assert factors[0] == 1.0
    assert factors[5] == pytest.approx(0.5)
    assert factors[10] == 0.0
    assert factors == sorted(factors, reverse=True)
    assert {SCHEDULES["constant"](step, 10) for step in range(11)} == {1.0}
