"""The packed torch module: the gradient bit for bit, the bytes that it keeps, and what it refuses."""

from __future__ import annotations

import copy
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import grad

from primitives import LoweringError, parse
from primitives.fewbit.fit import few_bit
from primitives.lowering import files, lower
from primitives.lowering.torch.packed import packed_source, packed_steps
from tests.primitives_tests.loading import loaded

OF = {0: "paired(sign(x),x)", 1: "tanh(x)", 2: "gelu(x)", 3: "silu(x)", 4: "tanh(x)"}
SHAPES = [(), (0,), (1,), (7,), (8,), (65,), (3, 5, 7), (0, 3)]
TYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


@cache
def source(bits: int) -> str:
    return packed_source(few_bit(parse(OF[bits]), max(bits, 1)).pair, name="act")


@pytest.fixture
def module(request: pytest.FixtureRequest, tmp_path: Path) -> ModuleType:
    return loaded(source(request.param), tmp_path / "act.py")


EVERY = pytest.mark.parametrize("module", OF, indirect=True)
TWO = pytest.mark.parametrize("module", [2], indirect=True)


def level(module: ModuleType, x: Tensor) -> Tensor:
    """The level at each element, x compared with the borders in float64."""
    piece = torch.searchsorted(torch.tensor(module.BORDERS, dtype=torch.float64), x.detach().double().contiguous())
    return torch.tensor(module.LEVELS, dtype=x.dtype)[piece]


def kept(module: ModuleType, x: Tensor) -> tuple[Tensor, int]:
    """The output, and the bytes of all tensors that are saved for its gradient."""
    sizes: list[int] = []

    def note(tensor: Tensor) -> Tensor:
        sizes.append(tensor.numel() * tensor.element_size())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        y: Tensor = module.act(x)
    return y, sum(sizes)


