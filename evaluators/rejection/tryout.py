"""A rung rule of a user's file tried out on made-up losses, so that what cannot work is refused before a job begins."""

from __future__ import annotations

import numpy as np

from evaluators.rejection.base import SMALLEST_SET, CalibrationSet, Thresholds
from evaluators.rejection.registry import rung_rule
from evaluators.rejection.target import RecallTarget
from evaluators.seeds import numpy_generator
from primitives.errors import UserFileError
from primitives.user_file import made

_RUNGS = [("task", step) for step in (4, 8, 16)]


def try_out_rule(reference: str, target: RecallTarget) -> None:
    """Calibrate the rule and let it decide.

    Raises:
        UserFileError: the rule fails, with file and line, or a threshold is not finite or belongs to the end.
    """
    rule = rung_rule(reference)
    rows = numpy_generator(0, "rung rule").normal(size=(2 * SMALLEST_SET, len(_RUNGS)))
    rows[: SMALLEST_SET // 4, 1:] = np.inf  # candidates that failed

    def decided() -> Thresholds:
        rule.describe(target)
        learnt = rule.calibrate(CalibrationSet(rows, _RUNGS, (4, 4, 8)), target)
        for rung in _RUNGS[:-1]:
            rule.decide(learnt, rung, 0.0)
        return learnt

    learnt = made(reference, "rung rule", decided)
    if _RUNGS[-1] in learnt or not np.isfinite(np.array([*learnt.values()], dtype=float)).all():
        raise UserFileError(
            f"{reference}: expected finite thresholds for at most {len(_RUNGS) - 1} of {len(_RUNGS)} rungs, "
            f"got {[*learnt.values()]}"
        )
