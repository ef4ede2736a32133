"""``replace``, ours and the exported one, in layers that have a fused path of their own or work in place."""

from __future__ import annotations

import copy
import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from primitives import parse, replace
from primitives.lowering import lower
from tests.primitives_tests.loading import loaded

pytestmark = [  # torch's compiler warns of itself
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
]
FORMULA = "a*x+sin(3*x); a=0.5"
Kind = type[nn.Module]
Replace = Callable[[nn.Module, Kind], int]


def formula(x: Tensor) -> Tensor:
    return 0.5 * x + torch.sin(3 * x)


@pytest.fixture(params=["own", "torch", "triton"])
def put(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Replace:
    if request.param == "own":
        return lambda model, old: replace(model, old, parse(FORMULA))
    source = str(lower(parse(FORMULA), request.param, name="act_of_replace"))
    module = loaded(source, tmp_path / "act_of_replace.py")
    monkeypatch.setitem(sys.modules, "act_of_replace", module)  # torch.compile and pickle look it up
    return lambda model, old: module.replace(model, old, module.ActOfReplace)


def layer(activation: str | nn.Module, **settings: bool) -> nn.TransformerEncoderLayer:
    return nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, activation=activation, batch_first=True, **settings)


def encoder(activation: str | nn.Module) -> nn.TransformerEncoder:
    return nn.TransformerEncoder(layer(activation), 2)


class Padded(nn.Module):
    """An encoder that is shown which positions are padding."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = encoder(nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.zeros(x.shape[:2], dtype=torch.bool)
        hidden[0, 3:] = True
        result: Tensor = self.encoder(x, src_key_padding_mask=hidden)
        return result


class Decoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.TransformerDecoderLayer(16, 2, 32, dropout=0.0, activation=nn.ReLU(), batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.layer(x, x)
        return result


class SelfAttention(nn.Module):
    """torch's attention has a fused path, too, but no activation."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.attention(x, x, x, need_weights=False)[0])


FUSED: dict[str, tuple[Callable[[], nn.Module], Kind]] = {
    "relu": (lambda: layer(nn.ReLU()), nn.ReLU),
    "gelu": (lambda: layer(nn.GELU()), nn.GELU),
    "norm first": (lambda: layer(nn.ReLU(), norm_first=True), nn.ReLU),
    "encoder": (lambda: encoder(nn.GELU()), nn.GELU),
    "padded": (Padded, nn.ReLU),
    "decoder": (Decoder, nn.ReLU),
    "attention": (SelfAttention, nn.ReLU),
}
FUSED_LAYERS = pytest.mark.parametrize("name", FUSED)


def inputs() -> Tensor:
    return torch.randn(3, 5, 16, generator=torch.Generator().manual_seed(1))


def replaced(name: str, put: Replace) -> nn.Module:
    torch.manual_seed(0)
    make, kind = FUSED[name]
    model = make()
    assert put(model, kind) >= 1
    return model


def candidates(model: nn.Module) -> list[nn.Module]:
    return [module for module in model.modules() if hasattr(module, "a")]


def calls(model: nn.Module, x: Tensor) -> int:
    """Calls of the new modules; no hook counts them, since torch's fused paths give way to hooks."""
    count = 0
    for module in candidates(model):
        kind = type(module)

        def forward(self: nn.Module, x: Tensor, kind: Kind = kind) -> Tensor:
            nonlocal count
            count += 1
            result: Tensor = kind.forward(self, x)
            return result

        module.__class__ = type("Counted", (kind,), {"forward": forward})
    model(x)
    for module in candidates(model):
        module.__class__ = type(module).__mro__[1]
    return count


@FUSED_LAYERS
@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors is in prototype stage:UserWarning")
def test_a_new_module_is_called_as_often_without_gradients_as_in_training(name: str, put: Replace) -> None:
    model, x = replaced(name, put), inputs()
    expected, count = model(x).detach(), calls(model, x)
    assert count == len(candidates(model))
    with torch.no_grad():
        assert calls(model.eval(), x) == count
        torch.testing.assert_close(model(x), expected)


