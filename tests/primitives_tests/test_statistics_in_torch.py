"""The torch target of functions with statistics: the layer is the one of primitives, in every mode."""

from __future__ import annotations

import copy
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from primitives.expression.expression import Expression
from primitives.expression.parsing import parse
from primitives.lowering import lower
from tests.primitives_tests import kinds
from tests.primitives_tests.loading import loaded
from tests.primitives_tests.test_targets import check


def module(f: Expression | str, folder: Path, factor: float = 1.0) -> ModuleType:
    expression = parse(f) if isinstance(f, str) else f
    source = str(lower(expression, "torch", name="act", factor=factor))
    return loaded(source, folder / f"torch_{len(list(folder.iterdir()))}.py")


def exported(f: Expression, folder: Path, own: nn.Module, **options: Any) -> nn.Module:
    """The exported layer with the parameters of ours."""
    made: nn.Module = module(f, folder).Act(own.channels, dtype=torch.float64, **options)
    made.load_state_dict(own.state_dict(), strict=True)
    return made


def slopes(value: Tensor, given: list[Tensor]) -> list[Tensor]:
    weights = torch.linspace(-1.0, 1.0, value.numel(), dtype=value.dtype).view(value.shape)
    return [*torch.autograd.grad((value * weights).sum(), given, allow_unused=True, materialize_grads=True)]


