"""A function's few-bit backward: the levels, the pair that has them, and their error."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from primitives.analysis.gaussian import expectation, normal_grid
from primitives.analysis.sampling import sample
from primitives.equivalence.kinds import pointwise_form
from primitives.errors import ExpressionError, nearest
from primitives.expression.derivative import derivative
from primitives.expression.expression import Expression, with_values
from primitives.fewbit.levels import fit_slope
from primitives.fewbit.line import fit_value, value_error
from primitives.fewbit.steps import Steps, steps_of, with_slope
from primitives.operators.formulas import valued
from primitives.quoting import quoted

SMALLEST, LARGEST = 1, 4  # bits
_PANELS, _NODES = 400, 16  # of Gauss-Legendre quadrature on [-10, 10]


@dataclass(frozen=True, slots=True)
class FewBit:
    """A derivative of few levels for a function.

    Args:
        fit: ``"slope"`` or ``"value"``.
        pair: ``paired(f, g)``, g a broken line.
        steps: the derivative q of g.
        slope_error: E[(f'(z) - q(z))^2], z standard normal.
        value_error: the integral of (f - g)^2 over the line, of the fit ``"value"``; else None.
    """

    fit: str
    pair: Expression
    steps: Steps
    slope_error: float
    value_error: float | None


#: Criteria by name. The first is the default: it counts the error of the gradients themselves where layers have their
#: inputs, and every function with a finite E f'(z)^2 has it; the other needs straight tails.
FITS: dict[str, Callable[[Expression, int], Steps]] = {
    "slope": lambda expression, count: fit_slope(derivative(expression), count),
    "value": fit_value,
}


def few_bit(expression: Expression, bits: int = 2, fit: str = "slope") -> FewBit:
    """Find the best derivative of at most 2**bits levels.

    Args:
        expression: the function f, without parameters; of ``paired(f, g)`` the derivative is that of g.
        bits: 1 to 4.
        fit: ``"slope"`` minimises E[(f' - q)^2] under a standard normal (:func:`primitives.fewbit.levels.fit_slope`),
            ``"value"`` the squared distance of f and g on the line (:func:`primitives.fewbit.line.fit_value`).

    Raises:
        ExpressionError: one of them is not what was expected; the message names the nearest that is.
    """
    if not isinstance(bits, int) or not SMALLEST <= bits <= LARGEST:
        close = f"; the nearest is {min(max(bits, SMALLEST), LARGEST)}" if isinstance(bits, int) else ""
        raise ExpressionError(f"bits: expected a whole number from {SMALLEST} to {LARGEST}, got {quoted(bits)}{close}")
    if fit not in FITS:
        raise ExpressionError(f"unknown fit {quoted(fit)}{nearest(fit, FITS)}; available: {', '.join(FITS)}")
    _check(expression, fit)
    exact = steps_of(expression)
    known = exact is not None and fit == "slope" and len(exact.distinct) <= 2**bits
    found = exact if exact is not None and known else FITS[fit](expression, 2**bits)
    if found.distinct == (0.0,):
        raise ExpressionError(
            f"{expression.text}: its derivative is 0, and no gradient would pass; expected one that has "
            f"another, such as 'paired({expression.text},tanh(x))'"
        )
    try:
        pair = with_slope(valued(expression), found)
    except ExpressionError:
        raise _too_long(expression, found, bits, fit) from None
    steps = steps_of(pair)
    assert steps is not None, pair.text
    return FewBit(
        fit=fit,
        pair=pair,
        steps=steps,
        slope_error=slope_error(expression, steps),
        value_error=value_error(expression, steps) if fit == "value" else None,
    )


def slope_error(expression: Expression, steps: Steps) -> float:
    """E[(f'(z) - q(z))^2] for q of these steps: quadrature between borders and multiples of 1/20, so f' may have kinks
    and jumps there.
    """
    borders = np.array(steps.borders)
    edges = np.unique(np.concatenate([np.linspace(-10.0, 10.0, _PANELS + 1), borders[np.abs(borders) < 10.0]]))
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    half = 0.5 * np.diff(edges)[:, None]
    z = edges[:-1, None] + half * (1.0 + nodes)
    slope = sample((derivative(expression),), torch.from_numpy(z))[0].numpy()
    q = np.array(steps.levels)[np.searchsorted(borders, z)]
    density = np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi)
    return float((half * weights * density * np.square(slope - q)).sum())


def least_error(expression: Expression, bits: int = 2) -> float:
    """The smallest E[(f'(z) - q(z))^2] of all q of at most 2**bits levels, z standard normal.

    It is infinite where E f'(z)^2 is. Parameters are at their initial values; of ``paired(f, g)`` the derivative is
    that of g.

    Raises:
        ExpressionError: it is no function of one number.
    """
    function = _frozen(pointwise_form(expression, "few-bit backward"))
    slope = derivative(function)
    if expectation(sample((slope,), normal_grid()[0])[0].square()) is None:
        return math.inf
    exact = steps_of(function)
    few = exact is not None and len(exact.distinct) <= 2**bits
    return slope_error(function, exact if exact is not None and few else fit_slope(slope, 2**bits))


def _check(expression: Expression, fit: str) -> None:
    if not expression.is_pointwise:
        raise ExpressionError(
            f"{expression.text}: expected a function of x alone, the same in every place, such as gelu(x)"
        )
    if names := [p.name for p in expression.parameters]:
        raise ExpressionError(
            f"{expression.text}: {names[0]!r} is learned, and its gradient needs the input, which is not kept; write "
            f"the value that it has learned as a number, such as {quoted(_frozen(expression).text)}"
        )
    if expression.is_paired and fit == "value":
        raise ExpressionError(f"{expression.text}: a pair has the derivative of no value; expected the fit 'slope'")
    z, _ = normal_grid()
    slope = sample((derivative(expression),), z)[0]
    if not bool(slope.isfinite().all()):
        at = float(z[~slope.isfinite()][0])
        raise ExpressionError(f"{expression.text}: expected a finite derivative on [-10, 10], at {at:.4g} it is not")
    if expectation(slope * slope) is None:
        raise ExpressionError(f"{expression.text}: E f'(z)^2 is not finite for normal z, so no levels are the best")


def _frozen(expression: Expression) -> Expression:
    """The expression with its parameters as numbers, their initial values."""
    return with_values(expression, expression.initial_values)


def _too_long(expression: Expression, steps: Steps, bits: int, fit: str) -> ExpressionError:
    """The error of steps that need a longer text than an expression may have; it names the bits that do not."""
    needs = "1 bit needs" if bits == 1 else f"{bits} bits need"
    text = f"{expression.text}: {needs} {len(steps.borders)} borders, more than an expression has room for"
    if bits == SMALLEST:
        return ExpressionError(text)
    try:
        few_bit(expression, bits - 1, fit)
    except ExpressionError as error:
        return error
    return ExpressionError(f"{text}; expected at most {bits - 1}")
