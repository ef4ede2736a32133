"""What every lowering target must do: reproduce value and derivatives of the catalogue, of every operator and of 300
sampled functions.

Where the reference is finite, the target may differ by what rounding in its dtype explains: the spread of 16
evaluations with random errors of up to four units in the last place behind each operator, doubled; see
:mod:`primitives.lowering.reference`. Where the value is NaN or infinite in float64, the target's value in float64 is
not finite either. About derivatives nothing is required there, nor at inputs that are not finite, where a value may be
NaN too (torch's sign of NaN is 0). Where a built-in of
torch takes the place of a formula, torch's code is held against the built-in: at a kink it may have the other slope.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
import torch
from torch import Tensor

from primitives.catalogue import catalogue
from primitives.expression.application import apply
from primitives.expression.expression import Expression, constant, variable
from primitives.expression.parsing import parse
from primitives.grammars import grammar
from primitives.lowering.reference import VALUE, Reference, points_of, reference, second_points
from primitives.operators.table import elementwise_operators

SAMPLED = {"default": 60, "pangaea": 50, "aquasurf": 40, "swish2017": 40, "grafs": 40, "safs": 40, "evoactiv": 30}
GATES = (
    *("x*z", "silu(x)*z", "sigmoid(x)*z", "gelu(z)*x", "relu(x)*relu(z)", "x+z", "z", "max(x,a*z)+b*x; a=0.5, b=-0.3"),
    *("paired(relu(x),relu(x+0.1))*z", "x*tanh(b*z)+where(z>0.5,x,sin(z)); b=1.5", "exp(min(x,z))/(1+abs(x-z))"),
)
GROUPS = ("catalogue", "operators", "gates", *SAMPLED)
FACTOR = 1.23


@cache
def functions(group: str) -> tuple[Expression, ...]:
    """The catalogue, every operator, gates, or functions drawn from a grammar."""
    if group == "gates":
        return tuple([parse(text) for text in GATES])
    if group == "operators":
        numbers = [constant(each) for each in (0.75, 1.25, 0.375, 2.0)]
        rows = elementwise_operators().items()
        return tuple([apply(name, variable(), *numbers[: row.arity - 1]) for name, row in rows])
    if group == "catalogue":
        return tuple([known.expression for known in catalogue()])
    rng = np.random.Generator(np.random.PCG64(7))
    return tuple([grammar(group).sample(rng) for _ in range(SAMPLED[group])])


def points(expression: Expression) -> Tensor:
    """Those of the self-tests, NaN and infinities."""
    return torch.cat([points_of(expression), torch.tensor([torch.nan, torch.inf, -torch.inf], dtype=torch.float64)])


def inputs(expression: Expression) -> list[Tensor]:
    """What the function is called with: the points, and for a gate z, the points in another order."""
    x = points(expression)
    return [x, second_points(x)] if "z" in expression.inputs else [x]


def names(expression: Expression) -> list[str]:
    """What derivatives are by."""
    return ["x", *expression.operands]


@cache
def known(expression: Expression, dtype: torch.dtype = torch.float64) -> Reference:
    """The reference of ``FACTOR * expression`` at the points."""
    return reference(expression, points(expression), factor=FACTOR, dtype=dtype)


def differences(
    expression: Expression, found: Mapping[str, Sequence[float] | Tensor], dtype: torch.dtype = torch.float64
) -> list[str]:
    """Where numbers that a target computed, ``"value"`` and derivatives by name, break the contract."""
    expected = known(expression, dtype)
    finite = torch.stack([each.isfinite() for each in inputs(expression)]).all(0)
    wrong = []
    for name, numbers in found.items():
        of = VALUE if name == "value" else name
        got, best = torch.as_tensor(numbers, dtype=torch.float64), expected.values[of]
        bad = best.isfinite() & ~((got - best).abs() <= expected.allowed[of])
        if name != "value":
            bad &= finite
        bad &= finite | ~got.isnan()
        if name == "value" and dtype == torch.float64:
            bad |= ~best.isfinite() & got.isfinite()
        wrong += [
            f"{expression.text}: {name} at x = {float(expected.points[i])!r} is {float(got[i])!r}, expected "
            f"{float(best[i])!r} +- {float(expected.allowed[of][i]):.2g}"
            for i in bad.nonzero().flatten().tolist()
        ]
    return wrong
