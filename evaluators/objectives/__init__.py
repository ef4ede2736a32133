"""Objectives: the numbers by which candidates are compared; each has a unit, a direction, a formula and a source."""

from evaluators.objectives.against import Against
from evaluators.objectives.constraint import Constraint, constraint
from evaluators.objectives.formula.cost import cost
from evaluators.objectives.formula.lipschitz import lipschitz
from evaluators.objectives.formula.saved_bytes import saved_bytes
from evaluators.objectives.gain import AGGREGATES, Aggregate, aggregated, chosen_losses, gains, mean_gain
from evaluators.objectives.measured import MeasuredObjective, check_measured, measure
from evaluators.objectives.objective import Objective, Trained
from evaluators.objectives.registry import (
    DEFAULT,
    OBJECTIVES,
    check_kinds,
    check_names,
    measured_names,
    measured_objectives,
    objective,
    stand_in,
)
from evaluators.objectives.scores import cohort_gains, score

__all__ = [
    "AGGREGATES",
    "DEFAULT",
    "OBJECTIVES",
    "Against",
    "Aggregate",
    "Constraint",
    "MeasuredObjective",
    "Objective",
    "Trained",
    "aggregated",
    "check_kinds",
    "check_measured",
    "check_names",
    "chosen_losses",
    "cohort_gains",
    "constraint",
    "cost",
    "gains",
    "lipschitz",
    "mean_gain",
    "measure",
    "measured_names",
    "measured_objectives",
    "objective",
    "saved_bytes",
    "score",
    "stand_in",
]
