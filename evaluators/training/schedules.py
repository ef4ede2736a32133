"""Learning-rate schedules: the factor of every slice's rate at a step. A warm-up is a part of them."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Constant:
    """The grid's rate at every step, after a warm-up if there is one.

    Args:
        warmup: steps until the rate is reached, a whole number, or below 1 their share of all steps. The rate rises
            in a line, as with torch's ``LinearLR(start_factor=1/(warmup + 1), total_iters=warmup)``. Where it is as
            long as the training, the rate is never reached.
    """

    warmup: float = 0

    def factor(self, step: int, steps: int) -> float:
        """The factor at a step, counted from 0, of so many."""
        return _risen(self.warmup, step, steps)

    def fault(self) -> str | None:
        """The setting that means nothing, what was expected and what came; None if there is none."""
        return _warmup_fault(self.warmup)


@dataclass(frozen=True, slots=True)
class Cosine:
    """Half a cosine from 1 after the warm-up down to the end (Loshchilov and Hutter 2017, without restarts).

    It is torch's ``CosineAnnealingLR(T_max=steps - warmup, eta_min=final * rate)``, after a warm-up ``LinearLR``.

    Args:
        warmup: as for :class:`Constant`.
        final: the factor at step number ``steps``.
    """

    warmup: float = 0
    final: float = 0.0

    def factor(self, step: int, steps: int) -> float:
        """The factor at a step, counted from 0, of so many."""
        first = _warmup_steps(self.warmup, steps)
        if step < first:
            return _risen(self.warmup, step, steps)
        done = (step - first) / max(1, steps - first)
        return self.final + (1 - self.final) * ((1 + math.cos(math.pi * done)) / 2)

    def fault(self) -> str | None:
        """The setting that means nothing, what was expected and what came; None if there is none."""
        if not 0 <= self.final <= 1:
            return f"final: expected a factor from 0 to 1, got {self.final}"
        return _warmup_fault(self.warmup)


@dataclass(frozen=True, slots=True)
class OneCycle:
    """One cycle (Smith and Topin 2018), as torch's ``OneCycleLR(max_lr=rate, cycle_momentum=False)`` has it.

    The grid's rate is the highest one. Half a cosine leads up to it and another one down; momentum stays.

    Args:
        peak_at: share of the steps after which the rate is highest, torch's ``pct_start``.
        start_divisor: the highest rate over the first, torch's ``div_factor``.
        final_divisor: the first rate over the last, torch's ``final_div_factor``.
    """

    peak_at: float = 0.3
    start_divisor: float = 25.0
    final_divisor: float = 1e4

    def factor(self, step: int, steps: int) -> float:
        """The factor at a step, counted from 0, of so many."""
        first, peak, last = 1 / self.start_divisor, self.peak_at * steps - 1, steps - 1
        if step <= peak:
            return _eased(first, 1.0, step / peak if peak else 1.0)
        return _eased(1.0, first / self.final_divisor, min(1.0, (step - peak) / (last - peak)))

    def fault(self) -> str | None:
        """The setting that means nothing, what was expected and what came; None if there is none."""
        if not 0 < self.peak_at < 1:
            return f"peak_at: expected a share of the steps between 0 and 1, got {self.peak_at}; the usual one is 0.3"
        for name, divisor in (("start_divisor", self.start_divisor), ("final_divisor", self.final_divisor)):
            if not 1 <= divisor < math.inf:
                return f"{name}: expected a number from 1 on, got {divisor}"
        return None


RateSchedule = Constant | Cosine | OneCycle

#: By the name that a task gives.
SCHEDULES: dict[str, RateSchedule] = {"constant": Constant(), "cosine": Cosine(), "one-cycle": OneCycle()}


def schedule_named(asked: str | RateSchedule) -> RateSchedule:
    """The schedule, if a name stands for it."""
    return SCHEDULES[asked] if isinstance(asked, str) else asked


def _warmup_steps(warmup: float, steps: int) -> int:
    return round(warmup * steps) if warmup < 1 else int(warmup)


def _risen(warmup: float, step: int, steps: int) -> float:
    return min(1.0, (step + 1) / (_warmup_steps(warmup, steps) + 1))


def _eased(start: float, end: float, done: float) -> float:
    """From one factor to another along half a cosine."""
    return end + (start - end) / 2.0 * (math.cos(math.pi * done) + 1)


def _warmup_fault(warmup: float) -> str | None:
    if 0 <= warmup < math.inf and (warmup < 1 or warmup == int(warmup)):
        return None
    near = f"; the nearest is {round(warmup)}" if 1 < warmup < math.inf else ""
    return f"warmup: expected a whole number of steps, or a share of them from 0 to below 1, got {warmup}{near}"
