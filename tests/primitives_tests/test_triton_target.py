"""Triton: the contract in Triton's interpreter, memory formats, parameters' gradients, and what torch computes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from primitives.equivalence.builtin import as_builtin
from primitives.errors import LoweringError
from primitives.expression.application import apply
from primitives.expression.expression import Expression, constant, variable
from primitives.expression.parsing import parse
from primitives.lowering import lower
from primitives.operators.table import elementwise_operators
from tests.primitives_tests.contract import FACTOR, GROUPS, differences, functions, inputs, names
from tests.primitives_tests.loading import loaded
from tests.primitives_tests.triton_checks import TEXT

GATE = "silu(x)*z+c*tanh(z); c=0.1:channel"

triton = pytest.importorskip("triton", reason="the kernels need triton")

PARTS = 14
RUNNER = Path(__file__).with_name("triton_runner.py")


def wrong_numbers(known: Sequence[Expression], folder: Path) -> list[str]:
    known = [as_builtin(f) for f in known]
    for number, f in enumerate(known):
        (folder / f"{number}.py").write_text(str(lower(f, "triton", name="act", factor=FACTOR)), encoding="utf-8")
        torch.save((inputs(f), [p.initial for p in f.parameters]), folder / f"{number}.pt")
    subprocess.run([sys.executable, RUNNER, folder], check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    wrong = []
    for number, columns in torch.load(folder / "found.pt").items():
        f = known[number]
        wrong += differences(f, dict(zip(["value", *names(f)], columns, strict=True)), torch.float32)
    return wrong


def every_operator() -> list[Expression]:
    numbers = [constant(0.7), constant(1.3), constant(0.4), constant(2.0)]
    return [apply(name, variable(), *numbers[: row.arity - 1]) for name, row in elementwise_operators().items()]


def sample() -> list[Expression]:
    return [f for group in GROUPS for f in functions(group)[::12]]


@pytest.mark.parametrize("known", [every_operator(), sample()], ids=["every operator", "sample"])
def test_the_kernels_reproduce(known: list[Expression], tmp_path: Path) -> None:
    wrong = wrong_numbers(known, tmp_path)
    assert not wrong, "\n".join(wrong[:20])


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_the_kernels_reproduce_all(part: int, tmp_path: Path) -> None:
    """In parts: on a GPU most of the time goes into compiling, for which several processes are a help."""
    wrong = wrong_numbers([f for group in GROUPS for f in functions(group)][part::PARTS], tmp_path)
    assert not wrong, "\n".join(wrong[:20])


@pytest.mark.parametrize(
    ("file", "text", "count"),
    [("triton_checks.py", TEXT, 10), ("triton_gate_checks.py", GATE, 4)],
    ids=["f(x)", "gate"],
)
def test_parameters_types_memory_formats_and_second_derivatives(
    file: str, text: str, count: int, tmp_path: Path
) -> None:
    (tmp_path / "act.py").write_text(str(lower(parse(text), "triton", name="act")), encoding="utf-8")
    checks = Path(__file__).with_name(file)
    command: list[str | Path] = [sys.executable, "-W", "error", checks, tmp_path / "act.py"]
    done = subprocess.run(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"{count} checks\n"), done.stderr


@pytest.mark.parametrize("missing", [False, True])
def test_without_a_gpu_or_without_triton_torch_computes(
    missing: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    if missing:
        monkeypatch.setitem(sys.modules, "triton", None)
    module = loaded(str(lower(parse(TEXT), "triton", name="act")), tmp_path / "act.py")
    x = torch.randn(4, 3, requires_grad=True, generator=torch.Generator().manual_seed(0))
    value = module.Act(channels=3)(x)
    assert (module.triton is None) == missing
    assert type(value.grad_fn).__name__ == "_ActFunctionBackward"
    torch.testing.assert_close(value, module.act_plain(x))


@pytest.mark.parametrize(
    "text", [TEXT, "gelu(x)", "x**x+2**x", "2", "tanh(softplus(x))", "erfc(x)+bessel_i1e(x)", GATE]
)
def test_the_kernels_compile_for_a_gpu(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To machine code of compute capability 9.0, which needs no GPU; memory is read and written 16 bytes at a time."""
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    monkeypatch.setenv("TRITON_DEFAULT_FP_FUSION", "1")  # else Triton 3.9 warns that its default will change
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    module = loaded(str(lower(parse(text), "triton", name="act")), tmp_path / "act.py")
    for kernel in (module._forward_kernel, module._backward_kernel):
        for channels in (1, 64):
            code = compiled_for_a_gpu(kernel, channels)
            assert len(code["cubin"]) > 1000
            assert "ld.global.v4" in code["ptx"] or text == "2"
            assert "st.global.v4" in code["ptx"]


def compiled_for_a_gpu(kernel: Any, channels: int) -> dict[str, Any]:
    block, warps = (1024, 4) if channels == 1 else (2048, 2)
    known_sizes = {"channels": channels, "group": block if channels == 1 else 16, "cycle": block}
    fixed = {a: known_sizes[a.rpartition("_")[2]] for a in kernel.arg_names if a.rpartition("_")[2] in known_sizes}
    fixed |= {"BLOCK": block, "WIDE": False}
    types = {a: "constexpr" if a in fixed else "*fp32" if a.endswith("_pointer") else "i32" for a in kernel.arg_names}
    aligned = [i for i, a in enumerate(kernel.arg_names) if a.endswith("_pointer") or a == "numel"]
    known = {(i,): [["tt.divisibility", 16]] for i in aligned}
    source = triton.compiler.ASTSource(kernel, types, {a: fixed[a] for a in kernel.arg_names if a in fixed}, known)
    target = triton.backends.compiler.GPUTarget("cuda", 90, 32)
    found: dict[str, Any] = triton.compile(source, target=target, options={"num_warps": warps}).asm
    return found


def test_modules_are_python() -> None:
    for group in GROUPS:
        for f in functions(group)[::4]:
            compile(str(lower(f, "triton")), "lowered", "exec")


@pytest.mark.parametrize("name", ["triton", "tl", "os", "math", "contextlib"])
def test_names_of_imported_modules_are_refused(name: str) -> None:
    with pytest.raises(LoweringError, match="has a meaning in the generated module"):
        lower(parse("x"), "triton", name=name)
