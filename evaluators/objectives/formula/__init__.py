"""Objectives that are properties of the formula alone: one a module, and the class that they share."""

from evaluators.objectives.formula.base import FormulaObjective

__all__ = ["FormulaObjective"]
