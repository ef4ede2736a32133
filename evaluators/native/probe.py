"""What tells two engines apart: every operator, and steps of the optimiser, on fixed numbers."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from evaluators.native.adam import adam_step
from evaluators.native.library import library
from evaluators.native.shares import Interpreted, Part
from evaluators.tasks.optimisers import AdamW
from primitives.lowering.bytecode.opcodes import OPCODES
from primitives.lowering.bytecode.program import Bytecode
from primitives.operators.axes import Axes

POINTS = 4096


def operators(double: bool) -> Iterator[bytes]:
    """Every opcode on 4,096 numbers of all sizes; none without an engine."""
    engine = library(double)
    if engine is None:
        return
    dtype = torch.float64 if double else torch.float32
    x, y, z = (_numbers(seed, dtype) for seed in range(3))
    first = 3  # behind x and two parameters
    code = array("i", [word for number in OPCODES.values() for word in (number, first + number, 0, 1, 2)])
    outputs = tuple(range(first, first + len(OPCODES)))
    program = Bytecode(code.tobytes(), (), ("y", "z"), outputs, first + len(OPCODES))
    results = torch.empty((len(outputs), 1, POINTS), dtype=dtype)
    addresses = [each.data_ptr() for each in results]
    Interpreted(engine, dtype, [Part(program, 0, 1, 1.0)]).run(x, Axes(-1), [y, z], addresses)
    yield from (each.nan_to_num(0.0).numpy().tobytes() for each in results)


def steps(double: bool) -> Iterator[bytes]:
    """Three steps of AdamW, with a rate for each of 64 rows."""
    engine = library(double)
    if engine is None:
        return
    dtype = torch.float64 if double else torch.float32
    tensor, gradient, first, second, rates = (_numbers(seed, dtype).tanh() for seed in range(5))
    second, rates = second.abs(), rates[0, :64].abs()
    rows = [each.view(64, -1) for each in (tensor, gradient, first, second)]
    for step in range(3):
        adam_step(engine, AdamW(), step + 1, 1.0, [0.01], *([each] for each in (*rows, rates)))
        yield from (each.numpy().tobytes() for each in rows)


def _numbers(seed: int, dtype: torch.dtype) -> Tensor:
    """Shape (1, 4,096), of a spread that grows with the place."""
    rng = np.random.Generator(np.random.PCG64(seed))
    return torch.from_numpy(rng.standard_normal(POINTS) * np.logspace(-3, 3, POINTS)).to(dtype)[None]
