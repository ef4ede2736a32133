"""The functions of the engine's library, with types."""

from __future__ import annotations

import ctypes
import threading
from ctypes import POINTER, c_int32, c_int64, c_void_p
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor

from evaluators.errors import EvaluationError
from evaluators.native.blas import blas
from evaluators.native.library import library, why_none
from evaluators.training.chains.structures import (
    ChainStructure,
    DataStructure,
    OptimiserStructure,
    SliceStructure,
)

ALIGNMENT = 64


@dataclass(frozen=True, slots=True)
class Calls:
    """The trainer of one library."""

    library: Any

    def scratch(self, chain: ChainStructure, batch: int, trains: bool) -> int:
        """Bytes of scratch memory for a batch."""
        size: int = self.library.scratch_size(ctypes.byref(chain), batch, trains)
        return size

    def train(
        self, chain: ChainStructure, of_slice: SliceStructure, optimiser: OptimiserStructure, data: DataStructure,
        start: int, stop: int, losses: int, memory: int,
    ) -> None:  # fmt: skip
        """Take the steps from ``start`` to before ``stop``; their losses go to the address ``losses``."""
        structures = [ctypes.byref(each) for each in (chain, of_slice, optimiser, data)]
        self.library.train(*structures, start, stop, losses, memory)

    def outputs(
        self, chain: ChainStructure, of_slice: SliceStructure, inputs: Tensor, rows: Tensor, outputs: Tensor,
        memory: int,
    ) -> None:  # fmt: skip
        """Write a slice's outputs for some rows of the inputs; all are whole, in the engine's type."""
        rows = rows.contiguous()
        addresses = (inputs.data_ptr(), rows.data_ptr(), len(rows), outputs.data_ptr())
        self.library.outputs_of(ctypes.byref(chain), ctypes.byref(of_slice), *addresses, memory)


@cache
def calls(dtype: torch.dtype) -> Calls:
    """The trainer in a type, float32 or float64.

    Raises:
        EvaluationError: there is no engine here.
    """
    double = dtype == torch.float64
    found = library(double)
    if found is None:
        raise EvaluationError(why_none())
    found.use_gemm.argtypes, found.use_gemm.restype = [c_void_p], None
    found.use_gemm(blas(double).address)
    found.scratch_size.argtypes = [POINTER(ChainStructure), c_int64, c_int32]
    found.scratch_size.restype = c_int64
    structures = [POINTER(each) for each in (ChainStructure, SliceStructure, OptimiserStructure, DataStructure)]
    found.train.argtypes, found.train.restype = [*structures, c_int64, c_int64, c_void_p, c_void_p], None
    found.outputs_of.argtypes = [*structures[:2], c_void_p, c_void_p, c_int64, c_void_p, c_void_p]
    found.outputs_of.restype = None
    return Calls(found)


_own = threading.local()


def scratch(size: int) -> int:
    """The address of scratch memory, a multiple of 64, that is this thread's until it asks again.

    It is kept: fresh pages cost more than a step of a small network.
    """
    room: Tensor | None = getattr(_own, "room", None)
    if room is None or len(room) < size + ALIGNMENT:
        _own.room = room = torch.empty(size + ALIGNMENT, dtype=torch.uint8, device="cpu")
    return -(-room.data_ptr() // ALIGNMENT) * ALIGNMENT
