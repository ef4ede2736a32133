"""The shipped tasks, all of whose data installs with a package or with Python, and a user's own."""

from evaluators.tasks.finder import expanded, task, task_names

__all__ = ["expanded", "task", "task_names"]
