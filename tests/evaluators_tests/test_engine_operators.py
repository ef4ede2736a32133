"""The engine's interpreter: every operator, the catalogue, samples, blocks, and memory."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from primitives.catalogue import catalogue
from primitives.errors import LoweringError
from primitives.expression.expression import Expression, operation, parameter, variable
from primitives.expression.parsing import parse
from primitives.grammars import grammar
from primitives.lowering.bytecode.opcodes import ARITIES, OPERATORS
from primitives.lowering.bytecode.program import bytecode
from primitives.lowering.reference import VALUE
from primitives.operators.table import forward_of
from tests.evaluators_tests.native_engine import COMPILER, found, interpret, with_slopes
from tests.primitives_tests.contract import FACTOR, SAMPLED, differences, known, points

pytestmark = pytest.mark.skipif(COMPILER is None, reason="there is no C compiler")
TYPES = (torch.float32, torch.float64)

#: Units in the last place from torch's value in float64, which is as far from the true one in float64 itself.
ULPS = {torch.float32: 2.0, torch.float64: 3.0}
MORE = {"erfc": 3.0, "pow": 2.5}
#: Slopes take an output of their function.
OUTPUTS = {"sigmoid_slope": (0.0, 1.0), "tanh_slope": (-1.0, 1.0), "elu_slope": (-1.0, torch.inf)}
#: Whose last place counts, where it is not the value's: 1 - y * y rounds y * y, here and in torch, whether or not a
#: processor fuses the two. That is a unit of 1, times g, and several of a small difference.
SIZES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"tanh_slope": lambda g, y: g}
BINARY = sorted(name for name in OPERATORS if ARITIES.get(name) == 2)
UNARY = sorted(name for name in OPERATORS if ARITIES.get(name) == 1)


def line(dtype: torch.dtype) -> Tensor:
    """Numbers of all sizes, denormal ones too, and the special ones; a number of a type that has fewer bits than
    another has them in both."""
    info = torch.finfo(dtype)
    spread = torch.logspace(np.log10(info.smallest_normal) - 6, np.log10(info.max) - 1e-3, 6001, dtype=torch.float64)
    usual = torch.linspace(0, 100, 20001, dtype=torch.float64)
    half = torch.cat([spread, usual, torch.tensor([info.max, torch.inf, info.smallest_normal], dtype=torch.float64)])
    return torch.cat([half, -half, torch.tensor([torch.nan], dtype=torch.float64)]).to(dtype)


def apart(got: Tensor, best: Tensor, torch_value: Tensor, of: Tensor | None = None) -> Tensor:
    """Units in the last place, of the best values or of others, between values and the best ones, which are in
    float64; 0 where torch has the same.

    Infinite where one of them alone is finite, or NaN, or of another infinity.
    """
    rounded = best.to(got.dtype)
    info = torch.finfo(got.dtype)
    size = (rounded if of is None else of).double().abs().nan_to_num(1.0).clamp(info.smallest_normal, info.max)
    unit = 2.0 ** torch.frexp(size).exponent.double() * info.eps / 2
    ulps = (got.double() - best.double()).abs() / unit
    same = (got == rounded) | (got.isnan() & rounded.isnan()) | (got == torch_value)
    return ulps.nan_to_num(torch.inf).masked_fill(same, 0.0)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("name", UNARY)
def test_an_operator_of_one_number_is_as_torch_has_it(name: str, dtype: torch.dtype) -> None:
    x = line(dtype)
    (got,) = interpret(bytecode((operation(name, variable()),), ()), x)
    forward = forward_of(name)
    far = apart(got, forward(x.double()), forward(x))
    worst = int(far.argmax())
    assert far[worst] <= max(ULPS[dtype], MORE.get(name, 0.0)), (
        float(x[worst]),
        float(got[worst]),
        float(forward(x)[worst]),
    )


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("name", BINARY)
def test_an_operator_of_two_numbers_is_as_torch_has_it(name: str, dtype: torch.dtype) -> None:
    special = [0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 3.0, -3.0, 0.5, torch.inf, -torch.inf, torch.nan]
    few = torch.cat([line(dtype)[::137], torch.tensor(special, dtype=dtype)])
    second = few.clamp(*OUTPUTS.get(name, (-torch.inf, torch.inf)))
    x = few.repeat_interleave(len(few))
    p = parameter("p", per="channel")
    (got,) = interpret(bytecode((operation(name, variable(), p),), ("p",)), x, [second])
    other, forward = second.repeat(len(few)), forward_of(name)
    of = SIZES[name](x, other) if name in SIZES else None
    far = apart(got, forward(x.double(), other.double()), forward(x, other), of)
    worst = int(far.argmax())
    values = [float(each[worst]) for each in (x, other, got, forward(x, other))]
    assert far[worst] <= max(ULPS[dtype], MORE.get(name, 0.0)), values


CONDITIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "x": lambda x: x != 0,
    "x>0": lambda x: x > 0,
    "x>=0": lambda x: x >= 0,
    "x<0": lambda x: x < 0,
    "x<=0": lambda x: x <= 0,
    "0<x": lambda x: x > 0,
    "0>=x": lambda x: x <= 0,
    "x<p": lambda x: x < 0.5,
}


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_selection_is_exact(condition: str, dtype: torch.dtype) -> None:
    x = torch.tensor([-torch.inf, -1.0, -0.0, 0.0, 1e-40, 0.5, 1.0, torch.inf, torch.nan], dtype=dtype)
    code = bytecode((parse(f"where({condition},3.0,p); p=0.5"),), ("p",))
    (got,) = interpret(code, x, [torch.tensor([0.5], dtype=dtype)])
    assert got.tolist() == torch.where(CONDITIONS[condition](x), 3.0, 0.5).tolist()


def broken(functions: list[Expression], dtype: torch.dtype) -> list[str]:
    """Where value and slopes differ by more than rounding explains.

    The contract draws errors, and a negative base has no power then: there it allows 4 units, and the eighth power of
    a base that is one off is 8 off. So 16 are allowed everywhere.
    """
    wrong = []
    for f in functions:
        numbers = {name: each.double() for name, each in found(f, points(f).to(dtype), FACTOR).items()}
        best = known(f, dtype).values
        for name, each in numbers.items():
            true = best[VALUE if name == "value" else name]
            near = (each - true).abs() <= 16 * torch.finfo(dtype).eps * true.abs()
            numbers[name] = torch.where(near, true, each)
        wrong += differences(f, numbers, dtype)
    return wrong


@pytest.mark.parametrize("dtype", TYPES)
def test_the_whole_catalogue(dtype: torch.dtype) -> None:
    taken = []
    for entry in catalogue():
        try:
            with_slopes(entry.expression)
        except LoweringError:
            continue
        taken.append(entry.expression)
    assert len(taken) >= 0.98 * len(catalogue())
    wrong = broken(taken, dtype)
    assert not wrong, "\n".join(wrong[:20])


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("group", SAMPLED)
def test_samples(group: str, dtype: torch.dtype) -> None:
    rng = np.random.Generator(np.random.PCG64(19))
    drawn = [grammar(group).sample(rng) for _ in range(145)]
    functions = [f for f in drawn if not any(name in f.text for name in ("bessel", "layers"))]
    assert len(functions) > 100
    wrong = broken(functions, dtype)
    assert not wrong, "\n".join(wrong[:20])
