"""The float64 reference of a function, and how far rounding may move each of its numbers.

The room that rounding has is measured and not guessed: the function, written out over elementary operators, is computed
several times with a random error of a few units in the last place behind each operator, as Parker's Monte Carlo
arithmetic does (UCLA CSD-970002, 1997). So a cancellation such as 1 + erf(x) in the tail gets the room it needs, and
everything else next to none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from primitives.expression.derivative import derivative
from primitives.expression.evaluation import constants, evaluate
from primitives.expression.expression import Expression, constant, make_node
from primitives.expression.parameters import Parameter
from primitives.expression.traversal import postorder
from primitives.operators.formulas import expand
from primitives.operators.kernels import COMPARISONS
from primitives.operators.table import forward_of, operators

_APART = 7  # places between a point and that of z
VALUE = "f(x)"  #: name of the value beside those of derivatives; no parameter can have it

_GRID = (
    *(0.0, 1e-30, 1e-8, 0.005, 0.1, 0.5, 0.7, 1.0, 1.3, 2.0, 2.5, 3.0, 4.1, 5.0, 6.0, 12.5, 20.0, 50.0, 88.8, 1e4),
    1e30,
)
_ARITHMETIC = {"add", "sub", "mul"}  # of whole numbers it is exact; (-2)**(x-1) exists for exact exponents alone
_WHOLE = 2.0**24
_SELECTIONS = {"max", "min", "neg", "abs", "sign", "floor", "where", *COMPARISONS}
_SAMPLES = 16
_LAST_PLACES = 4  # error of an operator; a good library stays below one or two, GPUs below four
_MARGIN = 2.0  # over the largest deviation of 16 samples


@dataclass(frozen=True, slots=True)
class Reference:
    """Numbers that an exported file must reproduce.

    Args:
        points: inputs, float64, each of them a float32 too.
        values: ``VALUE``, then ``"x"``, ``"z"`` of a gate and each parameter for the derivatives, each as float64.
        allowed: the largest difference from each; where a value is not finite it says nothing.
    """

    points: Tensor
    values: Mapping[str, Tensor]
    allowed: Mapping[str, Tensor]


def scaled(expression: Expression, factor: float) -> Expression:
    """``factor * expression``."""
    return expression if factor == 1.0 else make_node("mul", constant(factor), expression)


def roots_of(expression: Expression, factor: float = 1.0) -> dict[str, Expression]:
    """``factor * expression`` under ``VALUE`` and its derivatives by ``"x"``, ``"z"`` and each parameter."""
    root = scaled(expression, factor)
    return {VALUE: root} | {wrt: derivative(root, wrt) for wrt in ("x", *expression.operands)}


def elementary(root: Expression) -> Expression:
    """The same function over operators that have no formula."""
    names = frozenset(row.name for row in operators().values() if row.forward is not None and not row.formula)
    return expand(root, "elementary operators", names)


def points_of(expression: Expression) -> Tensor:
    """Some 40 inputs: tiny to large of both signs, both zeros, and the constants of the formula, where kinks are."""
    constants = [abs(node.value) for node in postorder((expression,)) if isinstance(node.value, float)]
    sizes = torch.tensor(sorted({*_GRID, *constants})).float().unique().double()
    sizes = sizes[torch.isfinite(sizes)]
    return torch.cat([-sizes.flip(0), sizes])


def second_points(points: Tensor) -> Tensor:
    """The second input of a gate beside each point: the points in another order."""
    return points.roll(_APART)


def given_at(expression: Expression, points: Tensor) -> dict[str, Tensor | float]:
    """What an expression needs beside ``x``: z, where it takes one, and the initial parameters."""
    second: dict[str, Tensor | float] = {"z": second_points(points)} if "z" in expression.inputs else {}
    return second | expression.initial_values


def reference(
    expression: Expression, points: Tensor, *, factor: float = 1.0, dtype: torch.dtype = torch.float64
) -> Reference:
    """Value and derivatives at the initial parameters in float64, with what rounding in a dtype may change.

    For types other than float64 a number that overflows in this type is given as NaN, and the error that torch itself
    makes in it is allowed.
    """
    named = roots_of(expression, factor)
    roots, given = tuple(named.values()), given_at(expression, points)
    exact = evaluate(roots, points, given)
    room = [r + torch.finfo(dtype).tiny for r in _room(roots, exact, points, given, dtype)]
    if dtype != torch.float64:
        narrow = points.to(dtype)
        rounded = [value.double() for value in evaluate(roots, narrow, given_at(expression, narrow))]
        room = [r + (a - b).abs() for r, a, b in zip(room, rounded, exact, strict=True)]
        exact = [torch.where(a.isfinite(), b, torch.nan) for a, b in zip(rounded, exact, strict=True)]
    return Reference(points, dict(zip(named, exact, strict=True)), dict(zip(named, room, strict=True)))


def _room(
    roots: Sequence[Expression],
    exact: Sequence[Tensor],
    x: Tensor,
    given: Mapping[str, Tensor | float],
    dtype: torch.dtype,
) -> list[Tensor]:
    """Largest deviation of each root under random rounding, with the margin; 0 where it is not finite."""
    values = _with_errors([elementary(root) for root in roots], x.expand(_SAMPLES + 1, -1), given, dtype)
    rooms = []
    for value, best in zip(values, exact, strict=True):
        spread = _finite((value[1:] - value[0]).abs()).amax(0)
        other = _finite((value[0] - best).abs())  # torch's kernels against the formulas
        rooms.append(_MARGIN * (spread + other) + _LAST_PLACES * torch.finfo(dtype).eps * _finite(best.abs()))
    return rooms


def _finite(value: Tensor) -> Tensor:
    return torch.where(value.isfinite(), value, 0.0)


def _with_errors(
    roots: Sequence[Expression], x: Tensor, given: Mapping[str, Tensor | float], dtype: torch.dtype
) -> list[Tensor]:
    """Values of the roots, shape (samples, points), with a random error behind each operator, but in the first row."""
    generator = torch.Generator().manual_seed(0)
    size, tiny = _LAST_PLACES * torch.finfo(dtype).eps, torch.finfo(dtype).tiny

    def disturbed(value: Tensor, exact: Tensor) -> Tensor:
        errors = size * (torch.rand(x.shape, generator=generator, dtype=x.dtype) * 2 - 1)
        errors[0] = 0.0
        errors[1::2] = torch.where(value.abs() < tiny, -1.0, errors)[1::2]  # XLA flushes subnormal numbers to 0
        return torch.where(exact, value, value * (1 + errors))

    def number(value: float) -> tuple[Tensor, Tensor]:
        known = torch.full_like(x, value)
        exact = known.to(dtype).double() == known
        return disturbed(known, exact), exact & (known == known.round())

    values: dict[Expression, tuple[Tensor, Tensor]] = {}  # and where they are whole numbers without error

    def operation(node: Expression) -> tuple[Tensor, Tensor]:
        value = forward_of(node.op)(*(values[arg][0] for arg in node.args))
        if node.op in _SELECTIONS:  # -2 is whole in max(x, -2) at -2.5
            return value, (value == value[0]).all(0) & (value == value.round())
        whole = torch.stack([values[arg][1] for arg in node.args]).all(0)
        whole = whole & (value.abs() < _WHOLE) & (node.op in _ARITHMETIC)
        return disturbed(value, whole), whole

    numbers = constants(roots)
    for node in postorder(roots, stop=numbers):
        if node in numbers:
            values[node] = number(numbers[node])
        elif isinstance(node.value, Parameter):
            values[node] = number(float(given[node.value.name]))
        elif node.args:
            values[node] = operation(node)
        else:
            own = x if node.op == "x" else torch.as_tensor(given[node.op]).expand_as(x)
            values[node] = own, own == own.round()
    return [values[root][0].expand(x.shape) for root in roots]
