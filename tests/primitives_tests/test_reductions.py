"""Statistics: axes by hand in numpy, EvoNorms by their papers' formulas, and what a statistic does not change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from primitives import NormActivation, canonical, parse, value_at
from primitives.operators.axes import INDEX_SETS, Axes, axes_of, letters_of, usual_axes
from primitives.operators.statistics import STATISTICS, Statistic

#: numpy's own of the dimensions of (examples, channels, height, width).
DIMS = {"np": (0, 2, 3), "cp": (1, 2, 3), "p": (2, 3), "c": (1,)}
FUNCTIONS: dict[str, Any] = {"mean": np.mean, "var": np.var, "sum": np.sum, "max": np.max}
SHAPE = (3, 8, 4, 5)


def normal(*shape: int) -> Tensor:
    return torch.from_numpy(np.random.Generator(np.random.PCG64(1)).standard_normal(shape))


@pytest.mark.parametrize("letters", INDEX_SETS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_numpy_agrees(name: str, letters: str) -> None:
    """By name of the dimensions; a group by a reshape. The channels last are the same numbers elsewhere."""
    x = normal(*SHAPE)
    if letters == "gp":
        split = x.numpy().reshape(3, 2, 4, 4, 5)
        expected = FUNCTIONS[name](split, axis=(2, 3, 4), keepdims=True) + 0 * split
    else:
        expected = FUNCTIONS[name](x.numpy(), axis=DIMS[letters], keepdims=True)
    kernel = next(kernel for row, _, kernel in STATISTICS if row == f"{name}_{letters}")
    own = kernel(x, Axes(-3, 4, per_group=4))
    assert isinstance(own, Tensor)
    wanted = torch.from_numpy(
        np.broadcast_to(
            expected.reshape(-1, *expected.shape[-3:]) if letters != "gp" else expected.reshape(SHAPE), SHAPE
        ).copy()
    )
    torch.testing.assert_close(own.expand(SHAPE), wanted, rtol=1e-13, atol=1e-13)
    last = kernel(x.movedim(1, -1), Axes(-1, 4, per_group=4))
    assert isinstance(last, Tensor)
    torch.testing.assert_close(last.expand(3, 4, 5, 8).movedim(-1, 1), wanted, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("shape", [(6, 8), (6, 8, 5), (6, 8, 4, 4), (6, 8, 2, 3, 4)])
def test_moments_of_any_number_of_positions(shape: tuple[int, ...]) -> None:
    """Standard deviation and root mean square with 1e-5 below the root, as torch's norms have it."""
    x = normal(*shape)
    for letters, torchs in (
        ("np", torch.nn.functional.batch_norm(x, None, None, training=True)),
        ("cp", torch.nn.functional.layer_norm(x, x.shape[1:])),
    ):
        own = value_at(parse(f"(x-mean_{letters}(x))/std_{letters}(x)"), x)
        torch.testing.assert_close(own, torchs, rtol=1e-12, atol=1e-12)
    rms = torch.nn.functional.rms_norm(x.movedim(1, -1), (8,), eps=1e-5).movedim(-1, 1)
    torch.testing.assert_close(value_at(parse("x/rms_c(x)"), x), rms, rtol=1e-12, atol=1e-12)


def test_a_group_norm() -> None:
    """32 channels in groups of 16: two, as torch's own with two groups."""
    x = normal(3, 32, 4, 4)
    own = value_at(parse("(x-mean_gp(x))/std_gp(x)"), x)
    torch.testing.assert_close(own, torch.nn.functional.group_norm(x, 2), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("channels", "size"), [(1, 1), (4, 4), (16, 16), (24, 12), (48, 16), (17, 1), (62, 2)])
def test_the_channels_of_a_group(channels: int, size: int) -> None:
    assert Axes().group(channels) == size


def test_softmax_is_torchs() -> None:
    softmax = parse("exp(x-max_c(x))/sum_c(exp(x-max_c(x)))")
    x = 20.0 * normal(4, 3, 7, 9)
    kernels = value_at(softmax, x)
    torch.testing.assert_close(kernels, x.softmax(1), rtol=1e-12, atol=1e-300)


def _s(kind: str, x: Tensor) -> Tensor:
    """Standard deviation or root mean square of an instance or of groups of 16, by hand."""
    size = x.unflatten(1, (-1, 16)) if kind.startswith("group") else x
    dims = (2, 3, 4) if kind.startswith("group") else (2, 3)
    square = size.square().mean(dims, keepdim=True)
    second = square if kind.endswith("rms") else square - size.mean(dims, keepdim=True).square()
    return (second + 1e-5).sqrt().expand(size.shape).reshape(x.shape)


