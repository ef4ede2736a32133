"""Tasks: the shipped ones, whose data installs with a package or with Python, and users' own."""

from evaluators.tasks.finder import expanded, label, task, task_names
from evaluators.tasks.user_file import is_reference, parts_of, pinned

__all__ = ["expanded", "is_reference", "label", "parts_of", "pinned", "task", "task_names"]
