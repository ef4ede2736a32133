"""The exported torch module where others use it: as ``act_layer``, in ``ACT2FN``, compiled, distributed."""

from __future__ import annotations

import copy
import math
import sys
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn

from primitives.expression.parsing import parse
from primitives.lowering import lower
from tests.primitives_tests.loading import loaded

SWISH = "x*sigmoid(beta*x)+0.1*max(x,0); beta=1.5"


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    source = str(lower(parse(SWISH), "torch", name="act_3_7", factor=1.2))
    module = loaded(source, tmp_path / "act_3_7.py")
    monkeypatch.setitem(sys.modules, "act_3_7", module)  # torch.compile looks it up
    return module


def network(act_layer: Any) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), act_layer(inplace=True), nn.Flatten(), nn.Linear(4 * 36, 2), act_layer())


def images() -> Tensor:
    return torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("text", "factor"), [(SWISH, 1.2), ("relu(x)", 1.0), ("tanh(x)", 2.0), ("x", 1.0)])
def test_the_gain_keeps_the_second_moment(text: str, factor: float, tmp_path: Path) -> None:
    module = loaded(str(lower(parse(text), "torch", name="act", factor=factor)), tmp_path / "act.py")
    z = torch.special.ndtri((torch.arange(200_000, dtype=torch.float64) + 0.5) / 200_000)
    assert float((module.GAIN * module.act(z)).square().mean()) == pytest.approx(1.0, abs=1e-3)


def test_without_a_second_moment_the_gain_is_one(tmp_path: Path) -> None:
    assert loaded(str(lower(parse("0*x"), "torch", name="act")), tmp_path / "act.py").GAIN == 1.0


def test_as_act_layer(module: ModuleType) -> None:
    """timm calls ``act_layer()`` and ``act_layer(inplace=True)``, as torchvision does."""
    model = network(module.Act37)
    model(images()).sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())
    assert {name for name, _ in model.named_parameters()} >= {"1.beta", "4.beta"}


class ClassInstantier(OrderedDict[str, Any]):
    """As in transformers/activations.py: a class, or a class with its arguments."""

    def __getitem__(self, key: str) -> nn.Module:
        content = super().__getitem__(key)
        cls, kwargs = content if isinstance(content, tuple) else (content, {})
        made: nn.Module = cls(**kwargs)
        return made


def test_as_an_entry_of_act2fn(module: ModuleType) -> None:
    act2fn = ClassInstantier(plain=module.Act37, with_arguments=(module.Act37, {"inplace": True}))
    x = torch.randn(3, 4)
    first, second = act2fn["plain"], act2fn["with_arguments"]
    assert first is not act2fn["plain"]
    torch.testing.assert_close(first(x), module.act_3_7(x, 1.5))
    torch.testing.assert_close(second(x.clone()), first(x))


@pytest.mark.parametrize("dynamic", [False, True])
def test_compiled_and_exported_models_agree(module: ModuleType, dynamic: bool) -> None:
    model, x = network(module.Act37), images()
    expected = model(x)
    compiled = torch.compile(copy.deepcopy(model), backend="aot_eager", fullgraph=True, dynamic=dynamic)
    torch.testing.assert_close(compiled(x), expected)
    torch.testing.assert_close(torch.export.export(model.eval(), (x,)).module()(x), expected)


def test_under_autocast_a_model_trains(module: ModuleType) -> None:
    model = network(module.Act37)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = model(images())
    assert value.dtype == torch.bfloat16
    value.float().sum().backward()
    assert all(p.grad is not None and p.grad.dtype == torch.float32 for p in model.parameters())


def test_channels_last_stays(module: ModuleType) -> None:
    x = images().contiguous(memory_format=torch.channels_last).requires_grad_()
    for act in (module.Act37(), module.Act37(inplace=True)):
        value = act(x * 1.0)
        assert value.is_contiguous(memory_format=torch.channels_last)
        (gradient,) = torch.autograd.grad(value.sum(), x)
        assert gradient.is_contiguous(memory_format=torch.channels_last)


def test_a_copy_is_independent(module: ModuleType) -> None:
    act = module.Act37()
    twin = copy.deepcopy(act)
    with torch.no_grad():
        twin.beta.fill_(0.0)
    assert act.beta.item() == 1.5
    assert math.isclose(act(torch.ones(())).item(), 1.2 * (float(torch.sigmoid(torch.tensor(1.5))) + 0.1), rel_tol=1e-6)


@pytest.fixture
def group(tmp_path: Path) -> Iterator[None]:
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.usefixtures("group")
def test_in_distributed_data_parallel(module: ModuleType) -> None:
    model, x = network(module.Act37), images()
    plain = copy.deepcopy(model)
    wrapped = nn.parallel.DistributedDataParallel(model)
    wrapped(x).square().sum().backward()
    plain(x).square().sum().backward()
    for a, b in zip(model.parameters(), plain.parameters(), strict=True):
        assert a.grad is not None
        torch.testing.assert_close(a.grad, b.grad)
