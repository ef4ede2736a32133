"""The engine built for tests, and its interpreter on tensors."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import torch
from torch import Tensor

import evaluators.native
from evaluators.native.programs import BLOCK, program
from primitives.expression.derivative import derivative
from primitives.expression.expression import Expression
from primitives.lowering.bytecode.program import Bytecode, bytecode

SOURCE = Path(evaluators.native.__file__).with_name("engine.c")
COMPILER = shutil.which("gcc") or shutil.which("cc")
FLAGS = (
    *("-std=c11", "-O3", "-march=x86-64-v3", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=off", "-fwrapv"),
    *("-fPIC", "-shared", "-Wall", "-Wextra", "-Werror"),
)
REALS = {torch.float32: ["-DREAL=float"], torch.float64: ["-DREAL=double", "-DDOUBLE"]}


@cache
def engine(dtype: torch.dtype) -> ctypes.CDLL:
    """The library of a type."""
    assert COMPILER is not None
    built = Path(mkdtemp(prefix="engine")) / "engine.so"
    command = [COMPILER, *FLAGS, *REALS[dtype], str(SOURCE), "-o", str(built), "-lm"]
    subprocess.run(command, check=True)
    return ctypes.CDLL(str(built))


def aligned(size: int, dtype: torch.dtype, shift: int = 0) -> Tensor:
    """Memory at a multiple of 64 bytes, or some elements behind one."""
    raw = torch.full((size + 32,), torch.nan, dtype=dtype)
    first = -raw.data_ptr() % 64 // raw.element_size() + shift
    return raw[first : first + size]


def addresses(tensors: Sequence[Tensor]) -> ctypes.Array[ctypes.c_void_p]:
    """Where tensors lie, as an array of C; the caller keeps the tensors."""
    assert all(each.is_contiguous() for each in tensors)
    return (ctypes.c_void_p * max(len(tensors), 1))(*(each.data_ptr() for each in tensors))


def interpret(code: Bytecode, x: Tensor, values: Sequence[Tensor] = (), factor: float = 1.0) -> list[Tensor]:
    """The outputs at a contiguous ``x``; a value of more than one element is per channel, of the last dimension."""
    out = [aligned(x.numel(), x.dtype).view(x.shape) for _ in code.outputs]
    per_channel = (ctypes.c_uint8 * max(len(values), 1))(*(value.numel() > 1 for value in values))
    channels = max([1, *(value.numel() for value in values)])
    scratch = aligned((code.registers + 1) * BLOCK, x.dtype)
    engine(x.dtype).interpret(
        ctypes.byref(program(code)),
        ctypes.c_void_p(x.data_ptr()),
        ctypes.c_int64(x.numel()),
        addresses(values),
        per_channel,
        ctypes.c_int64(channels),
        (ctypes.c_float if x.dtype == torch.float32 else ctypes.c_double)(factor),
        addresses(out),
        ctypes.c_void_p(scratch.data_ptr()),
    )
    return out


def with_slopes(expression: Expression) -> Bytecode:
    """Value, slope, and slope with respect to each parameter."""
    names = tuple(p.name for p in expression.parameters)
    return bytecode((expression, *(derivative(expression, of) for of in ("x", *names))), names)


def initial(expression: Expression, dtype: torch.dtype) -> list[Tensor]:
    """The parameters' initial values."""
    return [torch.tensor([p.initial], dtype=dtype) for p in expression.parameters]


def found(expression: Expression, x: Tensor, factor: float = 1.0) -> Mapping[str, Tensor]:
    """Value and slopes by name, as the contract of the lowering targets takes them."""
    names = ["value", "x", *(p.name for p in expression.parameters)]
    outputs = interpret(with_slopes(expression), x, initial(expression, x.dtype), factor)
    return dict(zip(names, outputs, strict=True))


def same_bits(left: Tensor, right: Tensor) -> bool:
    """Equal bit by bit, but that any NaN is as good as another."""
    kind = np.int32 if left.dtype == torch.float32 else np.int64
    ours, theirs = (each.masked_fill(each.isnan(), torch.nan).numpy().view(kind) for each in (left, right))
    return bool((ours == theirs).all())
