"""The live panel of a job at work, and the same in one line."""

from __future__ import annotations

import time
from collections import deque

from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from primitives.quoting import visible
from search.engine.loop import Progress
from search.terminal.tables import gains_line

RECENT = 32  # cohorts that the pace is taken from
STOP = "Ctrl-C ends it when what is in flight is done"


class Pace:
    """How fast classes are trained: over the last cohorts, as a job's first ones wait for the workers to start."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self._seen: deque[tuple[float, int]] = deque(maxlen=RECENT)

    def add(self, trained: int) -> None:
        """So many classes are trained now."""
        self._seen.append((time.monotonic(), trained))

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    @property
    def per_minute(self) -> float | None:
        """Classes a minute; None before the second cohort."""
        if len(self._seen) < 2:
            return None
        (before, first), (after, last) = self._seen[0], self._seen[-1]
        return 60 * (last - first) / max(after - before, 1e-9)

    def left(self, budget: int) -> float | None:
        """Seconds to the budget; None while that is not known, and when it is reached."""
        rate = self.per_minute
        if not rate or self._seen[-1][1] >= budget:
            return None
        at, trained = self._seen[-1]
        return max(0.0, 60 * (budget - trained) / rate - (time.monotonic() - at))


def line(progress: Progress, pace: Pace) -> str:
    """A job's progress in one line of text."""
    entry = progress.entry
    return (
        f"[{_spent(progress)}] cohort {entry.cohort}, {_rate(pace)}, "
        f"{_clocks(progress, pace)}, front {entry.front}, {_best(progress)}"
    )


def panel(progress: Progress, pace: Pace, *, ended: bool = False) -> Panel:
    """A job's progress in a frame; a formula that is too long for it ends with an ellipsis.

    Args:
        progress: of the job.
        pace: of the job.
        ended: nothing works on it any more: no time is left, and there is nothing to stop.
    """
    entry, funnel = progress.entry, progress.funnel
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column(ratio=1)
    bar = Table.grid(padding=(0, 1), expand=True)
    bar.add_row(
        ProgressBar(total=progress.budget, completed=min(entry.spent, progress.budget)),
        Text(_spent(progress), no_wrap=True),
    )
    grid.add_row("trained", bar)
    grid.add_row("best", Text(_best(progress).removeprefix("best "), no_wrap=True, overflow="ellipsis", style="bold"))
    grid.add_row("front", f"{entry.front}, after cohort {entry.cohort}")
    grid.add_row(
        "funnel",
        f"{funnel.proposed} proposed, {funnel.screened.total()} screened, {funnel.known} known, "
        f"{funnel.trained} trained, {funnel.failed} failed, {funnel.unpromising} unpromising",
    )
    grid.add_row("time", f"{clock(pace.elapsed) if ended else _clocks(progress, pace)}, {_rate(pace)}")
    if nulls := gains_line(funnel.null_gains):
        grid.add_row("noise", f"null controls {nulls}")
    at_work = entry.spent < progress.budget and not ended
    return Panel(grid, subtitle=STOP if at_work else None, subtitle_align="left", style="none")


def _spent(progress: Progress) -> str:
    """As ``24/48``: classes, with what mixtures count as."""
    mixed = progress.entry.mixed
    more = f" and {mixed:.1f} for mixtures" if mixed else ""
    return f"{progress.entry.trained}{more}/{progress.budget}"


def _rate(pace: Pace) -> str:
    rate = pace.per_minute
    return "..." if rate is None else f"{rate:.0f} classes/min"


def _clocks(progress: Progress, pace: Pace) -> str:
    left = pace.left(progress.budget - int(progress.entry.mixed))
    return clock(pace.elapsed) if left is None else f"{clock(pace.elapsed)}, {clock(left)} left"


def _best(progress: Progress) -> str:
    best = progress.entry.best
    return "no class trained to the end yet" if best is None else f"best {best.gain:+.3f} {visible(best.expression)}"


def clock(seconds: float) -> str:
    """Seconds below a minute and a half, as in "47 s"; beyond that "12:05" and "3:02:11"."""
    whole = round(seconds)
    if whole < 90:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
