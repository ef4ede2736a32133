"""Lowering: the text of an expression in another language."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeGuard, TypeVar

from primitives.errors import LoweringError, nearest
from primitives.expression.expression import Expression
from primitives.lowering.c.source import C
from primitives.lowering.jax.source import JAX
from primitives.lowering.latex import LATEX
from primitives.lowering.numpy.source import NUMPY
from primitives.lowering.onnx_model import ONNX
from primitives.lowering.sympy.source import SYMPY
from primitives.lowering.target import Target
from primitives.lowering.torch.self_test import TORCH
from primitives.lowering.triton.source import TRITON
from primitives.quoting import quoted
from primitives.user_file import Wanted, is_reference, load, made

__all__ = ["TARGETS", "Target", "files", "find_target", "lower", "targets"]

T = TypeVar("T")

TARGETS: dict[str, Target] = {
    "torch": TORCH,
    "numpy": NUMPY,
    "latex": LATEX,
    "sympy": SYMPY,
    "onnx": ONNX,
    "jax": JAX,
    "c": C,
    "triton": TRITON,
}


def targets() -> tuple[str, ...]:
    """Names of the targets of :func:`lower`."""
    return tuple(TARGETS)


def lower(expression: Expression, target: str, *, name: str = "activation", factor: float = 1.0) -> str | bytes:
    """Write ``factor * expression`` in another language.

    Args:
        expression: the function.
        target: one of :func:`targets`, or a reference to a :class:`Target` in a file, ``path/to/file.py:TARGET``.
        name: of the generated function where the target has one: snake case, such as ``"act_3_7"``.
        factor: constant factor of the output, finite and not 0.

    Returns:
        The text, or the bytes of a binary file (ONNX).

    Raises:
        LoweringError: the target is unknown, the name or the factor cannot be used, or the target cannot express an
            operator.
        UserFileError: a target of a file cannot be loaded or fails.
    """
    found = _checked(target, factor)
    return _call(target, lambda: found.write(expression, name, float(factor)))


def files(
    expression: Expression, target: str, *, name: str = "activation", factor: float = 1.0
) -> dict[str, str | bytes]:
    """The files of a target, by name: the code first, then its self-test where the target can be run.

    A self-test needs the target's own packages only; run it in the folder of the code.

    Raises:
        LoweringError, UserFileError: as :func:`lower`.
    """
    found = _checked(target, factor)
    code = _call(target, lambda: found.write(expression, name, float(factor)))
    self_test = found.self_test
    tests = _call(target, lambda: self_test(expression, name, float(factor))) if self_test else {}
    return {f"{name}{found.suffix}": f"{code.rstrip()}\n" if isinstance(code, str) else code, **tests}


def find_target(target: str) -> Target:
    """The target of a name, or of a reference to one in a file.

    Raises:
        LoweringError: the name is unknown; the message has the nearest one.
        UserFileError: see :func:`primitives.user_file.load`.
    """
    if is_reference(target):
        return load(target, _WANTED)
    if target not in TARGETS:
        raise LoweringError(
            f"unknown target {quoted(target)}{nearest(target, TARGETS)}; available: {', '.join(TARGETS)}"
        )
    return TARGETS[target]


def _is_target(found: object) -> TypeGuard[Target]:
    return isinstance(found, Target)


_WANTED = Wanted("lowering target", "an instance of primitives.lowering.Target", _is_target)


def _call(target: str, write: Callable[[], T]) -> T:
    """What a function of the target returns; where one of a file fails, the message names the line."""
    return made(target, "lowering target", write) if is_reference(target) else write()


def _checked(target: str, factor: float) -> Target:
    found = find_target(target)
    if not math.isfinite(factor) or factor == 0.0:
        raise LoweringError(f"a factor is finite and not 0, got {factor}")
    return found
