"""What every lowering target must do: reproduce value and derivatives of the catalogue and of 300 sampled functions.

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
from primitives.expression.expression import Expression
from primitives.grammars import grammar
from primitives.lowering.reference import VALUE, Reference, points_of, reference

SAMPLED = {"default": 60, "pangaea": 50, "aquasurf": 40, "swish2017": 40, "grafs": 40, "safs": 40, "evoactiv": 30}
GROUPS = ("catalogue", *SAMPLED)
FACTOR = 1.23


@cache
def functions(group: str) -> tuple[Expression, ...]:
    """The catalogue, or functions drawn from a grammar."""
    if group == "catalogue":
        return tuple([known.expression for known in catalogue()])
    rng = np.random.Generator(np.random.PCG64(7))
    return tuple([grammar(group).sample(rng) for _ in range(SAMPLED[group])])


def points(expression: Expression) -> Tensor:
    """Those of the self-tests, NaN and infinities."""
    return torch.cat([points_of(expression), torch.tensor([torch.nan, torch.inf, -torch.inf], dtype=torch.float64)])


@cache
def known(expression: Expression, dtype: torch.dtype = torch.float64) -> Reference:
    """The reference of ``FACTOR * expression`` at the points."""
    return reference(expression, points(expression), factor=FACTOR, dtype=dtype)


def differences(
    expression: Expression, found: Mapping[str, Sequence[float] | Tensor], dtype: torch.dtype = torch.float64
) -> list[str]:
    """Where numbers that a target computed, ``"value"`` and derivatives by name, break the contract."""
    expected = known(expression, dtype)
    wrong = []
    for name, numbers in found.items():
        of = VALUE if name == "value" else name
        got, best = torch.as_tensor(numbers, dtype=torch.float64), expected.values[of]
        bad = best.isfinite() & ~((got - best).abs() <= expected.allowed[of])
        if name != "value":
            bad &= expected.points.isfinite()
        bad &= expected.points.isfinite() | ~got.isnan()
        if name == "value" and dtype == torch.float64:
            bad |= ~best.isfinite() & got.isfinite()
        wrong += [
            f"{expression.text}: {name} at x = {float(expected.points[i])!r} is {float(got[i])!r}, expected "
            f"{float(best[i])!r} +- {float(expected.allowed[of][i]):.2g}"
            for i in bad.nonzero().flatten().tolist()
        ]
    return wrong
