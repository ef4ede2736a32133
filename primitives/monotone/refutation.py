"""Refutation: two points between which a function falls, or rises.

Points are looked for on a grid in float64. A pair counts if bounds of both values, with every rounding turned
outwards, do not overlap; so no pair is an accident of rounding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from primitives.expression.evaluation import value_at
from primitives.expression.expression import Expression
from primitives.monotone.facts import number
from primitives.monotone.graph import facts_of
from primitives.operators.formulas import valued

SETTINGS = 24  # of the parameters, beside the initial one


@dataclass(frozen=True, slots=True)
class Pair:
    """Two points of a function.

    Args:
        left: the smaller input.
        right: the larger one.
        at_left: the value at ``left``, in float64.
        at_right: likewise.
        parameters: the setting of the parameters, by name.
    """

    left: float
    right: float
    at_left: float
    at_right: float
    parameters: Mapping[str, float]

    @property
    def text(self) -> str:
        """As ``f(-1.25) = -0.278 > f(-1) = -0.269``, with the setting of the parameters behind it."""
        sign = ">" if self.at_left > self.at_right else "<"
        setting = ", ".join(f"{name} = {value:g}" for name, value in self.parameters.items())
        found = f"f({self.left:.9g}) = {self.at_left:.9g} {sign} f({self.right:.9g}) = {self.at_right:.9g}"
        return f"{found} at {setting}" if setting else found


def falling_pair(expression: Expression) -> Pair | None:
    """Two points x1 < x2 with f(x1) > f(x2), at some setting of the parameters; None where none was found.

    Args:
        expression: its operators all have rules.
    """
    return _found(expression, 1.0)


def rising_pair(expression: Expression) -> Pair | None:
    """Likewise with f(x1) < f(x2)."""
    return _found(expression, -1.0)


def looks_monotone(expression: Expression, up: bool) -> bool:
    """False where values on 33 points of [-8, 8] turn by more than rounding: a proof by pieces need not be tried.

    Args:
        expression: its operators all have rules.
        up: increasing is asked for, else decreasing.
    """
    values = value_at(valued(expression), _few())
    steps = values.diff().nan_to_num(0.0, 0.0, 0.0)
    return not bool(((-steps if up else steps) > 1e-6 * (1.0 + values.abs().nan_to_num(0.0, 0.0, 0.0).max())).any())


@cache
def _few() -> Tensor:
    return torch.linspace(-8.0, 8.0, 33, dtype=torch.float64)


def _found(expression: Expression, sign: float) -> Pair | None:
    plain = valued(expression)
    for parameters in _settings(plain):
        values = value_at(plain, _grid(), **parameters)
        for ends in _steepest(sign * values):
            pair = _checked(plain, ends, parameters, sign)
            if pair is not None:
                return pair
    return None


def _settings(expression: Expression) -> Iterator[Mapping[str, float]]:
    """The initial values first, then all of one sign, then others of both signs, at most a few units large."""
    names = list(expression.initial_values)
    yield expression.initial_values
    if not names:
        return
    generator = torch.Generator().manual_seed(0)
    yield from (dict.fromkeys(names, value) for value in (-1.0, 1.0, 0.0))
    for _ in range(SETTINGS):
        drawn = torch.randint(-24, 25, (len(names),), generator=generator) / 8
        yield dict(zip(names, drawn.tolist(), strict=True))


@cache
def _grid() -> Tensor:
    """Steps of 1/64 on [-8, 8], smaller ones around 0, and 32 points of each tail up to 1000."""
    small = 0.5 ** torch.arange(30, 6, -1, dtype=torch.float64)
    inner = torch.cat([torch.arange(-512, 513, dtype=torch.float64) / 64, small, -small]).sort().values
    tail = torch.logspace(1.0, 3.0, 32, dtype=torch.float64).round()
    return torch.cat([-tail.flip(0), inner, tail])


def _steepest(values: Tensor) -> Iterator[tuple[int, int]]:
    """The numbers of two points of the grid with the largest fall: near 0, then anywhere."""
    near = (_grid().abs() <= 8.0).nonzero().flatten()
    for part in (near, torch.arange(len(values))):
        here = values[part]
        top, at = torch.where(here.isfinite(), here, -torch.inf).cummax(0)
        fall = torch.where(here.isfinite(), top - here, 0.0)
        low = int(fall.argmax())
        if fall[low] > 0:
            yield int(part[at[low]]), int(part[low])


def _checked(f: Expression, ends: tuple[int, int], parameters: Mapping[str, float], sign: float) -> Pair | None:
    left, right = (float(_grid()[end]) for end in ends)
    setting = {name: number(value) for name, value in parameters.items()}
    first, last = (facts_of(f, number(each), setting) for each in (left, right))
    if first is None or last is None:
        return None
    apart = first.low > last.high if sign > 0 else first.high < last.low
    values = value_at(f, torch.tensor([left, right], dtype=torch.float64), **parameters) + 0.0  # no -0.0
    return Pair(left, right, float(values[0]), float(values[1]), parameters) if apart else None
