"""Chi: how much a layer scales the gradients that go back through it."""

from __future__ import annotations

import math

from evaluators.objectives.formula.base import UNBOUNDED, PointwiseObjective
from primitives.analysis import analyse
from primitives.expression.expression import Expression

DIGITS = 12  # behind them is rounding


class Chi(PointwiseObjective):
    """|log chi|, chi = E f'(z)^2 / E f(z)^2: the factor of a layer's squared gradients at a variance of 1.

    The layer has no biases, and weights that keep this variance. In a network of L layers without normalisation
    gradients grow or shrink by chi^(L/2), so 0 is best; far from 0 a deep network does not train. Where chi is 0 or has
    no number, as where E f(z)^2 is infinite, it is 1e6.
    """

    name = "chi"
    unit = "nats a layer"
    direction = "minimize"
    formula = "|log(E f'(z)^2 / E f(z)^2)|, at most 1e6"
    source = "chi_1 of Schoenholz et al. 2017, arXiv:1611.01232, at variance 1"

    def of_one(self, function: Expression) -> float:
        known = analyse(function).gaussian
        if known is None or not known.chi:
            return UNBOUNDED
        return min(round(abs(math.log(known.chi)), DIGITS), UNBOUNDED)
