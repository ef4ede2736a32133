"""Lowering: the text of an expression in another language."""

from __future__ import annotations

import math

from primitives.errors import LoweringError, nearest
from primitives.expression.expression import Expression
from primitives.lowering.c.source import C
from primitives.lowering.jax.source import JAX
from primitives.lowering.latex import LATEX
from primitives.lowering.numpy.source import NUMPY
from primitives.lowering.onnx_model import ONNX
from primitives.lowering.sympy.source import SYMPY
from primitives.lowering.target import Target
from primitives.lowering.torch.source import TORCH
from primitives.lowering.triton.source import TRITON

__all__ = ["TARGETS", "Target", "files", "lower", "targets"]

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
        target: one of :func:`targets`.
        name: of the generated function where the target has one: snake case, such as ``"act_3_7"``.
        factor: constant factor of the output, finite and not 0.

    Returns:
        The text, or the bytes of a binary file (ONNX).

    Raises:
        LoweringError: the target is unknown, the name or the factor cannot be used, or the target cannot express an
            operator.
    """
    return _checked(target, factor).write(expression, name, float(factor))


def files(
    expression: Expression, target: str, *, name: str = "activation", factor: float = 1.0
) -> dict[str, str | bytes]:
    """The files of a target, by name: the code first, then its self-test where the target can be run.

    A self-test needs the target's own packages only; run it in the folder of the code.

    Raises:
        LoweringError: as :func:`lower`.
    """
    checked = _checked(target, factor)
    code = checked.write(expression, name, float(factor))
    tests = checked.self_test(expression, name, float(factor)) if checked.self_test else {}
    return {f"{name}{checked.suffix}": f"{code.rstrip()}\n" if isinstance(code, str) else code, **tests}


def _checked(target: str, factor: float) -> Target:
    if target not in TARGETS:
        raise LoweringError(f"unknown target {target!r}{nearest(target, TARGETS)}; available: {', '.join(TARGETS)}")
    if not math.isfinite(factor) or factor == 0.0:
        raise LoweringError(f"a factor is finite and not 0, got {factor}")
    return TARGETS[target]