@FUSED_LAYERS
def test_copies_load_and_compile(name: str, put: Replace) -> None:
    torch._dynamo.reset()  # torch compiles one piece of code at most eight times
    model, x = replaced(name, put), inputs()
    expected = model(x).detach()
    again = replaced(name, put)
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    again.load_state_dict(torch.load(file))
    compiled = torch.compile(copy.deepcopy(model).eval(), backend="aot_eager")
    with torch.no_grad():
        for other in (copy.deepcopy(model).eval(), again.eval(), compiled):
            torch.testing.assert_close(other(x), expected)


def test_the_value_is_the_formulas(put: Replace) -> None:
    model, x = replaced("relu", put).double(), inputs().double()
    assert isinstance(model, nn.TransformerEncoderLayer)
    with torch.no_grad():
        found = model.eval()(x)
        middle = model.norm1(x + model.self_attn(x, x, x, need_weights=False)[0])
        expected = model.norm2(middle + model.linear2(formula(model.linear1(middle))))
    torch.testing.assert_close(found, expected)


def test_attention_and_layers_without_a_new_module_stay_as_they_are(put: Replace) -> None:
    model = nn.Sequential(layer(nn.GELU()), nn.ReLU(), nn.MultiheadAttention(16, 2))
    before = [dict(vars(module)) for module in model]
    assert put(model, nn.ReLU) == 1
    assert [dict(vars(model[place])) == before[place] for place in (0, 2)] == [True, True]


@pytest.mark.parametrize(
    ("activation", "kind"), [("relu", nn.ReLU), ("gelu", nn.GELU), (F.relu, nn.ReLU), (torch.relu, nn.ReLU)]
)
def test_a_function_is_said_to_stay(activation: str | nn.Module, kind: Kind, put: Replace) -> None:
    model = nn.Sequential(layer(activation), kind())
    text = rf"not replaced: 0.activation is a function; make it a module first, activation=nn.{kind.__name__}\(\)"
    with pytest.warns(UserWarning, match=text) as said:
        assert put(model, kind) == 1
    assert said[0].filename == __file__
    model[0].activation = kind()
    assert put(model, kind) == 1
    with torch.no_grad():
        assert calls(model.eval(), inputs()) == 2


class Residual(nn.Module):
    """A pre-activation block: where ReLU works in place, the skip connection carries its result."""

    def __init__(self, inplace: bool) -> None:
        super().__init__()
        self.act = nn.ReLU(inplace=inplace)
        self.conv = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = x * 1.0
        result: Tensor = self.conv(self.act(x)) + x
        return result


@pytest.mark.parametrize("inplace", [False, True])
def test_what_was_in_place_stays_in_place(inplace: bool, put: Replace) -> None:
    torch.manual_seed(0)
    model = Residual(inplace).double()
    assert put(model, nn.ReLU) == 1
    model.double()
    x = torch.randn(2, 3, 5, 5, dtype=torch.float64, requires_grad=True)
    inner = formula(x)
    expected = model.conv(inner) + (inner if inplace else x)
    wanted = [x, *model.conv.parameters()]
    torch.testing.assert_close(model(x), expected)
    found = torch.autograd.grad(model(x).square().sum(), wanted)
    torch.testing.assert_close(found, torch.autograd.grad(expected.square().sum(), wanted))
    with torch.no_grad():
        torch.testing.assert_close(model(x), expected.detach())
    compiled = torch.compile(copy.deepcopy(model), backend="aot_eager")
    torch.testing.assert_close(compiled(x), expected)


def test_a_second_replacement_stays_in_place(put: Replace) -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.ELU(inplace=True))
    assert put(model, nn.ELU) == 1
    assert put(model, type(candidates(model)[0])) == 1
    x = torch.randn(3, 2, requires_grad=True) * 1.0
    before = formula(x)
    assert model[1](x) is x
    torch.testing.assert_close(x, before)
