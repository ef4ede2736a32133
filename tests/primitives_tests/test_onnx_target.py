"""ONNX: the models are valid, and onnxruntime computes with them what the expression and its derivative say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from primitives.errors import LoweringError
from primitives.expression.application import apply
from primitives.expression.evaluation import value_at
from primitives.expression.expression import Expression, constant, variable
from primitives.expression.parsing import parse
from primitives.lowering import files, lower
from primitives.operators.table import elementwise_operators
from tests.primitives_tests.contract import FACTOR, GROUPS, differences, functions, inputs

onnx = pytest.importorskip("onnx", reason="the target needs the package onnx")
onnxruntime = pytest.importorskip("onnxruntime", reason="the models are run with onnxruntime")


def models(f: Expression) -> dict[str, bytes]:
    """The models of value and derivatives by the inputs."""
    written = files(f, "onnx", name="act", factor=FACTOR)
    ends = {"value": "", "x": "_derivative", "z": "_derivative_z"}
    return {of: bytes(written[file]) for of, end in ends.items() if (file := f"act{end}.onnx") in written}  # type: ignore[arg-type]


def run(model: bytes, *inputs: Tensor) -> Tensor:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return torch.from_numpy(
        session.run(None, {name: x.float().numpy() for name, x in zip("xz", inputs, strict=False)})[0]
    )


def run_at(model: bytes, f: Expression) -> Tensor:
    return run(model, *(x.reshape(1, 1, 1, -1) for x in inputs(f))).reshape(-1)


@pytest.mark.parametrize("group", GROUPS)
def test_onnxruntime_reproduces(group: str) -> None:
    wrong = []
    for f in functions(group):
        found = {part: run_at(model, f) for part, model in models(f).items()}
        wrong += differences(f, found, torch.float32)
    assert not wrong, "\n".join(wrong[:20])


def every_operator() -> list[Expression]:
    numbers = [constant(0.7), constant(1.3), constant(0.4), constant(2.0)]
    return [apply(name, variable(), *numbers[: row.arity - 1]) for name, row in elementwise_operators().items()]


def test_models_are_valid_and_plain() -> None:
    for f in [*functions("catalogue")[::6], *every_operator()]:
        for serialized in models(f).values():
            model = onnx.load_from_string(serialized)
            onnx.checker.check_model(model, full_check=True)
            assert [(o.domain, o.version) for o in model.opset_import] == [("", 12)]
            assert not model.functions
            assert {node.domain for node in model.graph.node} == {""}


@pytest.mark.parametrize("f", every_operator(), ids=lambda f: f.op)
def test_every_operator_is_close_in_float32(f: Expression) -> None:
    found = {part: run_at(model, f) for part, model in models(f).items()}
    assert not differences(f, found, torch.float32)


@pytest.mark.parametrize("text", ["2", "a; a=3:channel", "x", "where(2>1,x,0)", "x>1", "(x>1)*(x>0)+b; b=1"])
def test_the_output_has_the_shape_of_the_input(text: str) -> None:
    f, x = parse(text), torch.linspace(-2, 2, 24).reshape(2, 3, 2, 2)
    torch.testing.assert_close(run(bytes(lower(f, "onnx")), x), value_at(f, x))  # type: ignore[arg-type]


def test_parameters_are_initializers_that_can_be_replaced() -> None:
    model = onnx.load_from_string(lower(parse("a*relu(x)+y*x; a=2, y=0.5:channel"), "onnx"))
    found = {i.name: onnx.numpy_helper.to_array(i) for i in model.graph.initializer}
    assert {name: array.tolist() for name, array in found.items()} == {"a": 2.0, "y_": [[[0.5]]]}
    values = np.array([1, 2, 3], np.float32).reshape(3, 1, 1)
    for initializer in model.graph.initializer:
        if initializer.name == "y_":
            initializer.CopyFrom(onnx.numpy_helper.from_array(values, "y_"))
    result = run(model.SerializeToString(), -torch.ones(2, 3, 2, 2))
    assert result.mean(dim=(0, 2, 3)).tolist() == [-1.0, -2.0, -3.0]


def test_shared_subexpressions_are_one_node() -> None:
    model = onnx.load_from_string(lower(parse("sin(exp(x)+1)*cos(exp(x)+1)"), "onnx"))
    assert [node.op_type for node in model.graph.node] == ["Exp", "Add", "Sin", "Cos", "Mul", "Identity"]


def test_the_same_function_gives_the_same_bytes_with_its_origin() -> None:
    f = parse("x*sigmoid(beta*x); beta=1")
    assert lower(f, "onnx", factor=2.0) == lower(f, "onnx", factor=2.0)
    model = onnx.load_from_string(lower(f, "onnx", name="act_3_7", factor=2.0))
    assert model.graph.name == "act_3_7"
    assert {p.key: p.value for p in model.metadata_props} == {"expression": f.text, "factor": "2.0"}


def test_the_self_test_passes_and_can_fail(tmp_path: Path) -> None:
    written = files(parse("x*sigmoid(beta*x)+0.3*gelu(x); beta=1.5"), "onnx", name="act_3_7", factor=FACTOR)
    assert list(written) == ["act_3_7.onnx", "act_3_7_derivative.onnx", "test_act_3_7_onnx.py"]
    for name, content in written.items():
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    assert self_test(tmp_path) == (0, "")
    for name in list(written)[:2]:
        intact = (tmp_path / name).read_bytes()
        changed = intact.replace(np.float32(1.5).tobytes(), np.float32(1.50001).tobytes())
        assert changed != intact
        (tmp_path / name).write_bytes(changed)
        assert self_test(tmp_path) == (1, "")
        (tmp_path / name).write_bytes(intact)


def self_test(folder: Path) -> tuple[int, str]:
    """Exit code and errors of the self-test in a process that cannot import this project."""
    command = [sys.executable, "-s", "-W", "error", "test_act_3_7_onnx.py"]
    done = subprocess.run(command, cwd=folder, env={"OMP_NUM_THREADS": "1"}, capture_output=True, text=True)
    assert len(done.stdout.splitlines()) == 1
    return done.returncode, done.stderr


def test_a_missing_package_is_one_clear_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(LoweringError, match=r"pip install 'actsearch\[onnx\]'"):
        lower(parse("x"), "onnx")
