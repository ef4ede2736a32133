"""Objectives: a named dict; each has a unit, a direction, a formula and a source."""

from evaluators.objectives.cost import cost
from evaluators.objectives.formula import complexity, lipschitz, saved_bytes
from evaluators.objectives.gain import AGGREGATES, Aggregate, aggregated, chosen_losses, gains, mean_gain
from evaluators.objectives.objective import Objective
from evaluators.objectives.scores import cohort_gains, score
from evaluators.objectives.table import DEFAULT, OBJECTIVES, check_names, measured_names

__all__ = [
    "AGGREGATES",
    "DEFAULT",
    "OBJECTIVES",
    "Aggregate",
    "Objective",
    "aggregated",
    "check_names",
    "chosen_losses",
    "cohort_gains",
    "complexity",
    "cost",
    "gains",
    "lipschitz",
    "mean_gain",
    "measured_names",
    "saved_bytes",
    "score",
]
