"""Bytecode: a program run step by step gives the functions, in few registers; what has no opcode is refused by name."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from primitives.errors import LoweringError
from primitives.expression.derivative import derivative
from primitives.expression.expression import Expression
from primitives.expression.parsing import parse
from primitives.grammars import grammar
from primitives.lowering.bytecode.opcodes import ARITIES, OPCODES
from primitives.lowering.bytecode.program import Bytecode, bytecode
from primitives.operators.table import forward_of
from tests.primitives_tests.contract import FACTOR, GROUPS, differences, functions, points

NAMES = {number: name for name, number in OPCODES.items()}
CONDITIONS = {"": torch.ne, "_gt": torch.gt, "_ge": torch.ge, "_lt": torch.lt, "_le": torch.le}


def one(op: str, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """What an opcode does."""
    if op.startswith("select"):
        return torch.where(CONDITIONS[op.removeprefix("select")](a, 0), b, c)
    if op == "tanh_softplus":
        return torch.tanh(forward_of("softplus")(a))
    return forward_of(op)(*(a, b, c)[: ARITIES[op]])


def run(code: Bytecode, x: Tensor, values: list[float]) -> list[Tensor]:
    """The outputs at ``x``, by torch; a register that nothing was written to is NaN."""
    known = [x, *(torch.full_like(x, value) for value in (*values, *code.constants))]
    registers = known + [torch.full_like(x, torch.nan)] * (code.registers - len(known))
    for op, to, *inputs in code.rows:
        assert to >= len(known)
        registers[to] = one(NAMES[op], *(registers[index] for index in inputs))
    return [registers[index] for index in code.outputs]


def with_slopes(f: Expression) -> Bytecode:
    names = tuple(p.name for p in f.parameters)
    return bytecode((f, *(derivative(f, of) for of in ("x", *names))), names)


@pytest.mark.parametrize("group", [group for group in GROUPS if group != "gates"])
def test_a_program_gives_value_and_slopes(group: str) -> None:
    wrong = []
    for f in functions(group):
        if "bessel" in f.text:
            continue
        names = ["value", "x", *(p.name for p in f.parameters)]
        outputs = run(with_slopes(f), points(f), [p.initial for p in f.parameters])
        wrong += differences(f, dict(zip(names, [FACTOR * each for each in outputs], strict=True)))
    assert not wrong, "\n".join(wrong[:20])


def test_registers_are_used_again() -> None:
    deep = parse("+".join(f"sin({k}.5*x)" for k in range(1, 60)))
    assert bytecode((deep,), ()).registers <= 1 + 59 + 3  # x, the factors, and three for all sums


def test_outputs_stay() -> None:
    rng = np.random.Generator(np.random.PCG64(3))
    roots = tuple(grammar("default").sample(rng) for _ in range(8))
    plain = tuple(root for root in roots if not root.is_learnable and "bessel" not in root.text)
    x = torch.linspace(-3, 3, 101, dtype=torch.float64)
    together = run(bytecode(plain, ()), x, [])
    alone = [run(bytecode((root,), ()), x, [])[0] for root in plain]
    assert len(plain) > 3
    assert all(torch.equal(a.nan_to_num(7.0), b.nan_to_num(7.0)) for a, b in zip(together, alone, strict=True))


def test_outputs_that_nothing_computes() -> None:
    f = parse("a*x+2; a=0.5")
    code = bytecode((parse("x"), parse("3.5"), derivative(f), f, f), ("a",))
    x = torch.linspace(-3, 3, 7, dtype=torch.float64)
    got = [each.tolist() for each in run(code, x, [0.25])]
    assert got == [x.tolist(), [3.5] * 7, [0.25] * 7, (0.25 * x + 2).tolist(), (0.25 * x + 2).tolist()]
    assert code.outputs[3] == code.outputs[4]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("bessel_i0e(x)", "bessel_i0e"),
        ("x*z", "z"),
        ("x-mean_c(x)", "statistic"),
        ("layers(relu(x),x)", "layers"),
    ],
)
def test_what_has_no_opcode_is_refused_by_name(text: str, names: str) -> None:
    with pytest.raises(LoweringError, match=names):
        bytecode((parse(text),), ())


def test_too_many_registers_are_refused() -> None:
    many = tuple(parse(f"sin({k}.5*x)") for k in range(200))
    with pytest.raises(LoweringError, match="at most 255 registers"):
        bytecode(many, ())
