"""Objectives that are properties of the formula alone: one a module, and the classes that they share."""

from evaluators.objectives.formula.base import FormulaObjective, PointwiseObjective

__all__ = ["FormulaObjective", "PointwiseObjective"]
