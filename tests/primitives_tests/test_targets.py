"""Lowering targets: what all have in common, and the contract of torch."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from primitives import Operator, register
from primitives.equivalence.builtin import as_builtin
from primitives.errors import LoweringError, OperatorError
from primitives.expression.application import apply
from primitives.expression.evaluation import evaluate
from primitives.expression.expression import Expression, parameter
from primitives.expression.parsing import parse
from primitives.lowering import files, lower, targets
from primitives.lowering.column import Column
from primitives.lowering.python.self_test import rows
from primitives.lowering.reference import VALUE, points_of, reference
from primitives.operators.table import elementwise_operators, remove_operator
from tests.primitives_tests.contract import FACTOR, GROUPS, differences, functions, inputs, names
from tests.primitives_tests.loading import loaded

GATE = parse("x*sigmoid(beta*x)+0.3*where(x>0.5,x,gelu(x)); beta=1.5")


@pytest.mark.parametrize("group", GROUPS)
def test_torch_reproduces(group: str, tmp_path: Path) -> None:
    wrong = []
    for number, f in enumerate(map(as_builtin, functions(group))):
        source = str(lower(f, "torch", name="act", factor=FACTOR))
        act = loaded(source, tmp_path / f"torch_{number}.py").act
        given = [x.requires_grad_() for x in inputs(f)]
        given += [torch.full_like(given[0], p.initial, requires_grad=True) for p in f.parameters]
        value = act(*given)
        slopes = torch.autograd.grad(value.sum(), given)
        wrong += differences(f, {"value": value.detach()} | dict(zip(names(f), slopes, strict=True)))
    assert not wrong, "\n".join(wrong[:20])


@pytest.mark.parametrize("name", [row.name for row in elementwise_operators().values() if row.formula and row.forward])
def test_a_formula_beside_a_forward_function_is_the_same_function(name: str) -> None:
    places = {letter: parameter(letter) for letter in "ab"[: elementwise_operators()[name].arity]}
    x = torch.linspace(-6, 6, 201, dtype=torch.float64) + 1e-4
    values = dict(zip(places, (x, torch.sin(x)), strict=False))
    written = Column("elsewhere", {n: "-" for n in elementwise_operators() if n != name}).expand(
        apply(name, *places.values())
    )
    assert written.op != name
    for f in (torch.float64, torch.float32):
        at = {n: v.to(f) for n, v in values.items()}
        direct, formula = evaluate((apply(name, *places.values()), written), x.to(f), at)
        eps = torch.finfo(f).eps
        torch.testing.assert_close(formula, direct, rtol=64 * eps, atol=8 * eps)


@pytest.fixture
def own() -> Iterator[None]:
    yield
    remove_operator("triangle")


TRIANGLE = {"forward": lambda a: torch.abs(a - torch.round(a)), "tangent": "sign(sin(6.283185307179586*a))*da"}


def in_python() -> list[str]:
    """Targets with code and a self-test in Python."""
    return [target for target in targets() if len(python_files(target)) == 2]


def python_files(target: str) -> list[str]:
    return [name for name in files(GATE, target) if name.endswith(".py")]


@pytest.mark.parametrize("target", targets())
def test_what_a_target_cannot_express_is_an_error_that_names_the_operator(target: str) -> None:
    name = "triangle_without_formula"
    register(Operator(name=name, cost=2.0, **TRIANGLE))  # type: ignore[arg-type]
    try:
        with pytest.raises(LoweringError, match=f"operator '{name}' cannot be written in {target}"):
            lower(parse(f"x*{name}(x)"), target)
    finally:
        remove_operator(name)


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize("target", targets())
def test_an_operator_of_ones_own_is_written_by_its_formula(target: str) -> None:
    register(Operator(name="triangle", cost=2.0, formula="abs(a-floor(a+0.5))", **TRIANGLE))  # type: ignore[arg-type]
    assert lower(parse("x*triangle(x)"), target)


@pytest.mark.usefixtures("own")
def test_code_of_ones_own_comes_first() -> None:
    register(Operator(name="triangle", formula="abs(a-floor(a+0.5))", code={"torch": "tri({0})"}))
    column = Column("torch", {})
    f = parse("triangle(x)")
    assert column.expand(f) is f
    assert column.template("triangle") == "tri({0})"


@pytest.mark.parametrize("code", [{"torhc": "f({0})"}, {"torch": "f({1})"}])
def test_wrong_code_is_refused(code: dict[str, str]) -> None:
    with pytest.raises(OperatorError, match=r"torhc.*did you mean 'torch'|expected a template over"):
        register(Operator(name="triangle", formula="abs(a-floor(a+0.5))", code=code))


@pytest.mark.parametrize("target", in_python())
def test_the_self_test_passes_and_can_fail(target: str, tmp_path: Path) -> None:
    check(GATE, target, tmp_path, expected=0)
    check(GATE, target, tmp_path, expected=1, change=("0.3", "0.30001"))


PLACES = [  # of an initial value and of GAIN, which are written more than once
    *(("torch", before) for before in ("float = 1.5, ", "float = 1.5)", "beta, 1.5)", "GAIN = 0.9")),
    *(("jax", before) for before in ("act_3_7(x, beta=1.5", "act_3_7_plain(x, beta=1.5")),
    *(("numpy", before) for before in ("act_3_7(x, beta=1.5", "act_3_7_derivatives(x, beta=1.5")),
    ("sympy", "{beta: 1.5"),
    *(("triton", before) for before in ("float = 1.5, ", "beta, 1.5)", "GAIN = 0.9")),
]


@pytest.mark.parametrize(("target", "before"), PLACES)
def test_the_self_test_notices_another_initial_value(target: str, before: str, tmp_path: Path) -> None:
    after = before.replace("1.5", "1.51").replace("0.9", "0.8")
    check(GATE, target, tmp_path, expected=1, change=(before, after))


def check(f: Expression, target: str, folder: Path, *, expected: int, change: tuple[str, str] = ("", "")) -> None:
    """Run the self-test of a Python target in a process that cannot import this project."""
    code, test = files(f, target, name="act_3_7", factor=FACTOR).items()
    made = code[1] if isinstance(code[1], bytes) else code[1].replace(*change).encode()
    (folder / code[0]).write_bytes(made)
    (folder / test[0]).write_text(str(test[1]), encoding="utf-8")
    command = [sys.executable, "-s", "-W", "error", test[0]]
    done = subprocess.run(command, cwd=folder, env={"OMP_NUM_THREADS": "1"}, capture_output=True, text=True)
    assert done.returncode == expected, done.stdout + done.stderr
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == ""


@pytest.mark.parametrize("target", in_python())
def test_a_parameter_may_be_called_value(target: str, tmp_path: Path) -> None:
    check(parse("value*tanh(x)+value; value=2"), target, tmp_path, expected=0)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_self_test_allows_what_the_reference_allows(dtype: torch.dtype) -> None:
    for f in functions("catalogue")[::5]:
        known = reference(f, points_of(f), factor=FACTOR, dtype=dtype)
        for row, *allowed in zip(rows(f, factor=FACTOR, dtype=dtype), *known.allowed.values(), strict=True):
            for written, least in zip(row[2::2], allowed, strict=True):
                assert written is None or least <= written < 1.02 * least


def test_rounding_explains_a_cancellation_and_nothing_else() -> None:
    f = parse("1+erf(x)")
    found = reference(f, points_of(f))
    at = {round(float(x), 1): float(room) for x, room in zip(found.points, found.allowed[VALUE], strict=True)}
    assert 1e-16 < at[-6.0] < 1e-14  # of 2e-17: nothing of it is known
    assert at[1.0] < 1e-14
    assert reference(parse("2*x"), points_of(f)).allowed[VALUE].max() < 1e16  # at 1e30
