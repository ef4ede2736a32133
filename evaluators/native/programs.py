"""Programs as the engine's C takes them."""

from __future__ import annotations

import ctypes
from functools import lru_cache

from primitives.lowering.bytecode.program import Bytecode

_INTS, _DOUBLES = ctypes.POINTER(ctypes.c_int32), ctypes.POINTER(ctypes.c_double)


class Program(ctypes.Structure):
    """``Program`` of ``engine.c``; it holds what it points to."""

    _fields_ = [
        ("code", _INTS),
        ("length", ctypes.c_int32),
        ("constants", _DOUBLES),
        ("constant_count", ctypes.c_int32),
        ("parameter_count", ctypes.c_int32),
        ("register_count", ctypes.c_int32),
        ("outputs", _INTS),
        ("output_count", ctypes.c_int32),
    ]


@lru_cache(maxsize=4096)
def program(code: Bytecode) -> Program:
    """The structure of some bytecode, to be handed over by reference; nothing writes to it."""
    words = (ctypes.c_int32 * (len(code.code) // 4)).from_buffer_copy(code.code)
    return Program(
        words,
        code.length,
        (ctypes.c_double * len(code.constants))(*code.constants),
        len(code.constants),
        len(code.parameters),
        code.registers,
        (ctypes.c_int32 * len(code.outputs))(*code.outputs),
        len(code.outputs),
    )


#: The registers of the engine are blocks of so many elements.
BLOCK = 512
