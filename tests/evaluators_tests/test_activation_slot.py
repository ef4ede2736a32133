"""The activation slot: right formula on the right slices, derivatives to order 3, vmap levels that are no stack."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from evaluators.errors import EvaluationError
from evaluators.training.stacking.activation_slot import ActivationSlot
from evaluators.training.stacking.layout import Layout, Share
from primitives.expression.evaluation import evaluate
from primitives.expression.parsing import parse

FORMULAS = ("relu(x)", "x*sigmoid(beta*x); beta=1.0:channel", "a*tanh(x)+x**2; a=0.5", "gelu(x)")
SLICES, CHANNELS = 2, 3  # of each formula
WIDTH = SLICES * len(FORMULAS)


def stacked_activation(
    texts: Sequence[str] = FORMULAS, *, first_order: bool = False, channel_dim: int = -1
) -> ActivationSlot:
    """An activation slot for several formulas with random parameters, float64; factors 1.0, 1.1, ..."""
    expressions = [parse(text) for text in texts]
    shares = tuple(Share(e, SLICES * i, SLICES * (i + 1), 1.0 + i / 10) for i, e in enumerate(expressions))
    activation = ActivationSlot(
        Layout(shares, tuple(tuple(p.name for p in e.parameters) for e in expressions)),
        channels=CHANNELS,
        channel_dim=channel_dim,
        first_order=first_order,
    )
    generator = torch.Generator().manual_seed(0)
    for expression in expressions:
        for p in expression.parameters:
            shape = (SLICES, CHANNELS) if p.per == "channel" else (SLICES,)
            activation.values.append(torch.rand(shape, generator=generator, dtype=torch.float64) + 0.5)
    return activation


def inside(activation: ActivationSlot, x: Tensor) -> Tensor:
    """The activation slot as a stack calls it: x (width, ..., channels) at the slices' vmap level."""
    markers = torch.zeros(len(x), dtype=torch.float64)
    return torch.func.vmap(lambda marker, part: torch.func.functional_call(activation, {"marker": marker}, (part,)))(
        markers, x
    )


def plain(activation: ActivationSlot, x: Tensor) -> Tensor:
    """The same in ordinary operators, slice by slice."""
    values, parts = iter(activation.values), []
    for share, names in zip(activation.layout.shares, activation.layout.names, strict=True):
        own = {name: next(values) for name in names}
        for index in range(share.slices):
            named = {name: value[index] for name, value in own.items()}
            parts.append(share.factor * evaluate((share.expression,), x[share.start + index], named)[0])
    return torch.stack(parts)


