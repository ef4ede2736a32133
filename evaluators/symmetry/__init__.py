"""Symmetry: which other signs of a candidate a task's network takes for the candidate itself."""

from evaluators.symmetry.signs import Signs, signs_of

__all__ = ["Signs", "signs_of"]
