"""Learning-rate schedules: the factor of every slice's rate at a step."""

from __future__ import annotations

import math
from collections.abc import Callable


def constant(step: int, steps: int) -> float:
    """1 at every step."""
    return 1.0


def cosine(step: int, steps: int) -> float:
    """Half a cosine from 1 at step 0 to 0 at step number ``steps`` (Loshchilov and Hutter 2017, without restarts)."""
    return (1 + math.cos(math.pi * step / steps)) / 2


#: By the name that a task gives: from the step and the full budget to the factor.
SCHEDULES: dict[str, Callable[[int, int], float]] = {"constant": constant, "cosine": cosine}
