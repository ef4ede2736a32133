"""Information depth: through how many layers two inputs stay apart, at the best weights there are for a function."""

from __future__ import annotations

import math

from evaluators.objectives.formula.base import FormulaObjective, same_everywhere
from primitives.analysis import information_depth
from primitives.equivalence.kinds import plainest
from primitives.errors import ExpressionError
from primitives.expression.expression import Expression


class InformationDepth(FormulaObjective):
    """:func:`primitives.analysis.information_depth`, beta of the edge of chaos for biases of deviation 0.2.

    There, behind l layers, the correlation of two inputs is 1 - beta / l. Functions with kinks have 0: for them it is
    1 - const / l^2. There is no number, and a job is refused, where a function has no edge of chaos, as softplus, or
    where variances run away from it, as those of GELU and SiLU do. Nor is there one of layers with statistics, gates
    and different functions by place.
    """

    name = "information_depth"
    unit = "layers"
    direction = "maximize"
    formula = "2 E f'(u)^2 / (q E f''(u)^2), u of the variance q on the edge of chaos with biases of deviation 0.2"
    source = "beta_q of Hayou et al. 2019, arXiv:1902.06853"

    def lacks(self, expression: Expression) -> str:
        if why := same_everywhere(expression):
            return why
        try:
            information_depth(expression)
        except ExpressionError as error:
            return str(error)
        return ""

    def of(self, expression: Expression) -> float:
        return math.nan if self.lacks(expression) else information_depth(plainest(expression))
