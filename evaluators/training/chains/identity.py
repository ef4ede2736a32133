"""Which engine this is: a digest of what it computes, that two processes share where they give a training one result.

Versions do not tell: the same source, compiled by another compiler or beside another matrix library, rounds otherwise.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from functools import cache

import numpy as np

from evaluators.machine.threads import one_thread
from evaluators.native.blas import aligned, blas, gemm
from evaluators.native.library import engine
from evaluators.native.probe import operators, steps
from evaluators.training.chains.probe import trainings

#: The identity where there is no engine.
TORCH = "torch"
#: Rows, columns and inner size of the products that are looked at: those of the shipped networks, and odd ones.
SHAPES = (
    *((64, 64, 64), (64, 10, 64), (64, 64, 10), (64, 45, 33), (33, 45, 64)),
    *((45, 33, 10), (10, 33, 45), (32, 32, 50), (1, 64, 64), (132, 132, 64)),
)

#: A part of the probe: gives the bytes of what the engine computes, in float64 or float32, from fixed inputs.
Part = Callable[[bool], Iterator[bytes]]


def products(double: bool) -> Iterator[bytes]:
    """The ten products, by the function that the engine calls; none where it calls its own."""
    found = blas(double)
    yield found.name.encode()
    rng = np.random.Generator(np.random.PCG64(0))
    for number, (rows, columns, inner) in enumerate(SHAPES if found.address else ()):
        left, right = bool(number & 1), bool(number & 2)
        a = _normal(rng, (inner, rows) if left else (rows, inner), double)
        b = _normal(rng, (columns, inner) if right else (inner, columns), double)
        c = aligned((rows, columns), double)
        gemm(found.address, double)(a, b, c, transposed=(left, right))
        yield c.tobytes("F")


def _normal(rng: np.random.Generator, shape: tuple[int, int], double: bool) -> np.ndarray:
    made = aligned(shape, double)
    made[:] = rng.standard_normal(shape)
    return made


#: What is looked at, in this order.
PARTS: tuple[Part, ...] = (products, operators, steps, trainings)


@cache
def digest() -> str:
    """Sixteen hexadecimal digits of the SHA-256 of the engine's keys and of what it computes; ``torch`` without one.

    Equal digits are strong evidence of equal bits. Takes a few milliseconds, on one thread.

    Raises:
        EvaluationError: as :func:`evaluators.native.library.library`.
    """
    found = engine()
    return TORCH if isinstance(found, str) else probed([each.key for each in found], PARTS)


def probed(keys: list[str], parts: tuple[Part, ...]) -> str:
    """The digest of keys and of what the parts give, in float32 and then in float64."""
    hasher = hashlib.sha256("".join(keys).encode())
    with one_thread():
        for double in (False, True):
            for part in parts:
                for piece in part(double):
                    hasher.update(len(piece).to_bytes(8) + piece)
    return hasher.hexdigest()[:16]