@pytest.mark.parametrize("momentum", [0.1, None])
@pytest.mark.parametrize("shape", kinds.SHAPES, ids=str)
@pytest.mark.parametrize("f", kinds.FUNCTIONS, ids=lambda f: f.text[:30])
def test_layer_and_buffers_are_ours(
    f: Expression, shape: tuple[int, ...], momentum: float | None, tmp_path: Path
) -> None:
    own = kinds.layer(f, shape[1], momentum=momentum)
    other = exported(f, tmp_path, own, momentum=momentum)
    for _ in range(3):
        given = [x.requires_grad_() for x in kinds.inputs(f, shape)]
        value, expected = other(*given), own(*given)
        torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-12)
        for a, b in zip(
            slopes(value, [*given, *other.parameters()]), slopes(expected, [*given, *own.parameters()]), strict=True
        ):
            torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-11)
    assert other.state_dict().keys() == own.state_dict().keys()
    for name, state in own.state_dict().items():
        torch.testing.assert_close(other.state_dict()[name], state, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(other.eval()(*given), own.eval()(*given), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("f", kinds.FUNCTIONS, ids=lambda f: f.text[:30])
def test_the_self_test_passes(f: Expression, tmp_path: Path) -> None:
    check(f, "torch", tmp_path, expected=0)


@pytest.mark.parametrize(
    "change", [("w: torch.Tensor | float = 1.0", "w: torch.Tensor | float = 1.1"), ("1e-05", "1e-3")]
)
def test_the_self_test_can_fail(change: tuple[str, str], tmp_path: Path) -> None:
    check(parse(kinds.B0), "torch", tmp_path, expected=1, change=change)


def test_channels_come_last_where_that_is_said(tmp_path: Path) -> None:
    f = parse(kinds.S0)
    own = kinds.layer(f, 6)
    other = exported(f, tmp_path, own, channel_dim=-1)
    (x,) = kinds.inputs(f, (3, 6, 4, 4))
    torch.testing.assert_close(other(x.movedim(1, -1)).movedim(-1, 1), own(x), rtol=1e-12, atol=1e-12)


def test_groups_have_at_most_so_many_channels(tmp_path: Path) -> None:
    act = module("x/std_gp(x)", tmp_path).act
    x = torch.randn(2, 12, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for per_group, size in ((16, 12), (7, 6), (1, 1)):
        split = x.view(2, 12 // size, size * 5)
        expected = (split / (split.var(2, correction=0, keepdim=True) + 1e-5).sqrt()).view(x.shape)
        torch.testing.assert_close(act(x, per_group=per_group), expected)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_statistics_of_small_types_are_computed_in_float32(dtype: torch.dtype, tmp_path: Path) -> None:
    layer = module(kinds.BATCH_NORM, tmp_path).Act(4)
    x = (torch.randn(64, 4, 8, 8, generator=torch.Generator().manual_seed(0)) + 30).to(dtype)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = layer(x)
    assert value.dtype == dtype
    assert layer.running1.dtype == torch.float32
    wide = x.double()
    mean, var = wide.mean((0, 2, 3), keepdim=True), wide.var((0, 2, 3), correction=0, keepdim=True)
    expected = torch.relu((wide - mean) / (var + 1e-5).sqrt())
    torch.testing.assert_close(value.double(), expected, rtol=1e-2 if dtype != torch.float32 else 1e-4, atol=1e-3)


def test_it_is_batch_norm(tmp_path: Path) -> None:
    layer = module("(x-mean_np(x))/std_np(x)*w+b; w=1:channel, b=0:channel", tmp_path).Act(5)
    norm = nn.BatchNorm2d(5)
    generator = torch.Generator().manual_seed(0)
    for _ in range(3):
        x = torch.randn(8, 5, 3, 3, generator=generator) * 2 + 1
        torch.testing.assert_close(layer(x), norm(x))
    torch.testing.assert_close(layer.running1, norm.running_mean)
    unbiased = 72 / 71  # torch keeps the unbiased variance
    fresh = 0.9**3
    torch.testing.assert_close((layer.running2 - fresh) * unbiased + fresh, norm.running_var)
    layer.reset_running_stats()
    assert (layer.running1.unique().item(), layer.running2.unique().item(), layer.num_batches_tracked.item()) == (
        0,
        1,
        0,
    )


def test_without_tracking_evaluation_takes_the_batch(tmp_path: Path) -> None:
    layer = module(kinds.B0, tmp_path).Act(4, track_running_stats=False)
    x = torch.randn(4, 4, 3, 3)
    assert not list(layer.buffers())
    assert torch.equal(layer.eval()(x), layer.train()(x))


def test_as_a_norm_act_layer(tmp_path: Path) -> None:
    """As networks of timm make one: by position, with arguments that other layers have."""
    layer = module(kinds.B0, tmp_path).Act(8, apply_act=False, act_kwargs={}, inplace=True, eps=1e-3, device="cpu")
    x = torch.randn(2, 8, 4, 4)
    assert torch.equal(layer(x), x)
    assert {name: p.shape for name, p in layer.named_parameters()} == {"weight": (8,), "bias": (8,)}
    with pytest.raises(ValueError, match="expected the number of channels"):
        module(kinds.B0, tmp_path).Act()


def test_in_networks_of_timm(tmp_path: Path) -> None:
    layers = pytest.importorskip("timm.layers", reason="a network of timm")
    act = module(kinds.S0, tmp_path)
    block = layers.ConvNormAct(4, 8, 3, norm_layer=lambda *given, **options: act.Act(*given, **options))
    assert block(torch.randn(2, 4, 6, 6)).shape == (2, 8, 6, 6)


def test_replace_takes_the_channels_of_the_norm(tmp_path: Path) -> None:
    act = module(kinds.B0, tmp_path)
    model = nn.Sequential(nn.Conv2d(3, 6, 1), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 4, 1), nn.GroupNorm(2, 4))
    assert act.replace(model, (nn.BatchNorm2d, nn.GroupNorm), act.Act) == 2
    assert [model[1].channels, model[4].channels] == [6, 4]
    assert model(torch.randn(2, 3, 5, 5)).shape == (2, 4, 5, 5)


def test_layers_of_a_network_share_what_is_the_networks(tmp_path: Path) -> None:
    act = module("x/std_np(x)*k; k=1:network", tmp_path)
    model = nn.Sequential(nn.BatchNorm1d(3), nn.BatchNorm1d(3))
    act.replace(model, nn.BatchNorm1d, act.Act)
    assert model[0].k is model[1].k


def test_copies_and_traces(tmp_path: Path) -> None:
    layer = module(kinds.S0, tmp_path).Act(4)
    x = torch.randn(2, 4, 3, 3)
    assert torch.equal(copy.deepcopy(layer)(x), layer(x))
    program = torch.export.export(layer.eval(), (x,))
    torch.testing.assert_close(program.module()(x), layer(x))


def test_several_processes_are_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layer = module(kinds.B0, tmp_path).Act(4)
    x = torch.randn(2, 4, 3, 3)
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    with pytest.warns(UserWarning, match="those of one process"):
        layer(x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layer(x)


@pytest.mark.parametrize("shape", [(4,), (2, 5, 3)])
def test_other_shapes_are_refused(shape: tuple[int, ...], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"expected an input \(examples, channels, ...\)|expected 4 channels in"):
        module(kinds.B0, tmp_path).Act(4)(torch.randn(shape))
