"""Lowering: the text of an expression in another language."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TypeGuard, TypeVar

from primitives.errors import LoweringError, nearest
from primitives.expression.expression import Expression
from primitives.lowering.c.source import C
from primitives.lowering.jax.source import JAX
from primitives.lowering.latex import LATEX
from primitives.lowering.numpy.source import NUMPY
from primitives.lowering.onnx.model import ONNX
from primitives.lowering.sympy.source import SYMPY
from primitives.lowering.target import Kind, Target, kind_of
from primitives.lowering.torch.self_test import TORCH
from primitives.lowering.triton.source import TRITON
from primitives.operators.operator import LAYERS
from primitives.quoting import quoted
from primitives.user_file import Wanted, is_reference, load, made

__all__ = ["TARGETS", "Target", "files", "find_target", "lacks", "lower", "targets"]

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
            operator or a function of that kind. Of ``layers(...)`` only LaTeX is one text; see :func:`files`.
        UserFileError: a target of a file cannot be loaded or fails.
    """
    found = _checked(target, [factor])
    if expression.op == LAYERS and target != "latex":
        raise LoweringError(f"{LAYERS}(...) is a function for each run of places: write each of expression.parts")
    _check_kind(expression, target)
    return _call(target, lambda: found.write(expression, name, float(factor)))


def files(
    expression: Expression, target: str, *, name: str = "activation", factor: float | Sequence[float] = 1.0
) -> dict[str, str | bytes]:
    """The files of a target, by name: the code first, then its self-test where the target can be run.

    A self-test needs the target's own packages only; run it in the folder of the code. The parts of ``layers(...)``
    have files of their own, with ``_1``, ``_2``, ... behind the name; in torch one more puts them into a model.

    Args:
        expression: the function.
        target: as for :func:`lower`.
        name: as for :func:`lower`.
        factor: as for :func:`lower`; of ``layers(...)`` it may be one for each part.

    Raises:
        LoweringError, UserFileError: as :func:`lower`.
    """
    parts = expression.parts
    factors = [float(factor)] * len(parts) if isinstance(factor, float | int) else [*factor]
    found = _checked(target, factors)
    if len(factors) != len(parts):
        raise LoweringError(f"expected a factor for each of {len(parts)} part(s), got {len(factors)}")
    _check_kind(expression, target)
    if expression.op != LAYERS:
        return _files(found, expression, target, name, factors[0])
    joined = found.joined
    made = _call(target, lambda: dict(joined(parts, name))) if joined else {}
    for number, (part, own) in enumerate(zip(parts, factors, strict=True), 1):
        made |= _files(found, part, target, f"{name}_{number}", own)
    return made


def lacks(expression: Expression, target: str) -> str:
    """Why a target cannot write a function of this kind; "" where it can.

    Raises:
        LoweringError, UserFileError: the target is unknown or cannot be loaded.
    """
    kinds = find_target(target).kinds
    missing = next((kind for kind in map(kind_of, expression.parts) if kind not in kinds), None)
    if missing is None:
        return ""
    have = ", ".join(name for name, each in TARGETS.items() if missing in each.kinds)
    return f"{target}: {_NEEDS[missing]}; targets that have them: {have}"


_NEEDS: dict[Kind, str] = {
    "statistics": "statistics need a tensor and its axes",
    "gate": "gates need a second input, z",
    "pointwise": "functions of one input are missing",
}


def _check_kind(expression: Expression, target: str) -> None:
    if why := lacks(expression, target):
        raise LoweringError(why)


def _files(found: Target, expression: Expression, target: str, name: str, factor: float) -> dict[str, str | bytes]:
    """The files of one function."""
    code = _call(target, lambda: found.write(expression, name, factor))
    self_test = found.self_test
    tests = _call(target, lambda: self_test(expression, name, factor)) if self_test else {}
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


def _checked(target: str, factors: Iterable[float]) -> Target:
    found = find_target(target)
    for factor in factors:
        if not math.isfinite(factor) or factor == 0.0:
            raise LoweringError(f"a factor is finite and not 0, got {factor}")
    return found
