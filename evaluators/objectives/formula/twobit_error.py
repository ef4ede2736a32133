"""Two-bit error: what gradients lose where a layer keeps two bits an element instead of its input."""

from __future__ import annotations

from evaluators.objectives.formula.base import ScaledObjective
from primitives.expression.expression import Expression
from primitives.fewbit.fit import least_error

BITS = 2


class TwoBitError(ScaledObjective):
    """:func:`primitives.fewbit.fit.least_error` of the function that a network applies, see :class:`ScaledObjective`,
    at 2 bits an element.

    It is 0 for functions whose slope has at most four levels, such as ReLU; 1e6 where E f'(z)^2 is infinite. There is
    none of layers with statistics and gates: NaN.
    """

    name = "twobit_error"
    unit = "squared slope"
    direction = "minimize"
    formula = "min E[(f'(z) - q(z))^2] / E f(z)^2 over all q of four levels; not divided where the scale is none"
    source = "Novikov et al. 2022, arXiv:2202.00441"
    degree = 2

    def as_it_is(self, function: Expression) -> float:
        return least_error(function, BITS)
