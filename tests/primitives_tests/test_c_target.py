"""The C target: the contract in double and float, without a warning of the compiler, and vectorised loops."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import torch

from primitives.errors import LoweringError
from primitives.expression.expression import Expression
from primitives.expression.parsing import parse
from primitives.lowering import files, lower
from tests.primitives_tests.contract import FACTOR, GROUPS, differences, functions, inputs, names

COMPILER = shutil.which("gcc") or shutil.which("cc")
pytestmark = pytest.mark.skipif(COMPILER is None, reason="there is no C compiler")
STRICT = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"]
TYPES = {"double": (torch.float64, ""), "float": (torch.float32, "f")}


def compiled(*arguments: str | Path, compiler: str = str(COMPILER)) -> str:
    """What the compiler says; it must succeed."""
    done = subprocess.run([compiler, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[:4000]
    return done.stderr


def stems(f: Expression, name: str) -> list[str]:
    return [name, *(f"{name}_by_{of}" for of in names(f))]


def wrapped(f: Expression, name: str) -> str:
    """Visible functions around those of a header, at the initial parameters."""
    given = "".join(f"{p.initial!r}, " for p in f.parameters)
    ends = inputs(f)
    at, taken = ", ".join("xz"[: len(ends)]), ", ".join(f"const {{0}} *{letter}" for letter in "xz"[: len(ends)])
    return "\n".join(
        f"void {real}_{stem}(size_t n, {taken.format(real)}, {real} *y) {{ {stem}_array{suffix}(n, {at}, {given}y); }}"
        for real, (_, suffix) in TYPES.items()
        for stem in stems(f, name)
    )


@pytest.mark.parametrize("group", GROUPS)
def test_c_reproduces(group: str, tmp_path: Path) -> None:
    lines = []
    for number, f in enumerate(functions(group)):
        name = f"act_{number}"
        (tmp_path / f"{name}.h").write_text(str(lower(f, "c", name=name, factor=FACTOR)), encoding="utf-8")
        lines += [f'#include "{name}.h"', wrapped(f, name)]
    (tmp_path / "all.c").write_text("\n".join(lines), encoding="utf-8")
    compiled(*STRICT, "-O1", "-shared", "-fPIC", tmp_path / "all.c", "-o", tmp_path / "all.so", "-lm")
    library = ctypes.CDLL(str(tmp_path / "all.so"))
    wrong = []
    for number, f in enumerate(functions(group)):
        for real, (dtype, _) in TYPES.items():
            ends = [x.to(dtype) for x in inputs(f)]
            found = {}
            for of, stem in zip(["value", *names(f)], stems(f, f"act_{number}"), strict=True):
                found[of] = torch.empty_like(ends[0])
                addresses = (ctypes.c_void_p(each.data_ptr()) for each in (*ends, found[of]))
                library[f"{real}_{stem}"](ctypes.c_size_t(len(ends[0])), *addresses)
            wrong += differences(f, found, dtype)
    assert not wrong, "\n".join(wrong[:20])


def vectorised(f: Expression, folder: Path, *flags: str) -> bool:
    """True if gcc says that it vectorised all loops of the header."""
    (folder / "act.h").write_text(str(lower(f, "c", name="act", factor=FACTOR)), encoding="utf-8")
    source = '#include "act.h"\n' + wrapped(f, "act")
    (folder / "loops.c").write_text(source, encoding="utf-8")
    said = compiled(*STRICT, "-O3", *flags, "-fopt-info-vec", "-c", folder / "loops.c", "-o", folder / "loops.o")
    return said.count("loop vectorized") >= source.count("void ")


ARITHMETIC = ["max(x,0)", "min(max(x+3,0),6)/6*x", "where(x>0,x,a*x); a=0.25", "x/(1+abs(x))", "x**3-x**2", "relu6(x)"]


@pytest.mark.parametrize("text", [*ARITHMETIC, "max(x,a*x)-sign(x); a=0.25", "x/sqrt(1+x**2)"])
def test_loops_over_arithmetic_are_vectorised(text: str, tmp_path: Path) -> None:
    version = subprocess.run([str(COMPILER), "--version"], capture_output=True, text=True).stdout
    if "Free Software Foundation" not in version:
        pytest.skip("not gcc")
    # without these two a selection or a root may be left out for the sake of a flag that nobody reads
    assert vectorised(parse(text), tmp_path, "-fno-trapping-math", "-fno-math-errno")


@pytest.mark.parametrize("change", [("0.3", "0.3"), ("0.3", "0.3001"), ("0.3 ", "0.30001 "), ("0.3f", "0.3001f")])
def test_the_self_test_passes_and_can_fail(change: tuple[str, str], tmp_path: Path) -> None:
    f = parse("x*sigmoid(beta*x)+0.3*where(x>0.5,x,bessel_i0e(x)); beta=1.5")
    (code, header), (test, main) = files(f, "c", name="act_3_7", factor=FACTOR).items()
    (tmp_path / code).write_text(str(header).replace(*change), encoding="utf-8")
    (tmp_path / test).write_text(str(main), encoding="utf-8")
    compiled(*STRICT, "-O2", tmp_path / test, "-o", tmp_path / "test", "-lm")
    done = subprocess.run([str(tmp_path / "test")], capture_output=True, text=True)
    assert done.returncode == int(change[0] != change[1]), done.stdout
    assert len(done.stdout.splitlines()) == 1


@pytest.mark.parametrize(
    "text",
    [
        *("int*x+gamma*x; int=2, gamma=0.5", "2", "b; b=3", "x>0", "(x>0)/(x>1)", "1e-300*x+1e300"),
        "expf*exp(x)+NULL*linux*x; expf=1, NULL=2, linux=3",
    ],
)
@pytest.mark.parametrize("standard", ["c99", "gnu17"])
def test_odd_functions_compile_without_warnings(text: str, standard: str, tmp_path: Path) -> None:
    (tmp_path / "act.h").write_text(str(lower(parse(text), "c", name="act")), encoding="utf-8")
    (tmp_path / "main.c").write_text('#include "act.h"\nint main(void) { return 0; }\n', encoding="utf-8")
    compiled(*STRICT, f"-std={standard}", "-fsyntax-only", tmp_path / "main.c")


@pytest.mark.skipif(shutil.which("clang") is None, reason="there is no clang")
@pytest.mark.parametrize("group", GROUPS)
def test_clang_has_no_warnings(group: str, tmp_path: Path) -> None:
    headers = [str(lower(f, "c", name=f"act_{number}")) for number, f in enumerate(functions(group))]
    (tmp_path / "all.h").write_text("\n".join(headers), encoding="utf-8")
    (tmp_path / "all.c").write_text('#include "all.h"\nint main(void) { return 0; }\n', encoding="utf-8")
    compiled(*STRICT, "-fsyntax-only", tmp_path / "all.c", compiler="clang")


def test_a_parameter_may_be_called_value() -> None:
    header = str(lower(parse("value*tanh(x); value=2"), "c", name="act"))
    assert re.search(r"double act\(double x, double value\) {\n.*tanh\(x\);\n.* = value \* t1;\n", header)
    assert "double act_by_value(" in header


@pytest.mark.parametrize("name", ["exp", "int", "main", "Act", "a b"])
def test_bad_names_are_refused(name: str) -> None:
    with pytest.raises(LoweringError, match="name"):
        lower(parse("x"), "c", name=name)


@pytest.mark.parametrize("text", ["b*x+bf*tanh(x); b=1, bf=2", "b*x+b_array*tanh(x); b=1, b_array=2"])
def test_parameters_that_would_give_two_functions_one_name_are_refused(text: str) -> None:
    with pytest.raises(LoweringError, match="give the parameters other names"):
        lower(parse(text), "c")
