"""Gates, functions with statistics, one function per place: which targets have them, and what numpy and onnx do."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from primitives.errors import LoweringError
from primitives.expression.expression import Expression
from primitives.expression.parsing import parse
from primitives.layers.norm_activation import NormActivation
from primitives.lowering import Target, files, lacks, lower, targets
from tests.primitives_tests import kinds
from tests.primitives_tests.loading import loaded
from tests.primitives_tests.test_targets import check


@pytest.mark.parametrize("target", ["numpy", "onnx"])
@pytest.mark.parametrize("f", kinds.FUNCTIONS[::3], ids=lambda f: f.text[:30])
def test_self_tests_pass(f: Expression, target: str, tmp_path: Path) -> None:
    if target == "onnx":
        pytest.importorskip("onnxruntime", reason="the models are run with onnxruntime")
    check(f, target, tmp_path, expected=0)


@pytest.mark.parametrize("target", ["numpy", "jax"])
def test_the_self_test_can_fail(target: str, tmp_path: Path) -> None:
    if find_spec(target) is None:
        pytest.skip(f"the self-test needs {target}")
    check(parse(kinds.B0), target, tmp_path, expected=0)
    check(parse(kinds.B0), target, tmp_path, expected=1, change=("w=1.0", "w=1.25"))


def parameters(own: NormActivation) -> dict[str, Tensor]:
    return {name: p.detach() for name, p in own.named_parameters()}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("shape", kinds.SHAPES, ids=str)
@pytest.mark.parametrize("f", kinds.FUNCTIONS, ids=lambda f: f.text[:30])
def test_numpy_computes_the_batch_and_inference(
    f: Expression, shape: tuple[int, ...], dtype: torch.dtype, tmp_path: Path
) -> None:
    module = loaded(str(lower(f, "numpy", name="act", factor=1.5)), tmp_path / "act.py")
    own = kinds.layer(f, shape[1], momentum=None)
    given = kinds.inputs(f, shape, dtype)
    ends, named = [x.numpy() for x in given], {name: p.numpy() for name, p in parameters(own).items()}
    room = 1e-10 if dtype == torch.float64 else 1e-4
    expected = 1.5 * own(*(x.double() for x in given)).detach()
    value = module.act(*ends, **named)
    assert value.dtype == ends[0].dtype
    torch.testing.assert_close(torch.from_numpy(value).double(), expected, rtol=room, atol=room)
    assert module.__all__ == (["act", "act_statistics", "act_inference"] if f in kinds.RUNNING else ["act"])
    if f in kinds.RUNNING:
        running = module.act_statistics(*ends, **named)
        found = module.act_inference(*ends, *running, **named)
        expected = 1.5 * own.eval()(*(x.double() for x in given)).detach()
        torch.testing.assert_close(torch.from_numpy(found).double(), expected, rtol=room, atol=room)


def test_numpy_finds_channels_that_come_last(tmp_path: Path) -> None:
    act = loaded(str(lower(parse(kinds.S0), "numpy", name="act")), tmp_path / "act.py").act
    x, v = np.random.default_rng(0).normal(size=(2, 6, 3, 3)), np.linspace(0.5, 1.5, 6)
    last = act(np.moveaxis(x, 1, -1), v, channel_dim=-1)
    np.testing.assert_allclose(np.moveaxis(last, -1, 1), act(x, v), rtol=1e-12)
    np.testing.assert_allclose(act(np.moveaxis(x, 1, -1), v), last)
    with pytest.raises(ValueError, match=r"expected an input \(examples, channels, ...\)"):
        act(x[0, 0, 0])
    with pytest.raises(TypeError, match="expected real numbers"):
        act(x * 1j)


@pytest.mark.parametrize("channels", [1, 6, 24, 17])
@pytest.mark.parametrize("f", kinds.FUNCTIONS, ids=lambda f: f.text[:30])
def test_onnx_is_the_form_of_inference(f: Expression, channels: int) -> None:
    onnx = pytest.importorskip("onnx", reason="the target needs the package onnx")
    onnxruntime = pytest.importorskip("onnxruntime", reason="the models are run with onnxruntime")
    model = onnx.load_from_string(lower(f, "onnx", factor=1.5))
    onnx.checker.check_model(model, full_check=True)
    own = kinds.layer(f, channels, momentum=None)
    given = kinds.inputs(f, (4, channels, 3, 2), torch.float32)
    own(*(x.double() for x in given))
    state = {name: value for name, value in own.state_dict().items() if name != "num_batches_tracked"}
    for initializer in model.graph.initializer:
        if initializer.name in state:
            value = state.pop(initializer.name).float().numpy()
            shaped = value.reshape(-1, 1, 1) if initializer.dims else value.reshape(())
            initializer.CopyFrom(onnx.numpy_helper.from_array(shaped, initializer.name))
    assert not state
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {name: x.numpy() for name, x in zip("xz", given, strict=False)})
    expected = 1.5 * own.eval()(*(x.double() for x in given)).detach()
    torch.testing.assert_close(torch.from_numpy(found).double(), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("target", "make"), [("torch", torch.ones), ("numpy", np.ones)])
def test_a_second_input_of_another_shape_is_refused(target: str, make: Callable[..., object], tmp_path: Path) -> None:
    module = loaded(str(lower(parse("silu(x)*z"), target, name="act")), tmp_path / "act.py")
    with pytest.raises(ValueError, match=r"expected z of the shape of x, \(2, 3\), got \(3,\)"):
        module.act(make((2, 3)), make((3,)))


def test_a_target_of_ones_own_has_functions_of_one_input_unless_it_says_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        __import__("primitives.lowering", fromlist=["TARGETS"]).TARGETS, "own", Target(".x", lambda *_: "")
    )
    assert lower(parse("relu(x)"), "own") == ""
    with pytest.raises(LoweringError, match="own: gates need a second input, z; targets that have them: torch, numpy"):
        lower(parse("x*z"), "own")
    assert lacks(parse("layers(x,x/rms_c(x))"), "own").startswith("own: statistics need")


@pytest.mark.parametrize("target", targets())
def test_a_target_without_statistics_says_which_have_them(target: str) -> None:
    f = parse(kinds.RMS)
    if target not in ("c", "triton", "sympy"):
        assert files(f, target)
        return
    with pytest.raises(LoweringError, match=rf"{target}: statistics need a tensor.*: torch, numpy, latex, onnx, jax"):
        lower(f, target)


def test_formulas_of_statistics_have_their_axes_as_index() -> None:
    assert lower(parse(kinds.RMS), "latex") == r"\frac{x}{\operatorname{rms}_{c}(x)}"
    text = lower(parse("mean_np(x)+std_gp(x)**2"), "latex")
    assert text == r"\operatorname{mean}_{np}(x) + {\left(\operatorname{std}_{gp}(x)\right)}^{2}"


PARTS = "layers(sin(k*x),relu(x),x/std_np(x)*k); k=2:network"


def test_the_parts_go_to_equal_runs_of_the_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, content in files(parse(PARTS), "torch", name="act_5", factor=[1.0, 2.0, 3.0]).items():
        (tmp_path / name).write_text(str(content), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    joined = loaded((tmp_path / "act_5.py").read_text(), tmp_path / "joined.py")
    model = nn.Sequential(*(layer for _ in range(7) for layer in (nn.ReLU(), nn.Linear(3, 3))))
    assert joined.replace(model, nn.ReLU, channels=3) == 7
    placed = [joined.PARTS.index(type(layer)) for layer in list(model)[::2]]
    assert placed == [number * 3 // 7 for number in range(7)]
    assert model[0].k is model[12].k
    x = torch.randn(4, 3)
    torch.testing.assert_close(model[6](x), 2.0 * torch.relu(x))
    for name in ("act_5_1", "act_5_2", "act_5_3"):
        del sys.modules[name]


@pytest.mark.parametrize("target", targets())
def test_parts_have_files_of_their_own(target: str) -> None:
    f = parse("layers(tanh(x),relu(x))")
    written = files(f, target, name="act_5")
    for number in (1, 2):
        own = {name: content for name, content in written.items() if f"act_5_{number}" in name}
        assert own == files(f.parts[number - 1], target, name=f"act_5_{number}")
    with pytest.raises(LoweringError, match="expected a factor for each of 2"):
        files(f, target, factor=[1.0])
    if target != "latex":
        with pytest.raises(LoweringError, match=r"write each of expression\.parts"):
            lower(f, target)
