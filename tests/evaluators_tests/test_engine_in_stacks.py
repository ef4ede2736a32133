"""The engine in a stack: torch's numbers, the same bits in any company, torch where it must be."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from evaluators.native.library import library
from evaluators.native.shares import MOST_THREADS, usable
from evaluators.tasks.optimisers import Adam, AdamW
from evaluators.training import optimiser
from evaluators.training.optimiser import StackedAdam
from evaluators.training.stacking import pointwise_shares
from evaluators.training.stacking.layout import Layout, Share
from evaluators.training.stacking.pointwise_shares import StackedOnce, apply
from primitives.expression.parsing import parse
from primitives.operators.axes import Axes
from tests.evaluators_tests.native_engine import aligned, same_bits

pytestmark = pytest.mark.skipif(library() is None, reason="there is no engine here")
TYPES = (torch.float32, torch.float64)
FORMULAS = (
    *("relu(x)", "x*sigmoid(beta*x); beta=1.0", "bessel_i0e(a*x)*x; a=1.0:channel", "gelu(x)", "mish(x)"),
    *("a*tanh(x)+b*x**2; a=0.5, b=1.0:channel", "max(c*x,sin(x)); c=0.2:channel"),
)
#: Shape of a slice, and which dimension its channels are.
SHAPES = {"rows": ((7, 5), -1), "images": ((6, 5, 4, 3), -3), "tokens": ((4, 9, 5), -1), "none": ((600,), None)}
SLICES = 3


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)


def layout(texts: Sequence[str]) -> Layout:
    formulas = [parse(text) for text in texts]
    shares = tuple(Share(f, SLICES * k, SLICES * (k + 1), 1.0 + k / 10) for k, f in enumerate(formulas))
    return Layout(shares, tuple(tuple(p.name for p in f.parameters) for f in formulas))


def values(texts: Sequence[str], channels: int, dtype: torch.dtype) -> list[Tensor]:
    generator, made = torch.Generator().manual_seed(3), []
    for parameter in [p for text in texts for p in parse(text).parameters]:
        shape = (SLICES, channels) if parameter.per == "channel" else (SLICES,)
        made.append(torch.rand(shape, generator=generator, dtype=torch.float64).to(dtype).requires_grad_())
    return made


def computed(texts: Sequence[str], x: Tensor, channel_dim: int | None) -> list[Tensor]:
    """Outputs, and the gradients of a weighted sum of them with respect to input and parameters."""
    x = x.clone().requires_grad_()
    own = values(texts, 1 if channel_dim is None else x.shape[channel_dim], x.dtype)
    result = apply(StackedOnce, layout(texts), Axes(channel_dim), x, *own)
    weights = torch.randn(x.shape, generator=torch.Generator().manual_seed(4), dtype=torch.float64).to(x.dtype)
    return [result.detach(), *torch.autograd.grad((result * weights).sum(), [x, *own])]


def inputs(count: int, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    drawn = torch.randn(SLICES * count, *shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    return (3 * drawn).to(dtype)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("kind", SHAPES)
def test_torchs_numbers(kind: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    shape, channel_dim = SHAPES[kind]
    x = inputs(len(FORMULAS), shape, dtype)
    assert usable(x) is not None
    got = computed(FORMULAS, x, channel_dim)
    monkeypatch.setattr(pointwise_shares, "usable", lambda x: None)
    for ours, theirs in zip(got, computed(FORMULAS, x, channel_dim), strict=True):
        scale = theirs.abs().max()  # of sums over many elements
        assert ours.shape == theirs.shape
        assert ((ours - theirs).abs() <= 100 * torch.finfo(dtype).eps * scale).all()


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("kind", SHAPES)
def test_bits_do_not_depend_on_company(kind: str, dtype: torch.dtype) -> None:
    shape, channel_dim = SHAPES[kind]
    x = inputs(len(FORMULAS), shape, dtype)
    together = computed(FORMULAS, x, channel_dim)[0]
    for number, text in enumerate(FORMULAS):
        if "=" in text:
            continue  # its parameters would be drawn anew
        share = layout(FORMULAS).shares[number]
        lone = Layout((Share(share.expression, 0, SLICES, share.factor),), ((),))
        here = x[share.start : share.stop]
        for shift in (0, 1):  # also where memory does not begin at a multiple of 64 bytes
            moved = aligned(here.numel(), dtype, shift).view(here.shape).copy_(here)
            alone = apply(StackedOnce, lone, Axes(channel_dim), moved)
            assert same_bits(alone, together[share.start : share.stop])


def test_only_what_the_engine_lacks_goes_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    x = inputs(len(FORMULAS), (7, 5), torch.float32)
    plan = pointwise_shares._slopes(layout(FORMULAS), x.dtype, x.device, usable(x))
    assert list(plan.others) == [2]
    assert plan.native is not None
    assert len(plan.native.parts) == len(FORMULAS) - 1


def test_what_is_not_for_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.randn(4, 6)
    assert usable(x) is not None
    assert usable(x.half()) is None
    assert usable(x.T) is None
    assert usable(x[:0]) is None
    assert usable(x.to("meta")) is None
    monkeypatch.setattr(torch, "get_num_threads", lambda: MOST_THREADS + 1)
    assert usable(x) is None


SETTINGS = (Adam(), Adam(betas=(0.8, 0.95), eps=1e-4, weight_decay=0.1), AdamW(weight_decay=0.1))
TENSORS = ((5, 33, 10), (5, 45), (5,), (12,))


def trained(settings: Adam, dtype: torch.dtype, rows: slice = slice(None), *, spoilt: bool = False) -> list[Tensor]:
    """Some rows of tensors and moments after 50 steps."""
    generator = torch.Generator().manual_seed(6)

    def drawn() -> list[Tensor]:
        made = [torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype) for shape in TENSORS]
        return [each[rows].clone() for each in made]

    tensors, rates = drawn(), [torch.rand(shape[0], generator=generator, dtype=torch.float64) for shape in TENSORS]
    own = [(0.1 * rate).to(dtype)[rows] for rate in rates]
    stacked = StackedAdam(settings, tensors, own, [settings.weight_decay] * 3 + [0.0])
    for step in range(50):
        gradients = drawn()
        # as products of matrices leave them: transposed, or with rows between those of others
        gradients[0] = gradients[0].transpose(1, 2).contiguous().transpose(1, 2)
        gradients[1] = torch.stack([gradients[1], gradients[1]], dim=1)[:, 0]
        if spoilt and step == 20:
            gradients[0][1, 2] = torch.nan
        stacked.step(tensors, gradients, 1.0 - step / 100)
    return [*tensors, *stacked.state[0], *stacked.state[1]]


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("settings", SETTINGS)
def test_adam_is_torchs(settings: Adam, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    got = trained(settings, dtype)
    monkeypatch.setattr(optimiser, "engine_for", lambda *_: None)
    for ours, theirs in zip(got, trained(settings, dtype), strict=True):
        # a step moves by less than a tenth, so 50 steps round a value of this size 50 times
        assert ((ours - theirs).abs() <= 50 * torch.finfo(dtype).eps * (1 + theirs.abs())).all()


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("settings", SETTINGS)
def test_a_row_has_the_same_bits_alone(settings: Adam, dtype: torch.dtype) -> None:
    whole = trained(settings, dtype)
    for row in range(5):
        for ours, alone in zip(whole, trained(settings, dtype, slice(row, row + 1)), strict=True):
            assert torch.equal(ours[row : row + 1], alone)


def test_a_gradient_that_is_nan_spoils_its_row_alone() -> None:
    clean, spoilt = trained(Adam(), torch.float32), trained(Adam(), torch.float32, spoilt=True)
    assert spoilt[0][1, 2].isnan().all()
    for ours, theirs in zip(clean, spoilt, strict=True):
        others = [row for row in range(len(ours)) if row != 1]
        assert torch.equal(ours[others], theirs[others])
