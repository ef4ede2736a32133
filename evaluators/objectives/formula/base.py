"""What objectives of the formula alone share: the same in every run, known without training."""

from __future__ import annotations

from abc import abstractmethod

from evaluators.objectives.objective import Objective, Trained
from primitives.expression.expression import Expression


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
