"""Lowering: the text of an expression in another language."""

from __future__ import annotations

import math
from collections.abc import Callable

from primitives.errors import LoweringError, nearest
from primitives.expressions import Expression
from primitives.lowering.latex import latex
from primitives.lowering.torch_source import torch_source

__all__ = ["lower", "targets"]

_Lowering = Callable[[Expression, str, float], str]


def _latex(expression: Expression, name: str, factor: float) -> str:
    return latex(expression, factor=factor)


def _torch(expression: Expression, name: str, factor: float) -> str:
    return torch_source(expression, name=name, factor=factor)


_TARGETS: dict[str, _Lowering] = {"torch": _torch, "latex": _latex}


def targets() -> tuple[str, ...]:
    """Names of the targets of :func:`lower`."""
    return tuple(_TARGETS)


def lower(expression: Expression, target: str, *, name: str = "activation", factor: float = 1.0) -> str:
    """Write ``factor * expression`` in another language.

    Args:
        expression: the function.
        target: one of :func:`targets`.
        name: of the generated function where the target has one: snake case, such as ``"act_3_7"``.
        factor: constant factor of the output, finite and not 0.

    Raises:
        LoweringError: the target is unknown, or the name or the factor cannot be used.
    """
    if target not in _TARGETS:
        raise LoweringError(
            f"unknown target {target!r}, expected one of {', '.join(_TARGETS)}{nearest(target, _TARGETS)}"
        )
    if not math.isfinite(factor) or factor == 0.0:
        raise LoweringError(f"a factor is finite and not 0, got {factor}")
    return _TARGETS[target](expression, name, float(factor))
