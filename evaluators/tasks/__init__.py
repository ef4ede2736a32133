"""Tasks: the shipped ones, whose data installs with a package or with Python, and users' own."""

from evaluators.tasks.finder import expanded, task, task_names, task_names_with_extras

__all__ = ["expanded", "task", "task_names", "task_names_with_extras"]
