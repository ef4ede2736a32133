"""Channels: layers and all exported modules and functions find them in the same dimension, or refuse the input."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from primitives import Activation, ExpressionError, lower, parse
from primitives.operators.axes import Axes
from tests.primitives_tests.channel_cases import BETAS, CASES, TEXT, Case
from tests.primitives_tests.loading import loaded

EXPRESSION = parse(TEXT)
Form = Callable[[Tensor, int | None, Path], Tensor]


def with_betas(module: nn.Module) -> nn.Module:
    with torch.no_grad():
        module.get_parameter("beta").copy_(torch.tensor(BETAS))
    return module


def layer(x: Tensor, channel_dim: int | None, folder: Path) -> Tensor:
    result: Tensor = with_betas(Activation(EXPRESSION, 4, channel_dim=channel_dim))(x)
    return result


def plain_layer(x: Tensor, channel_dim: int | None, folder: Path) -> Tensor:
    result: Tensor = with_betas(Activation(EXPRESSION, 4, channel_dim=channel_dim, plain=True))(x)
    return result


def module_of(target: str) -> Form:
    def form(x: Tensor, channel_dim: int | None, folder: Path) -> Tensor:
        source = loaded(str(lower(EXPRESSION, target, name="act")), folder / "act.py")
        module = with_betas(source.Act(4, channel_dim=channel_dim))
        value: Tensor = module(x)
        torch.testing.assert_close(_plain(module)(x), value)
        return value

    return form


def _plain(module: nn.Module) -> nn.Module:
    vars(module)["plain"] = True
    return module


def torch_function(x: Tensor, channel_dim: int | None, folder: Path) -> Tensor:
    act = loaded(str(lower(EXPRESSION, "torch", name="act")), folder / "act.py").act
    result: Tensor = act(x, a=torch.tensor(0.5), beta=torch.tensor(BETAS), channel_dim=channel_dim)
    return result


def numpy_function(x: Tensor, channel_dim: int | None, folder: Path) -> Tensor:
    module = loaded(str(lower(EXPRESSION, "numpy", name="act")), folder / "act.py")
    assert module.act_derivatives(x.numpy(), a=0.5, beta=BETAS, channel_dim=channel_dim)[2].shape == tuple(x.shape)
    return torch.from_numpy(module.act(x.numpy(), a=0.5, beta=BETAS, channel_dim=channel_dim))


FORMS: dict[str, Form] = {
    "layer": layer,
    "plain layer": plain_layer,
    "torch": module_of("torch"),
    "triton": module_of("triton"),
    "torch function": torch_function,
    "numpy function": numpy_function,
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_form_finds_the_same_channels(case: Case, form: Form, tmp_path: Path) -> None:
    x = torch.randn(case.shape, generator=torch.Generator().manual_seed(0))
    if case.dim is None:
        with pytest.raises((ExpressionError, ValueError), match=r"got shape|both have 4 entries; give channel_dim="):
            form(x, case.channel_dim, tmp_path)
        return
    last = x.movedim(case.dim, -1)
    expected = (last * torch.sigmoid(torch.tensor(BETAS) * last) + 0.5 * last).movedim(-1, case.dim)
    torch.testing.assert_close(form(x, case.channel_dim, tmp_path), expected)


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 3, 3), (2, 3, 3, 3)])
def test_one_channel_is_one_value_for_all_and_keeps_the_shape(shape: tuple[int, ...], tmp_path: Path) -> None:
    exported = loaded(str(lower(EXPRESSION, "torch", name="act")), tmp_path / "act.py").Act(1)
    x = torch.randn(shape, requires_grad=True)
    for module in (Activation(EXPRESSION, 1), Activation(EXPRESSION, 1, plain=True), exported, _plain(exported)):
        value = module(x)
        assert value.shape == x.shape
        torch.testing.assert_close(value, x * torch.sigmoid(1.5 * x) + 0.5 * x)
        value.sum().backward()
        shapes = {name: tuple(p.shape) for name, p in module.named_parameters()}
        gradients = {name: tuple(p.grad.shape) for name, p in module.named_parameters() if p.grad is not None}
        assert shapes == gradients == {"beta": (1,), "a": (1,)}


def test_an_exported_layer_is_as_nn_prelu(tmp_path: Path) -> None:
    """What was silently wrong: 8 channels of length 8."""
    expression = parse("where(x>0,x,a*x); a=0.25:channel")
    exported = loaded(str(lower(expression, "torch", name="act")), tmp_path / "act.py")
    x, slopes = torch.randn(2, 8, 8), torch.linspace(0.1, 0.8, 8)
    for module in (exported.Act(8, channel_dim=1), Activation(expression, 8, channel_dim=1)):
        with torch.no_grad():
            next(iter(module.parameters())).copy_(slopes)
        torch.testing.assert_close(module(x), F.prelu(x, slopes))
    with pytest.raises(ValueError, match="give channel_dim=1 or channel_dim=-1"):
        exported.Act(8)(x)


def test_a_channel_dim_is_a_whole_number() -> None:
    with pytest.raises(ExpressionError, match="channel_dim is a whole number, as 1 or -1, got 'last'"):
        Activation(EXPRESSION, 4, channel_dim="last")  # type: ignore[arg-type]


@pytest.mark.parametrize(("dim", "shape"), [(None, (2,)), (-1, (2, 3)), (-3, (2, 3, 1, 1))])
def test_leading_dimensions_stay_in_front(dim: int | None, shape: tuple[int, ...]) -> None:
    assert Axes(dim).shaped(torch.zeros(2, 1 if dim is None else 3)).shape == shape


def test_code_without_parameters_per_channel_knows_none() -> None:
    for target in ("torch", "jax", "numpy"):
        assert "_channel" not in str(lower(parse("x*sigmoid(b*x); b=1"), target))
