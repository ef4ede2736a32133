# mypy: ignore-errors
"""Loaded by every Python process of ``benchmarks/first_result.py``: notes when training begins and comes to a rung.

It wraps two functions of ``evaluators.training.train`` as soon as that is imported; a line is the time and what it is.
"""

import os
import sys
import time
from importlib.machinery import PathFinder

NAME = "evaluators.training.train"


def note(what: str) -> None:
    """Add a line to the file that the benchmark reads."""
    with open(os.environ["FIRST_RESULT"], "a", encoding="utf-8") as file:
        file.write(f"{time.time()} {what}\n")


class Probe:
    """A finder that lets a module be loaded as it is, and wraps it then."""

    def find_spec(self, name, path=None, target=None):
        """Of the one module."""
        if name != NAME:
            return None
        spec = PathFinder.find_spec(name, path)
        load = spec.loader.exec_module

        def loaded(module):
            load(module)
            wrap(module)

        spec.loader.exec_module = loaded
        return spec


def wrap(module) -> None:
    """Note each training and each rung of a stack."""
    train, noted = module.train, module._note

    def begun(task, *given, **named):
        note(f"train {task.name}")
        return train(task, *given, **named)

    def at_rung(models, outcomes, step):
        noted(models, outcomes, step)
        note(f"{'end' if step == models.schedule.steps else 'rung'} {models.task.name}")

    module.train, module._note = begun, at_rung


if "FIRST_RESULT" in os.environ:
    sys.meta_path.insert(0, Probe())
