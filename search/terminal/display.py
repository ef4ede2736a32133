"""The display of a job at work: one live panel at a terminal, plain lines elsewhere."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.constrain import Constrain
from rich.live import Live
from rich.text import Text

from primitives.quoting import visible
from search.engine.loop import Progress
from search.terminal.panel import STOP, Pace, clock, line, panel

_REFRESH = 2  # panels a second, drawn by a thread
_ECHO = 3  # columns left free for the ^C that a terminal writes behind the panel: a line lower it would be drawn askew


class Display:
    """Shows a job at work; a context manager.

    Args:
        console: where to. The panel needs a terminal that can move its cursor.
        quiet: show nothing while it works.
        every: seconds between two lines without such a terminal; the last line is always written.
    """

    def __init__(self, console: Console, *, quiet: bool = False, every: float) -> None:
        self.console, self.quiet, self.every = console, quiet, every
        self._pace = Pace()
        self._progress: Progress | None = None
        self._part, self._ended = "", False
        self._written, self._waiting = -math.inf, False
        self._live = Live(console=console, get_renderable=self._panel, refresh_per_second=_REFRESH)

    def __enter__(self) -> Display:
        if _moves(self.console) and not self.quiet:
            self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._write_waiting()
        self._ended = True
        with self._output():
            self._live.stop()  # gives the cursor back, after Ctrl-C too

    def say(self, text: str) -> None:
        """A line of text; with a panel it goes above it."""
        self._write_waiting()
        if not self.quiet:
            # in a group, as print would make one text that wraps of it; soft_wrap would hold for the panel, too
            whole = Group(Text(visible(text), no_wrap=True, overflow="ignore"))
            with self._output():
                self.console.print(whole, crop=False)

    def step(self, progress: Progress) -> None:
        """A cohort was recorded."""
        self._pace.add(progress.entry.trained)
        self._progress = progress
        if self.quiet or self._live.is_started:
            return
        self._waiting = True
        if time.monotonic() - self._written >= self.every:
            self._write_waiting()

    def part(self, text: str) -> None:
        """How far what takes long is: a line below the panel, or one every so many seconds; "" takes it away."""
        self._part = visible(text)
        if text and not (self.quiet or self._live.is_started) and time.monotonic() - self._written >= self.every:
            self._written = time.monotonic()
            self.say(text)

    @contextmanager
    def _output(self) -> Iterator[None]:
        """Go on without an output that is gone, as of a closed ssh: the job's files are what it works for."""
        try:
            yield
        except (OSError, SystemExit):  # rich ends the process at a pipe that is closed
            self.quiet = True
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.console.file.fileno())  # what is left in the buffer goes there, too
            os.close(nowhere)

    def _write_waiting(self) -> None:
        """Write the last step's line, if it was not written."""
        if self._waiting and self._progress is not None:
            self._waiting, self._written = False, time.monotonic()
            self.say(line(self._progress, self._pace))

    def _panel(self) -> RenderableType:
        shown: list[RenderableType] = []
        if self._progress:
            shown.append(panel(self._progress, self._pace, ended=self._ended))
        elif not (self._part or self._ended):
            shown.append(Text(f"at work for {clock(self._pace.elapsed)}. {STOP}"))  # a first cohort may take long
        if self._part:
            shown.append(Text(self._part, no_wrap=True, overflow="ellipsis"))
        return Constrain(Group(*shown), max(1, self.console.width - _ECHO))


def _moves(console: Console) -> bool:
    """True for a terminal whose cursor can be moved. FORCE_COLOR makes rich take a file for one."""
    return console.is_terminal and not console.is_dumb_terminal and console.file.isatty()
