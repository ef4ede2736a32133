"""The programs of a stack's slot as tables on its device, which the kernels read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from primitives.lowering.bytecode.opcodes import ARITIES, OPCODES
from primitives.lowering.bytecode.program import Bytecode

#: Columns of a slice's row: where its code begins, how long it is (-1: none), its constants, its first parameter, its
#: number among the slices of its program, its outputs, its first row of partials, rows from one partial to the next.
ROW = 8
#: Where operands that are constants and parameters begin; smaller ones are computed. NONE: there is no operand.
CONSTANTS, PARAMETERS, NONE = 256, 512, 1023
#: How many blocks of computed values a kernel holds: the fewest of these that are enough for all programs, x included.
FILES = (8, 16, 32)

_ARITIES = {OPCODES[name]: arity for name, arity in ARITIES.items()}


@dataclass(frozen=True, slots=True)
class Part:
    """A candidate's program on the slices ``start:stop``.

    Args:
        code: of the value; or of value, slope by x, and slopes by its parameters. None: torch computes it.
        start: its first slice.
        stop: the one behind its last.
        factor: of all outputs.
        parameters: how many it has.
    """

    code: Bytecode | None
    start: int
    stop: int
    factor: float
    parameters: int


@dataclass(frozen=True, slots=True)
class Table:
    """Programs of all slices of a stack.

    Attributes:
        rows: int32, shape (slices, ROW).
        code: int64: from the lowest bit on 8 bits of opcode, 8 of destination, and 3 times 10 of operand.
        outputs: int32: operands of value and slope, how many parameters follow, and their operands.
        constants: float64; of each program the factor, then its constants.
        file: blocks of computed values.
        partials: rows of partials: one for each parameter of each slice.
    """

    rows: Tensor
    code: Tensor
    outputs: Tensor
    constants: Tensor
    file: int
    partials: int


def fits(code: Bytecode) -> bool:
    """A kernel has as many blocks as the program computes with."""
    return _computed(code) <= FILES[-1]


def table(parts: Sequence[Part], slices: int, device: torch.device) -> Table:
    """The table of some programs.

    Args:
        parts: in stack order; each that has a program fits.
        slices: of the stack.
        device: where the table goes.
    """
    rows = np.zeros((slices, ROW), dtype=np.int32)
    code: list[int] = []
    outputs: list[int] = []
    constants: list[float] = []
    parameter = partial = 0
    for part in parts:
        own = part.stop - part.start
        if part.code is None:
            rows[part.start : part.stop, 1] = -1
        else:
            row = [len(code), part.code.length, len(constants), parameter, 0, len(outputs), 0, own]
            rows[part.start : part.stop] = row
            rows[part.start : part.stop, 4] = np.arange(own)
            rows[part.start : part.stop, 6] = partial + np.arange(own)
            code += _packed(part.code)
            outputs += _outputs(part.code)
            constants += [part.factor, *part.code.constants]
        parameter += part.parameters
        partial += part.parameters * own
    needed = max([1, *(_computed(part.code) for part in parts if part.code is not None)])
    file = next(size for size in FILES if size >= needed)
    return Table(
        torch.from_numpy(rows).to(device),
        torch.tensor(code or [0], dtype=torch.int64).to(device),
        torch.tensor(outputs or [0], dtype=torch.int32).to(device),
        torch.tensor(constants or [0.0], dtype=torch.float64).to(device),
        file,
        partial,
    )


def rows_of_sums(
    parts: Sequence[tuple[int, int, int]], widths: Sequence[int], device: torch.device
) -> tuple[Tensor, int]:
    """For each row of partials its slice, where its sums go, and how many there are: int32, shape (partials, 3).

    Args:
        parts: of each candidate its first slice, the one behind its last, and how many parameters it has.
        widths: for each parameter of each candidate in turn, how many values a slice has: 1 or the channels.
        device: where it goes.

    Returns:
        That, and how many sums there are: those of each parameter in turn, each of shape (own slices, width).
    """
    rows: list[tuple[int, int, int]] = []
    place, left = 0, iter(widths)
    for start, stop, parameters in parts:
        for _ in range(parameters):
            width = next(left)
            rows += [(number, place + (number - start) * width, width) for number in range(start, stop)]
            place += (stop - start) * width
    return torch.tensor(rows, dtype=torch.int32).to(device), place


def _computed(code: Bytecode) -> int:
    """Blocks: x, and the registers that are neither parameters nor constants."""
    return code.registers - len(code.parameters) - len(code.constants)


def _operand(code: Bytecode, register: int) -> int:
    first_constant = 1 + len(code.parameters)
    first_own = first_constant + len(code.constants)
    if register == 0:
        return 0
    if register < first_constant:
        return PARAMETERS + register - 1
    return CONSTANTS + register - first_constant if register < first_own else 1 + register - first_own


def _packed(code: Bytecode) -> list[int]:
    words = []
    for op, to, *registers in code.rows:
        operands = [_operand(code, register) for register in registers[: _ARITIES[op]]]
        first, second, third = operands + [NONE] * (3 - len(operands))
        words.append(op | _operand(code, to) << 8 | first << 16 | second << 26 | third << 36)
    return words


def _outputs(code: Bytecode) -> list[int]:
    value, *slopes = (_operand(code, register) for register in code.outputs)
    return [value, *slopes[:1], len(slopes) - 1, *slopes[1:]] if slopes else [value]
