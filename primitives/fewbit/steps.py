"""A piecewise constant derivative: its levels and borders, read off a formula, and the formula that has them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from primitives.expression.derivative import derivative
from primitives.expression.evaluation import evaluate
from primitives.expression.expression import Expression
from primitives.expression.parsing import parse
from primitives.expression.traversal import postorder
from primitives.operators.formulas import expand
from primitives.operators.kernels import COMPARISONS
from primitives.operators.table import operators

MOST_LEVELS = 16  # 4 bits
_DIGITS = 11  # behind the first one of the largest level; what differs less is rounding


@dataclass(frozen=True, slots=True)
class Steps:
    """A piecewise constant function of x.

    Args:
        levels: its value on each piece, from left to right; pieces that are not neighbours may have one level.
        borders: rising, one less than the pieces; the border itself belongs to the piece on its left.
    """

    levels: tuple[float, ...]
    borders: tuple[float, ...]

    @property
    def distinct(self) -> tuple[float, ...]:
        """The different levels, rising."""
        return tuple(sorted(set(self.levels)))

    @property
    def numbers(self) -> tuple[int, ...]:
        """For each piece the place of its level in :attr:`distinct`."""
        return tuple(self.distinct.index(level) for level in self.levels)

    @property
    def bits(self) -> int:
        """Bits that tell the levels apart, ceil(log2 k) for k of them: 0 for one level."""
        return (len(self.distinct) - 1).bit_length()


def steps_of(expression: Expression) -> Steps | None:
    """The derivative of an expression by x as steps, where its formula shows that it is piecewise constant.

    It does where x occurs in signs and comparisons of linear functions alone. Levels are rounded to 12 digits of the
    largest one.

    Returns:
        The steps, neighbours of different levels; None where the formula does not show it, where there are parameters
        or more than 16 levels, and where it is not pointwise.
    """
    if expression.parameters or not expression.is_pointwise:
        return None
    slope = expand(derivative(expression), "few-bit backward", _elementary())
    borders = _borders(slope)
    if borders is None:
        return None
    inside = [0.5 * (a + b) for a, b in itertools.pairwise(borders)]
    points = [borders[0] - 1.0, *inside, borders[-1] + 1.0] if borders else [0.0]
    found = evaluate((slope,), torch.tensor(points, dtype=torch.float64), {})[0].tolist()
    if not all(map(math.isfinite, found)):
        return None
    steps = joined(rounded(found), borders)
    return steps if len(steps.distinct) <= MOST_LEVELS else None


def rounded(levels: Sequence[float]) -> list[float]:
    """Levels to 12 digits of the largest."""
    largest = max(map(abs, levels))
    decimals = _DIGITS - math.floor(math.log10(largest)) if largest else 0
    return [round(float(level), decimals) + 0.0 for level in levels]  # -0.0 + 0.0 is 0.0


def joined(levels: Sequence[float], borders: Sequence[float]) -> Steps:
    """Steps without borders between equal levels."""
    kept = [i for i, (a, b) in enumerate(itertools.pairwise(levels)) if a != b]
    return Steps((levels[0], *(levels[i + 1] for i in kept)), tuple(borders[i] for i in kept))


def primitive(steps: Steps) -> str:
    """The text of a piecewise linear function with this derivative: a sum of ``relu(x-border)``."""
    first = steps.levels[0]
    rises = rounded([b - a for a, b in itertools.pairwise(steps.levels)]) if steps.borders else []
    terms = [*_signed(first, "x"), *(t for r, b in zip(rises, steps.borders, strict=True) for t in _ramp(r, b))]
    return "".join(terms).removeprefix("+") or "0"


def _ramp(rise: float, border: float) -> Iterator[str]:
    return _signed(rise, f"relu(x{-border:+})" if border else "relu(x)")


def _signed(factor: float, term: str) -> Iterator[str]:
    if factor:
        size = "" if abs(factor) == 1.0 else f"{abs(factor)!r}*"
        yield f"{'-' if factor < 0 else '+'}{size}{term}"


def with_slope(expression: Expression, steps: Steps) -> Expression:
    """``paired(f, g)``: the values of an expression without parameters, the derivative of the steps.

    Raises:
        ExpressionError: the text is too long for an expression.
    """
    return parse(f"paired({expression.text},{primitive(steps)})")


def _elementary() -> frozenset[str]:
    return frozenset(row.name for row in operators().values() if row.forward is not None and not row.formula)


def _borders(slope: Expression) -> list[float] | None:
    """Where the steps in a formula may be; None where something else than steps depends on x."""
    constant: dict[Expression, bool] = {}
    found: set[float] = set()
    for node in postorder((slope,)):
        if node.op in {"sign", *COMPARISONS} and not all(constant[arg] for arg in node.args):
            border = _zero(node)
            constant[node] = border is not None
            found |= set(border or ())
        else:
            constant[node] = not node.uses_input or (
                bool(node.args) and node.op != "floor" and all(constant[arg] for arg in node.args)
            )
    return sorted(found) if constant[slope] else None


def _zero(node: Expression) -> tuple[float, ...] | None:
    """Where the argument of a sign, or the difference of what is compared, is 0; None unless that is linear in x."""
    slopes = [derivative(arg) for arg in node.args]
    if any(slope.uses_input or slope.is_learnable for slope in slopes):
        return None
    x = torch.zeros((), dtype=torch.float64)
    values = [float(v) for v in evaluate((*node.args, *slopes), x, {})]
    starts, rises = values[: len(slopes)], values[len(slopes) :]
    start, rise = (v[0] - (v[1] if len(v) > 1 else 0.0) for v in (starts, rises))
    if rise == 0.0:
        return ()
    at = -start / rise + 0.0
    return (at,) if math.isfinite(at) else None