def inputs(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("first_order", [True, False])
@pytest.mark.parametrize("batch", [5, WIDTH])
def test_value_and_gradients_equal_autograd(first_order: bool, batch: int) -> None:
    activation = stacked_activation(first_order=first_order)
    x, upstream = inputs(WIDTH, batch, CHANNELS), inputs(WIDTH, batch, CHANNELS, seed=2)
    wanted = [x.requires_grad_(), *(value.requires_grad_() for value in activation.values)]
    own, reference = inside(activation, x), plain(activation, x)
    torch.testing.assert_close(own, reference, rtol=1e-13, atol=1e-13)
    for mine, theirs in zip(
        torch.autograd.grad(own, wanted, upstream), torch.autograd.grad(reference, wanted, upstream), strict=True
    ):
        torch.testing.assert_close(mine, theirs, rtol=1e-12, atol=1e-12)


def gradients_of_values(activation: ActivationSlot, result: Tensor) -> Sequence[Tensor]:
    return torch.autograd.grad(result.square().sum(), [value.requires_grad_() for value in activation.values])


@pytest.mark.parametrize("first_order", [True, False])
def test_images(first_order: bool) -> None:
    activation = stacked_activation(first_order=first_order, channel_dim=-3)
    activation.values = [value.requires_grad_() for value in activation.values]
    x = inputs(WIDTH, 2, CHANNELS, 4, CHANNELS)
    own, channels_last = inside(activation, x), plain(activation, x.movedim(2, -1)).movedim(-1, 2)
    torch.testing.assert_close(own, channels_last, rtol=1e-13, atol=1e-13)
    for mine, theirs in zip(*(gradients_of_values(activation, result) for result in (own, channels_last)), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-12, atol=1e-12)


def test_images_one_by_one_keep_their_channels() -> None:
    """A vmap over images of shape (1, C, H, W): channels are found from the last dimension, not from the first."""
    activation = stacked_activation(first_order=False, channel_dim=-3)
    x = inputs(WIDTH, 2, CHANNELS, 4, CHANNELS)

    def of_slice(marker: Tensor, images: Tensor) -> Tensor:
        one = torch.func.vmap(
            lambda image: torch.func.functional_call(activation, {"marker": marker}, (image[None],))[0]
        )
        return one(images)

    own = torch.func.vmap(of_slice)(torch.zeros(WIDTH, dtype=torch.float64), x)
    torch.testing.assert_close(own, inside(activation, x), rtol=1e-13, atol=1e-13)


def test_tokens() -> None:
    activation = stacked_activation()
    x = inputs(WIDTH, 2, 4, CHANNELS)
    torch.testing.assert_close(inside(activation, x), plain(activation, x), rtol=1e-13, atol=1e-13)


def test_gradcheck() -> None:
    activation = stacked_activation(FORMULAS[1:])
    x = inputs(WIDTH - SLICES, 3, CHANNELS).requires_grad_()
    values = [value.requires_grad_() for value in activation.values]

    def function(x: Tensor, *values: Tensor) -> Tensor:
        activation.values = list(values)
        return inside(activation, x)

    assert torch.autograd.gradcheck(function, (x, *values))
    assert torch.autograd.gradgradcheck(function, (x, *values))


def nested(function: Callable[[Tensor], Tensor], x: Tensor, order: int) -> Tensor:
    """Derivative of the sum of outputs, ``order`` times, by torch.func.grad."""
    if order == 0:
        return function(x)
    return torch.func.grad(lambda z: nested(function, z, order - 1).sum())(x)


def by_autograd(function: Callable[[Tensor], Tensor], x: Tensor, order: int) -> Tensor:
    x = x.clone().requires_grad_()
    y = function(x)
    for _ in range(order):
        (y,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    return y.detach()


@pytest.mark.parametrize("order", [1, 2, 3])
def test_nested_grad_around_the_stack(order: int) -> None:
    activation = stacked_activation(FORMULAS[1:])
    x = inputs(WIDTH - SLICES, 4, CHANNELS)
    reference = by_autograd(lambda z: plain(activation, z), x, order)
    torch.testing.assert_close(nested(lambda z: inside(activation, z), x, order), reference, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_nested_grad_within_a_slice(order: int) -> None:
    activation = stacked_activation(FORMULAS[1:])
    x = inputs(WIDTH - SLICES, 4, CHANNELS)

    def of_slice(marker: Tensor, part: Tensor) -> Tensor:
        return nested(lambda z: torch.func.functional_call(activation, {"marker": marker}, (z,)), part, order)

    own = torch.func.vmap(of_slice)(torch.zeros(len(x), dtype=torch.float64), x)
    reference = by_autograd(lambda z: plain(activation, z), x, order)
    torch.testing.assert_close(own, reference, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_nested_grad_outside_a_stack(order: int) -> None:
    expression = parse("x*sigmoid(x)+x**2")
    activation = ActivationSlot(Layout((Share(expression, 0, 1, 1.5),), ((),)), first_order=False)
    x = inputs(4, CHANNELS)
    reference = by_autograd(lambda z: 1.5 * evaluate((expression,), z, {})[0], x, order)
    torch.testing.assert_close(nested(activation, x, order), reference, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("batch", [3, WIDTH])
def test_per_sample_gradients_inside_the_stack(batch: int) -> None:
    """A second vmap, over the examples, is not taken for the stack: not even with as many examples as slices."""
    activation = stacked_activation()
    x = inputs(WIDTH, batch, CHANNELS)
    weights = inputs(WIDTH, CHANNELS, seed=3)

    def loss(weight: Tensor, marker: Tensor, example: Tensor) -> Tensor:
        return torch.func.functional_call(activation, {"marker": marker}, (weight * example,)).sum()

    per_sample = torch.func.vmap(torch.func.grad(loss), in_dims=(None, None, 0))
    own = torch.func.vmap(per_sample)(weights, torch.zeros(WIDTH, dtype=torch.float64), x)
    spread = weights[:, None, :].expand(x.shape).clone().requires_grad_()
    (reference,) = torch.autograd.grad(plain(activation, spread * x).sum(), spread)
    torch.testing.assert_close(own, reference, rtol=1e-12, atol=1e-12)


def test_vmap_over_examples_outside_a_stack() -> None:
    activation = ActivationSlot(Layout((Share(parse("gelu(x)"), 0, 1),), ((),)), first_order=False)
    x = inputs(6, CHANNELS)
    own = torch.func.vmap(torch.func.grad(lambda z: activation(z).sum()))(x)
    torch.testing.assert_close(own, by_autograd(torch.nn.functional.gelu, x, 1), rtol=1e-12, atol=1e-12)


def test_many_models_need_their_stack() -> None:
    with pytest.raises(EvaluationError, match="outside their stack"):
        stacked_activation()(inputs(4, CHANNELS))


@pytest.mark.parametrize("first_order", [True, False])
def test_nan_stays_in_its_slice(first_order: bool) -> None:
    activation = stacked_activation(first_order=first_order)
    clean = inputs(WIDTH, 4, CHANNELS)
    spoilt = clean.clone()
    spoilt[3] = torch.nan

    def both(x: Tensor) -> list[Tensor]:
        wanted = [x.clone().requires_grad_(), *(value.detach().requires_grad_() for value in activation.values)]
        activation.values = wanted[1:]
        value = inside(activation, wanted[0])
        return [value, *torch.autograd.grad(value.sum(), wanted)]

    others = [index for index in range(WIDTH) if index != 3]
    for good, bad in zip(both(clean)[:2], both(spoilt)[:2], strict=True):
        assert torch.equal(good[others], bad[others])
        assert not torch.isfinite(bad[3]).any()
    beta_good, beta_bad = both(clean)[2], both(spoilt)[2]  # slices 2 and 3 own beta
    assert torch.equal(beta_good[0], beta_bad[0])
    assert torch.isnan(beta_bad[1]).all()
