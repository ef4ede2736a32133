"""Stacked convolutions: the values and derivatives of torch's own, and bits that no neighbour changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from evaluators.training.stacking import convolution
from evaluators.training.stacking.convolution import SLICES, StackedConvolutions

KINDS: dict[str, tuple[Callable[..., Tensor], tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
    "1d": (F.conv1d, (3, 4, 7), (6, 4, 3), {"padding": 1}),
    "2d": (F.conv2d, (3, 4, 6, 5), (6, 4, 3, 3), {"stride": 2, "padding": 1}),
    "same": (F.conv2d, (3, 4, 6, 5), (6, 4, 3, 3), {"padding": "same", "dilation": 2}),
    "depthwise": (F.conv2d, (3, 4, 6, 5), (8, 1, 3, 3), {"groups": 4}),
    "3d": (F.conv3d, (3, 2, 4, 4, 4), (4, 2, 3, 3, 3), {}),
    "transposed": (F.conv_transpose2d, (3, 4, 3, 3), (4, 6, 2, 2), {"stride": 2}),
    "transposed-groups": (F.conv_transpose2d, (3, 4, 3, 3), (4, 3, 2, 2), {"groups": 2, "output_padding": 0}),
}
WIDTH = 2 * SLICES + 1


def inputs(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def stacked(function: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
    with StackedConvolutions():
        return torch.func.vmap(function)(*tensors)


@pytest.mark.parametrize("kind", KINDS)
def test_all_slices_in_one_call_as_on_a_gpu(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convolution, "at_once", len)
    test_value_and_derivatives(kind, True)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_value_and_derivatives(kind: str, bias: bool) -> None:
    function, x_shape, weight_shape, settings = KINDS[kind]
    made = function(inputs(*x_shape), inputs(*weight_shape), **settings)
    tensors = [inputs(WIDTH, *x_shape), inputs(WIDTH, *weight_shape, seed=1)]
    tensors += [inputs(WIDTH, made.shape[1], seed=2)] if bias else []
    for tensor in tensors:
        tensor.requires_grad_()
    own = stacked(lambda *each: function(*each, **settings), *tensors)
    reference = torch.stack([function(*each, **settings) for each in zip(*tensors, strict=True)])
    torch.testing.assert_close(own, reference, rtol=1e-12, atol=1e-12)
    for once, twice in zip(twofold(own, tensors), twofold(reference, tensors), strict=True):
        torch.testing.assert_close(once, twice, rtol=1e-10, atol=1e-10)


def twofold(value: Tensor, tensors: list[Tensor]) -> list[Tensor]:
    """First derivatives of a nonlinear function of the value, and derivatives of their squares."""
    first = torch.autograd.grad(value.square().sum(), tensors, create_graph=True)
    return [*first, *torch.autograd.grad(torch.stack([g.square().sum() for g in first]).sum(), tensors)]


def test_named_arguments() -> None:
    x, weight = inputs(WIDTH, 3, 4, 6, 5), inputs(WIDTH, 6, 4, 3, 3, seed=1)
    named = stacked(lambda x, weight: F.conv2d(input=x, weight=weight, bias=None, stride=2), x, weight)
    assert torch.equal(named, stacked(lambda x, weight: F.conv2d(x, weight, None, 2), x, weight))


@pytest.mark.parametrize("dims", [(4, 6, 5), (1, 4, 6, 5), (3, 4, 6, 5)])
def test_gradients_of_single_examples(dims: tuple[int, ...]) -> None:
    """A vmap over examples within the stack, of an image alone or of a batch; weights belong to the slice."""
    weights, images = inputs(WIDTH, 6, 4, 3, 3), inputs(WIDTH, 5, *dims, seed=1)

    def loss(weight: Tensor, image: Tensor) -> Tensor:
        return F.conv2d(image, weight, padding=1).square().sum()

    for index in (0, 1):
        per_example = torch.func.vmap(torch.func.grad(loss, argnums=index), in_dims=(None, 0))
        own = stacked(per_example, weights, images)
        for slice_ in range(WIDTH):
            for example in range(5):
                each = [weights[slice_].clone().requires_grad_(), images[slice_, example].clone().requires_grad_()]
                (reference,) = torch.autograd.grad(loss(*each), each[index])
                torch.testing.assert_close(own[slice_, example], reference, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("shape", [(1, 8, 4, 1), (3, 16, 16, 1), (16, 16, 32, 2)])
def test_bits_do_not_depend_on_the_stack(shape: tuple[int, int, int, int]) -> None:
    channels, size, filters, stride = shape
    tensors = [
        inputs(17, 32, channels, size, size, dtype=torch.float32),
        inputs(17, filters, channels, 3, 3, dtype=torch.float32, seed=1),
        inputs(17, filters, dtype=torch.float32, seed=2),
    ]

    def both(index: list[int]) -> list[Tensor]:
        some = [tensor[index].requires_grad_() for tensor in tensors]
        value = stacked(lambda x, weight, bias: F.conv2d(x, weight, bias, stride=stride, padding=1), *some)
        return [value, *torch.autograd.grad(value.square().sum(), some)]

    whole = both(list(range(17)))
    for index in ([0], [16], [3, 2], [1, 2, 3], [16, 0, 5, 9, 4]):
        assert all(torch.equal(few, all_[index]) for few, all_ in zip(both(index), whole, strict=True)), index
