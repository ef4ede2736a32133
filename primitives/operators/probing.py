"""Probing: does an operator behave as one, on values that a search will meet sooner or later?"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from primitives.expression.derivative import derivative
from primitives.expression.evaluation import evaluate
from primitives.expression.expression import Expression, make_node, parameter
from primitives.expression.parsing import parse_body
from primitives.operators.operator import INPUTS, Operator

_TYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
_STEP = 1e-6  # of the differences: their error is about 1e-10 from rounding and 1e-6 f'' from the step
_EXTREMES = torch.tensor(
    [0.0, -0.0, 1.0, -1.0, 1e-8, -1e-8, 100.0, -100.0, 1e4, -1e4, torch.inf, -torch.inf, torch.nan]
)


def wrong_behaviour(row: Operator) -> Iterator[str]:
    """What is wrong with the values and the derivative, in float64 first."""
    if row.forward is not None:
        for dtype in _TYPES:
            yield from _wrong_values(row.forward, row.arity, dtype)
        if row.formula:
            yield from _wrong_formula(row)
    points = _points(row.arity)
    value = _expression(row)
    if not torch.isfinite(_at(value, points)).any():
        yield "no value on [-4, 4] is finite"
    for position in range(row.arity):
        yield from _wrong_slope(value, position, points)


def _points(arity: int, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    """300 normals of standard deviation 2 for each input."""
    generator = torch.Generator().manual_seed(0)
    return [2 * torch.randn(300, generator=generator, dtype=torch.float64).to(dtype) for _ in range(arity)]


def _wrong_values(forward: Callable[..., Tensor], arity: int, dtype: torch.dtype) -> Iterator[str]:
    extremes = _EXTREMES.to(dtype)
    for inputs in (_points(arity, dtype), *([extremes.roll(k) for k in range(s, s + arity)] for s in range(13))):
        before = [t.clone() for t in inputs]
        try:
            values = forward(*inputs)
            again = forward(*(t.flip(0) for t in inputs))
        except Exception as error:
            yield f"{_shown(dtype)}: the forward function failed: {type(error).__name__}: {error}"
            return
        if not isinstance(values, Tensor) or values.shape != inputs[0].shape or values.dtype != dtype:
            got = (
                f"{_shown(values.dtype)} {tuple(values.shape)}" if isinstance(values, Tensor) else type(values).__name__
            )
            yield f"{_shown(dtype)}: expected a tensor of the inputs' shape and dtype, got {got}"
            return
        if any(not torch.equal(a.nan_to_num(7), b.nan_to_num(7)) for a, b in zip(inputs, before, strict=True)):
            yield f"{_shown(dtype)}: the forward function changes its inputs"
        if not torch.equal(values.nan_to_num(7), again.flip(0).nan_to_num(7)):
            yield f"{_shown(dtype)}: not elementwise or not repeatable: turned round inputs give other values"
    if arity > 1:
        yield from _wrong_numbers(forward, arity, dtype)


def _wrong_numbers(forward: Callable[..., Tensor], arity: int, dtype: torch.dtype) -> Iterator[str]:
    """Constants reach the forward function as Python numbers."""
    tensors = _points(arity, dtype)
    for position in range(arity):
        mixed = [t if i == position else 0.5 for i, t in enumerate(tensors)]
        same = [t if i == position else torch.full_like(t, 0.5) for i, t in enumerate(tensors)]
        try:
            agree = torch.equal(forward(*mixed).nan_to_num(7), forward(*same).nan_to_num(7))
        except Exception as error:
            yield f"{_shown(dtype)}: failed with Python numbers beside input {INPUTS[position]}: {error}"
            return
        if not agree:
            yield f"{_shown(dtype)}: other values with Python numbers beside input {INPUTS[position]}"


def _wrong_formula(row: Operator) -> Iterator[str]:
    assert row.forward is not None
    points = _points(row.arity)
    formula, expected = _at(parse_body(row.formula, _places(row)), points), row.forward(*points)
    worst = int((formula - expected).abs().nan_to_num(0).argmax())
    if not torch.allclose(formula, expected, rtol=1e-9, atol=1e-12, equal_nan=True):
        at = ", ".join(f"{name}={t[worst]:.6g}" for name, t in zip(INPUTS, points, strict=False))
        yield f"at {at} the formula gives {formula[worst]:.9g}, the forward function {expected[worst]:.9g}"


def _wrong_slope(value: Expression, position: int, points: list[Tensor]) -> Iterator[str]:
    """The derivative by one input must lie between the one-sided differences."""
    name = INPUTS[position]
    slope = _at(derivative(value, name), points)
    left, right = (_difference(value, position, points, step) for step in (-_STEP, _STEP))
    room = 1e-4 * (1 + torch.maximum(left.abs(), right.abs()))
    wrong = (slope < torch.minimum(left, right) - room) | (slope > torch.maximum(left, right) + room) | slope.isnan()
    wrong &= left.isfinite() & right.isfinite()
    if wrong.any():
        at = int(wrong.nonzero()[0])
        where = ", ".join(f"{n}={t[at]:.6g}" for n, t in zip(INPUTS, points, strict=False))
        differences = f"{left[at]:.6g} and {right[at]:.6g}"
        yield f"at {where} the derivative by {name} is {slope[at]:.6g}, differences give {differences}"


def _difference(value: Expression, position: int, points: list[Tensor], step: float) -> Tensor:
    moved = [t + step if i == position else t for i, t in enumerate(points)]
    return (_at(value, moved) - _at(value, points)) / step


def _expression(row: Operator) -> Expression:
    """The operator at parameters that are named as its inputs."""
    return make_node(row.name, *_places(row).values())


def _places(row: Operator) -> dict[str, Expression]:
    return {name: parameter(name) for name in INPUTS[: row.arity]}


def _at(expression: Expression, points: list[Tensor]) -> Tensor:
    return evaluate((expression,), points[0], dict(zip(INPUTS, points, strict=False)))[0]


def _shown(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
