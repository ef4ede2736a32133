"""What objectives of the formula alone share: the same in every run, known without training."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from statistics import fmean
from typing import ClassVar

from evaluators.objectives.objective import Objective, Trained
from primitives.analysis import critical, output_factor
from primitives.equivalence.kinds import kind_in_words, plainest
from primitives.expression.expression import Expression

UNBOUNDED = 1e6  # stands for a number without a bound: Optuna's hypervolumes cannot use infinity


class FormulaObjective(Objective):
    """A property of the formula."""

    kind = "formula"

    @abstractmethod
    def of(self, expression: Expression) -> float:
        """The number of a formula; finite, as Optuna's hypervolumes cannot use infinity. NaN where a kind of function
        has none, see :meth:`Objective.lacks`: such a candidate fails.
        """

    def value(self, trained: Trained) -> float:
        return self.of(trained.expression)


class PointwiseObjective(FormulaObjective):
    """A property of a function of one number; of ``layers(...)`` the mean of its functions'.

    There is none of layers with statistics and gates: NaN.
    """

    @staticmethod
    def together(numbers: Sequence[float]) -> float:
        """The number of ``layers(...)``, out of those of its functions."""
        return fmean(numbers)

    def lacks(self, expression: Expression) -> str:
        return not_pointwise(expression)

    def of(self, expression: Expression) -> float:
        return math.nan if self.lacks(expression) else self.together([self.of_one(part) for part in expression.parts])

    @abstractmethod
    def of_one(self, function: Expression) -> float:
        """The number of a function of one number; finite."""


class ScaledObjective(PointwiseObjective):
    """A property of the function that a network applies: of f / sqrt(E f(z)^2), with which c*f has the same as f; of
    f itself where a task's scale is ``"none"``; of f(s x) / sqrt(E f(s z)^2) where it is ``"critical"``. At most 1e6,
    which also stands for infinity.

    Attributes:
        degree: c*f has the number of f times abs(c)**degree.
    """

    degree: ClassVar[int]

    @abstractmethod
    def as_it_is(self, function: Expression) -> float:
        """The number of f itself, not always finite."""

    def of_one(self, function: Expression) -> float:
        return min(self.as_it_is(function) * output_factor(function) ** self.degree, UNBOUNDED)

    def value(self, trained: Trained) -> float:
        f = trained.expression
        if trained.scale == "none" and not self.lacks(f):
            return self.together([min(self.as_it_is(part), UNBOUNDED) for part in f.parts])
        return self.of(critical(f) if trained.scale == "critical" else f)


def not_pointwise(expression: Expression) -> str:
    """Which part of an expression is no function of one number, for people; "" where all are."""
    for part in expression.parts:
        if not plainest(part).is_pointwise:
            return f"expected functions of one number, but {part.text} is {kind_in_words(part)}"
    return ""


def same_everywhere(expression: Expression) -> str:
    """:func:`not_pointwise`, or that the places have different functions; for what repeats one function for ever."""
    form = plainest(expression)
    if why := not_pointwise(form):
        return why
    return "" if form.is_pointwise else f"expected the same function in every place, got {kind_in_words(form)}"
