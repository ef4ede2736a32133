"""Adam over a stack equals torch.optim.Adam slice by slice."""

from __future__ import annotations

import torch
from torch import Tensor

from evaluators.optimiser import StackedAdam

RATES = torch.tensor([1e-4, 1e-3, 3e-3, 1e-2, 1e-1], dtype=torch.float64)
SLICES = len(RATES)
SHAPES = ((SLICES, 4, 3), (SLICES, 4), (SLICES,))


def tensors(seed: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in SHAPES]


def run(adam: StackedAdam, values: list[Tensor], steps: range) -> None:
    for step in steps:
        adam.step(values, [gradient * 10.0 ** (step % 5 - 2) for gradient in tensors(100 + step)])


def test_equals_torch_slice_by_slice() -> None:
    values, plain = tensors(0), tensors(0)
    run(StackedAdam(values, [RATES] * len(SHAPES)), values, range(50))
    for index in range(SLICES):
        own = [value[index].clone().requires_grad_() for value in plain]
        optimiser = torch.optim.Adam(own, lr=float(RATES[index]))
        for step in range(50):
            for value, gradient in zip(own, tensors(100 + step), strict=True):
                value.grad = gradient[index] * 10.0 ** (step % 5 - 2)
            optimiser.step()
        for stacked, value in zip(values, own, strict=True):
            torch.testing.assert_close(stacked[index], value.detach(), rtol=0, atol=1e-12)


def test_nan_gradient_spoils_its_slice_alone() -> None:
    good, bad = tensors(0), tensors(0)
    clean, spoilt = (StackedAdam(values, [RATES] * len(SHAPES)) for values in (good, bad))
    for step in range(5):
        gradients = tensors(step)
        clean.step(good, gradients)
        gradients[0][2, 1, 1] = torch.nan if step == 2 else gradients[0][2, 1, 1]
        spoilt.step(bad, gradients)
    others = [0, 1, 3, 4]
    assert torch.isnan(bad[0][2, 1, 1])
    assert all(torch.equal(g[others], b[others]) for g, b in zip(good, bad, strict=True))


def test_keep_goes_on_as_if_alone() -> None:
    chosen = torch.tensor([4, 1])
    values, kept = tensors(0), tensors(0)
    whole, shrunk = (StackedAdam(v, [RATES] * len(SHAPES)) for v in (values, kept))
    run(whole, values, range(10))
    run(shrunk, kept, range(5))
    picks = [chosen] * len(SHAPES)
    shrunk.keep(picks)
    kept = [value[chosen] for value in kept]
    for step in range(5, 10):
        gradients = [gradient * 10.0 ** (step % 5 - 2) for gradient in tensors(100 + step)]
        shrunk.step(kept, [gradient[chosen] for gradient in gradients])
    for own, value in zip(kept, values, strict=True):
        assert torch.equal(own, value[chosen])
