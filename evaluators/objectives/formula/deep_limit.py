"""Deep limit: which classifier an infinitely wide and deep network is."""

from __future__ import annotations

import math

from evaluators.objectives.formula.base import FormulaObjective, same_everywhere
from primitives.analysis import deep_limit
from primitives.expression.expression import Expression

#: The classes by how good a classifier they can be: a majority vote does not look at the input, the nearest example has
#: at most twice the least possible error (Cover and Hart 1967), a singular kernel of the right order the least.
CODES = {"none": 0.0, "majority": 1.0, "nearest": 2.0, "singular": 3.0}


class DeepLimitClass(FormulaObjective):
    """The class of :func:`primitives.analysis.deep_limit` as a number.

    0 is none of the three, as of linear functions and steps, 1 the majority vote, 2 the nearest neighbour, 3 a singular
    kernel. The conditions of the classes are derived, not read in the paper: UNVERIFIED. Layers with statistics, gates
    and different functions by place have no number.
    """

    name = "ntk_class"
    unit = "class"
    direction = "maximize"
    formula = (
        "0 none, 1 majority (E f != 0), 2 nearest neighbour (E f = E f' = 0), 3 singular kernel (E f = 0, E f' != 0)"
    )
    source = "the classes: Radhakrishnan et al. 2023, arXiv:2204.14126; the conditions: derived here, UNVERIFIED there"

    def lacks(self, expression: Expression) -> str:
        return same_everywhere(expression)

    def of(self, expression: Expression) -> float:
        return math.nan if self.lacks(expression) else CODES[deep_limit(expression).classifier]