#: Liu et al. 2020, arXiv 2004.02967: B0, S0; B1, B2, S1, S2 of its appendix, as timm has them.
EVONORMS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "x/max(std_np(x),v*x+std_p(x))*w+b": lambda x, v: x / torch.maximum(
        (x.var((0, 2, 3), correction=0, keepdim=True) + 1e-5).sqrt(), v * x + _s("instance", x)
    ),
    "x/max(std_np(x),(x+1)*rms_p(x))*w+b": lambda x, v: x / torch.maximum(
        (x.var((0, 2, 3), correction=0, keepdim=True) + 1e-5).sqrt(), (x + 1) * _s("instance rms", x)
    ),
    "x/max(std_np(x),rms_p(x)-x)*w+b": lambda x, v: x / torch.maximum(
        (x.var((0, 2, 3), correction=0, keepdim=True) + 1e-5).sqrt(), _s("instance rms", x) - x
    ),
    "x*sigmoid(v*x)/std_gp(x)*w+b": lambda x, v: x * torch.sigmoid(v * x) / _s("group", x),
    "silu(x)/std_gp(x)*w+b": lambda x, v: torch.nn.functional.silu(x) / _s("group", x),
    "silu(x)/rms_gp(x)*w+b": lambda x, v: torch.nn.functional.silu(x) / _s("group rms", x),
}  # fmt: skip


@pytest.mark.parametrize("body", EVONORMS)
def test_evonorms(body: str) -> None:
    """Values and gradients in float64 with random parameters."""
    declared = "; w=1:channel, b=0:channel" + (", v=1:channel" if "v" in body else "")
    layer = NormActivation(parse(body + declared), 32, dtype=torch.float64)
    names = [name for name, _ in layer.named_parameters()]
    with torch.no_grad():
        for number, name in enumerate(names):
            layer.get_parameter(name).copy_(normal(4, 32)[number] + 0.5)
    x, upstream = normal(5, 32, 4, 3).requires_grad_(), normal(2, 5, 32, 4, 3)[1]
    own = layer(x)
    of = {name: layer.get_parameter(name).view(-1, 1, 1) for name in names}
    expected = EVONORMS[body](x, of.get("v", torch.ones(()))) * of["w"] + of["b"]
    torch.testing.assert_close(own, expected, rtol=1e-12, atol=1e-12)
    leaves = [x, *layer.parameters()]
    gradients, wanted = (torch.autograd.grad(y, leaves, upstream, retain_graph=True) for y in (own, expected))
    torch.testing.assert_close(gradients, wanted, rtol=1e-11, atol=1e-11)


def test_timm_agrees(monkeypatch: pytest.MonkeyPatch) -> None:
    """The six EvoNorms of timm, which computes statistics in float32 unless it is told otherwise."""
    timm = pytest.importorskip("timm.layers.evo_norm")
    monkeypatch.setattr(Tensor, "float", Tensor.double)
    texts = dict(zip(("B0", "B1", "B2", "S0", "S1", "S2"), EVONORMS, strict=True))
    texts["B0"] = texts["B0"].replace("std_np(x)", "sqrt(var_np(x)+1e-3)").replace("std_p(x)", "sqrt(var_p(x)+1e-3)")
    x = normal(4, 32, 5, 5)
    for name in ("B0", "B1", "B2", "S0", "S1", "S2"):
        theirs = getattr(timm, f"EvoNorm2d{name}")(32, **({"group_size": 16} if name.startswith("S") else {})).double()
        declared = "; w=1:channel, b=0:channel" + (", v=1:channel" if "v*x" in texts[name] else "")
        own = NormActivation(parse(texts[name] + declared), 32, dtype=torch.float64)
        for mode in (True, False):
            theirs.train(mode)
            own.train(mode)
            if hasattr(theirs, "running_var") and not mode:
                own.get_buffer("running1").copy_(theirs.running_var)
            torch.testing.assert_close(own(x), theirs(x), rtol=1e-12, atol=1e-12)


def test_what_an_argument_lacks_changes_nothing() -> None:
    for text, same in (
        ("mean_np(mean_np(x))", "mean_np(x)"),
        ("std_np(2)+x", "x+0.0031622776601683794"),
        ("var_c(3)+x", "x"),
        ("sum_c(a)*x; a=2", "a*x; a=2"),
        ("max_p(w)*x; w=1:channel", "w*x; w=1:channel"),
    ):
        assert canonical(parse(text)) is canonical(parse(same)), text
    x = normal(4, 6)  # an MLP has no positions
    torch.testing.assert_close(value_at(parse("mean_p(x)"), x), x)
    assert bool((value_at(parse("var_p(x)"), x) == 0).all())


def test_axes() -> None:
    assert letters_of(parse("x/std_np(x)").axes) == "ncp"
    assert [letters_of(parse(f"mean_{letters}(x)").axes) for letters in INDEX_SETS] == ["c", "n", "nc", "nc", "np"]
    assert letters_of(parse("v*mean_cp(x); v=1:channel").axes) == "nc"
    assert parse("mean_np(2)").axes == 0
    assert usual_axes(4) == axes_of((2, 3, 4, 5), None, None) == axes_of((2, 3, 4, 5), 3, None) == Axes(-3, 4)
    assert axes_of((2, 3, 4, 5), 5, None) == axes_of((2, 3, 4, 5), 5, 3) == axes_of((2, 3, 4, 5), 1, -1) == Axes(-1, 4)
    with pytest.raises(ValueError, match="expected 7 channels"):
        axes_of((2, 3, 4, 5), 7, None)


def test_every_kernel_is_one_statistic() -> None:
    assert all(isinstance(kernel, Statistic) and kernel.letters == letters for _, letters, kernel in STATISTICS)
    assert len(STATISTICS) == 4 * len(INDEX_SETS)
