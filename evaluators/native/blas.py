"""The product of matrices that the engine calls, by its address: torch's, else scipy's, else the engine's own.

All are Fortran's ``sgemm`` and ``dgemm``: thirteen pointers, matrices by columns, whole numbers of 32 bits.
"""

from __future__ import annotations

import ctypes
import importlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from evaluators.machine.threads import one_thread

OWN = "own"
ALIGNMENT = 64  # bytes: the bits of MKL's products change with the place of a buffer within a line of the cache
#: Sizes of the product that is tried: vectors' tails in each, and exact in float32 as all numbers are small and whole.
TRIED = (33, 10, 45)
SPARE = 3  # rows beyond those that are multiplied
#: How torch's build says it, in one word.
_NAMES = {"open": "openblas"}


@dataclass(frozen=True, slots=True)
class Blas:
    """A product of matrices.

    Attributes:
        name: such as ``mkl of torch``, ``openblas of scipy``; ``own`` is the engine's.
        address: of the function; 0 for the engine's own.
    """

    name: str
    address: int


@cache
def blas(double: bool = False) -> Blas:
    """The first product that is right on a small example, in float64 or float32.

    Threads are the caller's: one for the duration, see :func:`evaluators.machine.threads.one_thread`.
    """
    with one_thread():
        return next((found for found in _candidates(double) if works(found.address, double)), Blas(OWN, 0))


def _candidates(double: bool) -> Iterator[Blas]:
    name = "dgemm" if double else "sgemm"
    for find in (_of_torch, _of_scipy):
        try:
            yield find(name)
        except (AttributeError, ImportError, KeyError, OSError, ValueError):
            continue  # not there: the next one


def _of_torch(name: str) -> Blas:
    library = ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"))
    address = ctypes.cast(getattr(library, f"{name}_"), ctypes.c_void_p).value or 0
    found = re.search(r"BLAS_INFO=(\w+)", torch.__config__.show())
    kind = found[1] if found else "blas"
    return Blas(f"{_NAMES.get(kind, kind)} of torch", address)


def _of_scipy(name: str) -> Blas:
    """The function that scipy gives to Cython; the capsule's name is its type."""
    import scipy

    capsule = importlib.import_module("scipy.linalg.cython_blas").__pyx_capi__[name]
    api: Any = ctypes.pythonapi
    api.PyCapsule_GetName.restype, api.PyCapsule_GetName.argtypes = ctypes.c_char_p, [ctypes.py_object]
    api.PyCapsule_GetPointer.restype = ctypes.c_void_p
    api.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    signature = api.PyCapsule_GetName(capsule)
    if not re.match(rb"void \(char \*, char \*, int \*, int \*, int \*,", signature):
        raise ValueError(f"another type: {signature!r}")
    kind = str(scipy.show_config(mode="dicts")["Build Dependencies"]["blas"]["name"])
    return Blas(f"{kind.removeprefix('scipy-')} of scipy", api.PyCapsule_GetPointer(capsule, signature))


def works(address: int, double: bool) -> bool:
    """True if a product is right for both layouts of each factor, with rows to spare, and adds to what is there."""
    return all(_right(address, double, left, right) for left in (False, True) for right in (False, True))


def _right(address: int, double: bool, left: bool, right: bool) -> bool:
    rows, columns, inner = TRIED
    a = _small((inner, rows) if left else (rows, inner), double)
    b = _small((columns, inner) if right else (inner, columns), double)
    whole = _small((rows + SPARE, columns), double)
    c, before = whole[:rows], whole.copy()
    wanted = 2 * (a.T if left else a) @ (b.T if right else b) - c
    gemm(address, double)(a, b, c, scale=2.0, keep=-1.0, transposed=(left, right))
    return bool((c == wanted).all() and (whole[rows:] == before[rows:]).all())


def _small(shape: tuple[int, int], double: bool) -> np.ndarray:
    """Whole numbers from -4 to 4, the first rows of a larger matrix."""
    made = aligned((shape[0] + SPARE, shape[1]), double)
    made[:] = np.arange(made.size).reshape(made.shape) * 7 % 9 - 4
    return made[: shape[0]]


def aligned(shape: tuple[int, int], double: bool) -> np.ndarray:
    """A matrix of zeros by columns, its first byte at a multiple of 64."""
    dtype = np.dtype(np.float64 if double else np.float32)
    size = shape[0] * shape[1] * dtype.itemsize
    room = np.zeros(size + ALIGNMENT, np.uint8)
    start = -room.ctypes.data % ALIGNMENT
    return np.ndarray(shape, dtype, room, start, order="F")


def gemm(address: int, double: bool) -> Callable[..., None]:
    """The function at an address: ``c = scale * op(a) @ op(b) + keep * c`` for matrices by columns.

    Each whole number lies in the low half of a negative one of 64 bits: a function that reads 64 finds no size and does
    nothing, instead of reading far beyond.
    """
    real = ctypes.c_double if double else ctypes.c_float
    call = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 13)(address)

    def whole(number: int) -> Any:
        return ctypes.byref(ctypes.c_int64(number - (1 << 32)))

    def multiply(
        a: np.ndarray, b: np.ndarray, c: np.ndarray, *,
        scale: float = 1.0, keep: float = 0.0, transposed: tuple[bool, bool] = (False, False),
    ) -> None:  # fmt: skip
        layouts = [ctypes.c_char_p(b"T" if each else b"N") for each in transposed]
        inner = a.shape[0] if transposed[0] else a.shape[1]
        call(
            *layouts, whole(c.shape[0]), whole(c.shape[1]), whole(inner), ctypes.byref(real(scale)),
            a.ctypes.data, whole(a.strides[1] // a.itemsize), b.ctypes.data, whole(b.strides[1] // b.itemsize),
            ctypes.byref(real(keep)), c.ctypes.data, whole(c.strides[1] // c.itemsize),
        )  # fmt: skip

    return multiply
