"""The interpreter over a stack: the programs of all candidates on their slices, in one call."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from evaluators.native.library import library
from evaluators.native.programs import BLOCK, Program, program
from primitives.lowering.bytecode.program import Bytecode
from primitives.operators.axes import Axes

#: The engine runs on one thread; torch's own kernels on more than so many are about as fast.
MOST_THREADS = 4

_POINTER, _LONG = ctypes.c_void_p, ctypes.c_int64


@dataclass(frozen=True, slots=True)
class Part:
    """A candidate's program on the slices ``start:stop`` of a stack, and the factor of its outputs."""

    code: Bytecode
    start: int
    stop: int
    factor: float


class Interpreted:
    """Programs on their slices.

    Args:
        engine: the library of the type.
        dtype: float32 or float64.
        parts: the programs, each of at least one slice.
    """

    def __init__(self, engine: ctypes.CDLL, dtype: torch.dtype, parts: Sequence[Part]) -> None:
        self.parts = tuple(parts)
        self.dtype = dtype
        self.function: Any = engine.interpret_shares
        count = len(parts)
        self._programs: list[Program] = [program(part.code) for part in parts]  # they have to live as long
        self._addresses = (_POINTER * count)(*(ctypes.addressof(each) for each in self._programs))
        self._starts = (_LONG * count)(*(part.start for part in parts))
        self._stops = (_LONG * count)(*(part.stop for part in parts))
        real = ctypes.c_float if dtype == torch.float32 else ctypes.c_double
        self._factors = (real * count)(*(part.factor for part in parts))
        self._scratch = (max([0, *(part.code.registers for part in parts)]) + 1) * BLOCK

    def run(self, x: Tensor, axes: Axes, values: Sequence[Tensor], out: Sequence[int]) -> None:
        """Compute all outputs.

        Args:
            x: contiguous, shape (slices, ...).
            axes: of ``x``: which dimension its channels are.
            values: of each program in turn its parameters, shape (own slices,) or (own slices, channels), in any type.
            out: of each program in turn the addresses of its outputs, contiguous, of the shape of its slices; none may
                overlap another or ``x``.
        """
        values = [value.to(self.dtype).contiguous() for value in values]
        channels, inner = channels_of(x, axes)
        of_channels = bytes([axes.channels is not None and value.dim() == 2 for value in values])
        scratch = torch.empty(self._scratch, dtype=self.dtype)  # aligned to 64 bytes, as all of torch's memory
        self.function(
            ctypes.c_int32(len(self.parts)),
            self._addresses,
            self._starts,
            self._stops,
            _LONG(x[0].numel()),
            _POINTER(x.data_ptr()),
            (_POINTER * len(values))(*[value.data_ptr() for value in values]),
            of_channels,
            _LONG(channels),
            _LONG(inner),
            self._factors,
            (_POINTER * len(out))(*out),
            _POINTER(scratch.data_ptr()),
        )


def channels_of(x: Tensor, axes: Axes) -> tuple[int, int]:
    """How many there are, and how many neighbours have one in common."""
    dimension = axes.channels
    return (1, 1) if dimension is None else (x.shape[dimension], math.prod(x.shape[dimension:][1:]))


def usable(x: Tensor) -> ctypes.CDLL | None:
    """The engine's library for a tensor, or None where torch computes."""
    if (
        type(x) is not Tensor
        or x.device.type != "cpu"
        or x.dtype not in (torch.float32, torch.float64)
        or not x.is_contiguous()
    ):
        return None
    if torch.get_num_threads() > MOST_THREADS or x.numel() == 0:
        return None
    return library(x.dtype == torch.float64)
