"""Profiles: what a function is good for, seen from many sides, each a task and an objective."""

from evaluators.profile.measure import Profile, measure_task, profile
from evaluators.profile.sides import SIDES, Side, chosen_sides

__all__ = ["SIDES", "Profile", "Side", "chosen_sides", "measure_task", "profile"]
