"""The engine's interpreter: the opcodes' numbers, blocks, channels, and bits that depend on the element alone."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import torch
from torch import Tensor

from primitives.expression.parsing import parse
from primitives.lowering.bytecode.opcodes import OPCODES
from tests.evaluators_tests.native_engine import (
    COMPILER,
    FLAGS,
    REALS,
    SOURCE,
    aligned,
    found,
    initial,
    interpret,
    same_bits,
    with_slopes,
)

pytestmark = pytest.mark.skipif(COMPILER is None, reason="there is no C compiler")
TYPES = (torch.float32, torch.float64)

#: Every function that has code of its own.
ALL = (
    "sin(x)+cos(x)*tanh(x)+erf(x)+exp(-x)*sigmoid(x)+atan(x)+asinh(x)+softplus(x)+log_abs(x)+log1p(abs(x))",
    "sinh(x)*b+cosh(x)*erfc(x)+expm1(x)+abs(x)**1.7+sqrt_abs(x)+floor(x)+where(x>b,elu(x),log_sigmoid(x)); b=0.3",
    "signed_log(x)*x+signed_sqrt(x+b); b=0.3",
    "min(max(x,-b),b)*gelu(x)+mish(b*x)/x+1e5*sin(1e5*x); b=0.8",
)  # fmt: skip


def usual(count: int, dtype: torch.dtype) -> Tensor:
    x = aligned(count, dtype)
    return x.copy_(4 * torch.randn(count, generator=torch.Generator().manual_seed(count), dtype=torch.float64))


def test_the_numbers_of_the_opcodes_are_those_of_the_table() -> None:
    enum = re.search(r"enum \{\s*(ADD.*?)\}", SOURCE.read_text(encoding="utf-8"), re.DOTALL)
    assert enum is not None
    assert [name.strip().lower() for name in enum[1].split(",")] == list(OPCODES)


@pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no gcc")
def test_the_loops_are_vectors(tmp_path: Path) -> None:
    command = ["gcc", *FLAGS, *REALS[torch.float32], "-fopt-info-vec", str(SOURCE), "-o", str(tmp_path / "a.so"), "-lm"]
    said = subprocess.run(command, capture_output=True, text=True).stderr
    places = re.findall(r":(\d+):(\d+): optimized: +loop vectorized", said)
    found = {(int(number), int(column)) for number, column in places}
    lines = enumerate(SOURCE.read_text(encoding="utf-8").splitlines(), 1)
    loops = {
        (number, each.start() + 1): line[each.start() :]
        for number, line in lines
        if line.lstrip().startswith("case ")
        for each in re.finditer(r"(?<!has_large\(a, n\)\) )EACH", line)  # large angles are libm's
    }
    assert len(loops) >= 40
    assert [loop for place, loop in loops.items() if place not in found and "pow" not in loop] == []


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("text", ALL)
def test_an_element_has_the_same_bits_in_any_company(text: str, dtype: torch.dtype) -> None:
    f = parse(text)
    code, values = with_slopes(f), initial(f, dtype)
    x = usual(1600, dtype)
    whole = interpret(code, x, values)
    for first, count in ((0, 1), (0, 15), (3, 17), (0, 511), (1, 512), (2, 513), (700, 512), (511, 1), (512, 1023)):
        for shift in (0, 1, 5):
            part = aligned(count, dtype, shift).copy_(x[first : first + count])
            for got, all_of_it in zip(interpret(code, part, values), whole, strict=True):
                assert same_bits(got, all_of_it[first : first + count]), (first, count, shift)


@pytest.mark.parametrize("dtype", TYPES)
def test_nothing_is_written_behind_the_end(dtype: torch.dtype) -> None:
    f = parse(ALL[0])
    for count in (1, 7, 497, 505, 511, 512, 513, 1009):
        out = found(f, usual(count, dtype))["value"]
        base = out.as_strided((count + 8,), (1,))
        assert base[count:].isnan().all()


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("channels", [1, 2, 3, 64, 511, 700])
def test_values_of_channels(channels: int, dtype: torch.dtype) -> None:
    f = parse("a*x+b; a=0.5, b=0.1")
    x = usual(channels * 4, dtype)
    a, b = torch.tensor([0.75], dtype=dtype), usual(channels + 1, dtype)[1:].clone()
    got = interpret(with_slopes(f), x, [a, b])[0]
    assert torch.equal(got, (a * x.view(4, channels) + b).flatten())


@pytest.mark.parametrize("dtype", TYPES)
def test_the_factor_is_of_all_outputs(dtype: torch.dtype) -> None:
    f = parse("a*x*x; a=0.5")
    x = usual(600, dtype)
    plain = interpret(with_slopes(f), x, initial(f, dtype))
    for got, value in zip(interpret(with_slopes(f), x, initial(f, dtype), 3.0), plain, strict=True):
        assert torch.equal(got, 3 * value)