@EVERY
@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_the_gradient_is_that_of_the_level_and_nothing_else_is_kept(module: ModuleType, dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    for shape in SHAPES:
        x = (2 * torch.randn(shape, generator=generator)).to(dtype).requires_grad_()
        upstream = torch.randn(shape, generator=generator).to(dtype)
        y, size = kept(module, x)
        assert (y.shape, y.dtype) == (x.shape, dtype)
        assert size == -(-x.numel() * module.BITS // 8)
        assert torch.equal(grad(y, x, upstream)[0], level(module, x) * upstream)


@EVERY
@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_inputs_at_the_borders_and_beyond(module: ModuleType, dtype: torch.dtype) -> None:
    near = torch.tensor([*module.BORDERS, 0.0, -0.0, 1e4, -1e4], dtype=torch.float64).to(dtype)
    steps = [torch.nextafter(near, torch.full_like(near, end)) for end in (-torch.inf, torch.inf)]
    x = torch.cat([near, *steps, torch.tensor([torch.inf, -torch.inf], dtype=dtype)]).requires_grad_()
    assert torch.equal(grad(module.act(x), x, torch.ones_like(x))[0], level(module, x))


@TWO
def test_any_layout_of_memory(module: ModuleType) -> None:
    x = torch.randn(2, 3, 4, 5)
    for view in (x.transpose(0, 3), x[:, ::2], x.to(memory_format=torch.channels_last), x[0, 0, 0, 0].expand(3, 3)):
        leaf = view.detach().requires_grad_()
        assert torch.equal(grad(module.act(leaf), leaf, torch.ones_like(leaf))[0], level(module, leaf))
    last = x.to(memory_format=torch.channels_last).requires_grad_()
    assert module.act(last).is_contiguous(memory_format=torch.channels_last)


@EVERY
def test_a_second_derivative_is_refused_and_never_silently_left_out(module: ModuleType) -> None:
    x = torch.randn(9, requires_grad=True)
    weight = torch.ones(9, requires_grad=True)
    for y in (module.act(x), module.act(x) * weight + x**2):
        (first,) = grad(y.sum(), x, create_graph=True)
        with pytest.raises(RuntimeError, match="act can be differentiated once"):
            grad(first.sum(), x, allow_unused=True)
        with pytest.raises(RuntimeError, match="act can be differentiated once"):
            first.sum().backward()
    value = torch.func.grad(lambda x: module.act(x).sum())
    assert torch.equal(value(x.detach()), level(module, x))
    with pytest.raises(RuntimeError, match="act can be differentiated once"):
        torch.func.grad(lambda x: value(x).sum())(x.detach())
    assert "once" in str(module.Act.__doc__) and "once" in str(module.act.__doc__) and "once" in str(module.__doc__)


@TWO
@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")  # torch's own
def test_forward_mode_is_refused(module: ModuleType) -> None:
    with pytest.raises(NotImplementedError, match="forward mode"):
        torch.func.jvp(module.act, (torch.ones(3),), (torch.ones(3),))


@TWO
def test_gradients_for_each_example(module: ModuleType) -> None:
    x = torch.randn(6, 5)
    found = torch.func.vmap(torch.func.grad(lambda row: module.act(row).sum()))(x)
    assert torch.equal(found, level(module, x))


@TWO
def test_a_model_trains_and_the_same_each_time(module: ModuleType) -> None:
    x = torch.linspace(-2, 2, 64).unsqueeze(1)

    def trained() -> list[float]:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(1, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1))
        assert module.replace(model, nn.ReLU, module.Act) == 2
        assert not [key for key in model.state_dict() if key[0] in "13"]
        optimiser, losses = torch.optim.Adam(model.parameters(), lr=0.01), []
        for _ in range(150):
            optimiser.zero_grad()
            loss = (model(x) - torch.sin(3 * x)).square().mean()
            loss.backward()
            optimiser.step()
            losses.append(float(loss.detach()))
        return losses

    losses = trained()
    assert losses[-1] < 0.02 < 0.3 < losses[0]
    assert losses == trained()


@TWO
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # torch's own, while it traces
def test_compiled_exported_copied_under_autocast_and_without_gradient(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "act", module)  # torch.compile looks it up
    model = nn.Sequential(nn.Linear(5, 7), module.Act(), nn.Linear(7, 3))
    x = torch.randn(6, 5)
    expected = grad(model(x).square().sum(), list(model.parameters()))
    twin = copy.deepcopy(model)
    compiled = torch.compile(twin, backend="aot_eager", fullgraph=True)
    for found, own in zip(grad(compiled(x).square().sum(), list(twin.parameters())), expected, strict=True):
        torch.testing.assert_close(found, own)
    torch.testing.assert_close(torch.export.export(model.eval(), (x,)).module()(x), model(x))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert model(x).dtype == torch.bfloat16
        assert module.act(x).dtype == torch.float32
    with torch.no_grad():
        assert module.Act(inplace=True)(z := x.clone()) is z
        assert torch.equal(z, module.act(x))
    leaf = x.clone().requires_grad_()
    assert module.Act(inplace=True)(leaf) is not leaf


@TWO
def test_other_types_are_refused(module: ModuleType) -> None:
    with pytest.raises(TypeError, match="act: expected float16, bfloat16, float32 or float64, got torch"):
        module.act(torch.arange(3))


def test_a_factor_and_a_name_and_what_has_no_packed_form(tmp_path: Path) -> None:
    helu = parse("paired(relu(x),relu(x+0.1))")
    module = loaded(packed_source(helu, name="act_3_7", factor=2.0), tmp_path / "act_3_7.py")
    x = torch.tensor([-1.0, -0.05, 2.0], requires_grad=True)
    y = module.Act37()(x)
    assert (y.tolist(), grad(y.sum(), x)[0].tolist()) == ([0.0, 0.0, 4.0], [0.0, 2.0, 2.0])
    for text in ("gelu(x)", "paired(relu(x),relu(b*x)); b=1", "paired(relu(x),tanh(x))"):
        assert packed_steps(parse(text)) is None
        with pytest.raises(LoweringError, match="expected a derivative of at most 16 constant levels"):
            packed_source(parse(text))
    with pytest.raises(LoweringError, match="snake case"):
        packed_source(helu, name="X-1")


@pytest.mark.parametrize("text", ["paired(relu(x),relu(x+0.1))", "paired(sign(x),hardtanh(x))"])
def test_an_export_to_torch_has_the_packed_form_beside(text: str, tmp_path: Path) -> None:
    written = files(parse(text), "torch", name="act_1", factor=1.2)
    assert list(written) == ["act_1.py", "act_1_packed.py", "test_act_1.py"]
    for change, code in ((("", ""), 0), (("1.2, ", "1.3, "), 1), (("(0.0, 1.2", "(0.1, 1.2"), 1)):
        for name, content in written.items():
            text_ = str(content)
            (tmp_path / name).write_text(text_.replace(*change) if "packed.py" in name and name[0] == "a" else text_)
        if (tmp_path / "act_1_packed.py").read_text() == written["act_1_packed.py"] and code:
            continue
        command = [sys.executable, "-W", "error", "test_act_1.py"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == code, done.stdout + done.stderr
    assert lower(parse(text), "torch", name="act_1", factor=1.2)
    assert list(files(parse("gelu(x)"), "torch", name="act_1")) == ["act_1.py", "test_act_1.py"]
