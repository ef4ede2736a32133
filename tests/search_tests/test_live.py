"""What a job shows at work: the panel's text, the lines where there is no terminal, and a terminal left in order."""

from __future__ import annotations

import fcntl
import io
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from rich.console import Console

from search import Job, Run
from search.engine.funnel_counts import FunnelCounts
from search.engine.loop import Progress
from search.engine.reporter import Silent
from search.records.trace_codec import entry_to_json
from search.records.trace_entry import TraceEntry
from search.storage.trace import read_trace
from search.terminal import panel
from search.terminal.display import Display
from search.terminal.panel import Pace, clock
from search.terminal.panel import panel as drawn
from tests import plain

LONG = "min(" * 30 + "x" + ",sin(x))" * 30


def entry(cohort: int, best: str | None = "x*atan(x)") -> TraceEntry:
    """The line of a cohort of ten."""
    return plain.entry(
        cohort=cohort,
        trained=10 * cohort + 10,
        proposed=16,
        counts={"known": 4, "affine": 2, "accepted": 10},
        rejected={"non-finite": 1, "unpromising": 3},
        front=4,
        best=None if best is None else {"expression": best, "gain": 0.25},
        null_gains=[0.1, None] if cohort == 0 else [],
    )


def progress(cohorts: int, best: str | None = "x*atan(x)") -> Progress:
    lines = [entry(number, best) for number in range(cohorts)]
    return Progress(100, lines[-1], FunnelCounts.of(lines))


@pytest.fixture
def clockwork(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that stands unless it is set: a list with the time."""
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


def test_a_part_that_is_over_is_taken_away_and_prints_no_line(clockwork: list[float]) -> None:
    out = io.StringIO()
    with Display(Console(file=out, width=80), every=10.0) as display:
        display.part("digits, step 25 of 100")
        clockwork[0] = 20.0
        display.part("")
        with display.console.capture() as captured:
            display.console.print(display._panel())
    assert out.getvalue() == "digits, step 25 of 100\n"
    assert "step 25" not in captured.get()


def text(shown: Progress, pace: Pace, width: int) -> str:
    console = Console(width=width, file=io.StringIO(), record=True, legacy_windows=False)
    console.print(drawn(shown, pace))
    return console.export_text()


def test_the_panel_says_how_far_the_job_is(clockwork: list[float]) -> None:
    pace = Pace()
    for cohort in range(3):
        clockwork[0] = 30.0 * cohort + 30
        pace.add(10 * cohort + 10)
    found = text(progress(3), pace, 100)
    for words in (
        "30/100", "+0.250 x*atan(x)", "4, after cohort 2", "48 proposed, 6 screened, 12 known, 30 trained", "3 failed",
        "9 unpromising", "20 classes/min", "1:30, 3:30 left", "null controls +0.100, -", panel.STOP,
    ):  # fmt: skip
        assert words in found
    clockwork[0] += 60
    assert "2:30, 2:30 left" in text(progress(3), pace, 100)


def test_a_job_that_has_ended_has_no_time_left_and_nothing_to_stop(clockwork: list[float]) -> None:
    pace = Pace()
    for cohort in range(2):
        clockwork[0] += 30.0
        pace.add(10 * cohort + 10)
    console = Console(width=100, file=io.StringIO(), record=True, legacy_windows=False)
    console.print(drawn(progress(2), pace, ended=True))
    found = console.export_text()
    assert "60 s, 20 classes/min" in found and "left" not in found and panel.STOP not in found


@pytest.mark.parametrize("width", [1, 2, 10, 24, 40, 80, 200])
@pytest.mark.parametrize("best", ["x", LONG, None, "[bold]x"])
def test_it_fits_every_width(width: int, best: str | None) -> None:
    lines = text(progress(1, best), Pace(), width).splitlines()
    assert all(len(line) <= width for line in lines)
    if width >= 24:
        assert sum("best" in line for line in lines) == 1
        assert len(lines) <= (14 if width >= 40 else 24)
    if width >= 80 and best:
        shown = next(line for line in lines if "best" in line)
        assert ("…" in shown) == (best == LONG)
        assert best[:9] in shown


def test_the_pace_is_that_of_the_last_cohorts(clockwork: list[float]) -> None:
    pace = Pace()
    assert pace.per_minute is None
    assert pace.left(5) is None
    for number in range(panel.RECENT + 100):
        clockwork[0] += 60.0 if number < 100 else 1.0  # slow at first
        pace.add(number)
    assert pace.per_minute == 60.0
    assert pace.left(panel.RECENT + 109) == 10.0
    assert pace.left(panel.RECENT + 99) is None


@pytest.mark.parametrize(
    "seconds, shown", [(0, "0 s"), (89.4, "89 s"), (90, "1:30"), (3599.6, "1:00:00"), (7384, "2:03:04")]
)
def test_clock(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown


def lines_of(display: Display) -> list[str]:
    file = display.console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue().splitlines()


@pytest.mark.parametrize("every, cohorts", [(0, [0, 1, 2, 3, 4]), (10, [0, 2, 4]), (1000, [0, 4])])
def test_plain_lines_come_at_most_every_few_seconds_and_the_last_always(
    clockwork: list[float], every: float, cohorts: list[int]
) -> None:
    with Display(Console(file=io.StringIO(), width=200), every=every) as shown:
        for number in range(5):
            shown.step(progress(number + 1))
            clockwork[0] += 6.0
        shown.say("done")
    *steps, last = lines_of(shown)
    assert last == "done"
    assert [int(re.findall(r"cohort (\d+)", step)[0]) for step in steps] == cohorts
    assert re.match(r"\[50/100\] cohort 4, 100 classes/min, \d+ s, (\d+ s left, )?front 4, best ", steps[-1])


def test_what_is_said_is_one_line_as_it_is() -> None:
    long = "report: /a/[bold]path/" + "x" * 60 + " 'and' 3 more"
    with Display(Console(file=io.StringIO(), width=40), every=10) as shown:
        shown.say(long)
    assert lines_of(shown) == [long]


def test_quiet_shows_nothing() -> None:
    with Display(Console(file=io.StringIO()), quiet=True, every=10) as shown:
        shown.step(progress(1))
        shown.say("done")
    assert lines_of(shown) == []


@pytest.mark.parametrize("dumb", [True, False])
def test_no_cursor_is_moved_in_a_file(dumb: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even where FORCE_COLOR says that it is a terminal."""
    monkeypatch.setenv("TERM", "dumb" if dumb else "xterm")
    with Display(Console(file=io.StringIO(), force_terminal=True), every=0) as shown:
        shown.step(progress(1))
    assert not re.search(r"\x1b\[[0-9;?]*[A-Zhl]", "".join(lines_of(shown)))
    assert "cohort 0" in lines_of(shown)[0]


SCRIPT = """
import json, sys
from rich.console import Console
from search.terminal.display import Display
from search.engine.loop import Progress
from evaluators.results.json_codec import Fields
from search.engine.funnel_counts import FunnelCounts
from search.records.trace_codec import entry_from_json

lines = [entry_from_json(Fields(line, "argument")) for line in json.loads(sys.argv[1])]
funnel = FunnelCounts()
with Display(Console(), every=10) as shown:
    for line in lines:
        funnel.add(line)
        shown.say(f"said {line.cohort}")
        shown.step(Progress(100, line, funnel))
    if sys.argv[2]:
        raise KeyboardInterrupt
"""


def at_a_terminal(kind: str, columns: int, interrupt: bool) -> str:
    """What the display writes to a pseudo-terminal."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    arguments = [json.dumps([entry_to_json(entry(0)), entry_to_json(entry(1, LONG))]), "yes" if interrupt else ""]
    keep = {
        key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR")
    }
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *arguments],
        stdout=slave, stderr=subprocess.DEVNULL, stdin=slave, env=keep | {"TERM": kind},
    ) as process:  # fmt: skip
        os.close(slave)
        written = b""
        while chunk := _read(master):
            written += chunk
        assert (process.wait() != 0) == interrupt
    os.close(master)
    return written.decode()


def _read(master: int) -> bytes:
    try:
        return os.read(master, 65536)
    except OSError:  # Linux says so when the last writer is gone
        return b""


@pytest.mark.parametrize("interrupt", [False, True])
def test_a_terminal_gets_one_panel_and_its_cursor_back(interrupt: bool) -> None:
    written = at_a_terminal("xterm", 60, interrupt)
    assert written.count("\x1b[?25l") == written.count("\x1b[?25h") == 1
    assert written.index("\x1b[?25l") < written.index("\x1b[?25h")
    *_, last = written.split("╭")
    assert "at work for 0 s" in written.split("╭")[0]
    assert panel.STOP not in last and "left" not in last  # it is at its end
    assert "20/100" in last and "…" in last and "─╯" in last
    lines = re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written))
    assert max(map(len, lines)) <= 57  # of 60: the ^C that the terminal writes must not begin a new line
    assert "said 0" in lines and "said 1" in lines


def test_a_dumb_terminal_gets_lines() -> None:
    written = at_a_terminal("dumb", 60, interrupt=False)
    assert "\x1b[" not in written
    assert "[20/100] cohort 1" in written


def test_a_resumed_run_counts_from_its_beginning(small: Path) -> None:
    class Last:
        """Keeps the last step."""

        progress: Progress

        def say(self, text: str) -> None:
            """Nothing."""

        def part(self, text: str) -> None: ...

        def step(self, progress: Progress) -> None:
            self.progress = progress

    Job.load(small, ["confirmation.finalists=0"]).launch("one", max_minutes=0)
    last = Last()
    run = Run.open("one").resume(reporter=last)
    assert last.progress.funnel == FunnelCounts.of(read_trace(run.folder.trace, run.folder.run))
    assert last.progress.funnel.trained == run.status().funnel.trained == 24
    assert last.progress.funnel.null_gains == run.status().funnel.null_gains != ()


def test_a_confirmation_says_how_far_it_is(small: Path, clockwork: list[float]) -> None:
    """Lines no closer than asked for, and none when quiet."""
    for quiet, expected in ((False, "part 0\npart 2\npart 4\n"), (True, "")):
        console = Console(file=io.StringIO(), width=80)
        with Display(console, quiet=quiet, every=20.0) as reporter:
            for number in range(5):
                clockwork[0] += 10.0
                reporter.part(f"part {number}")
        assert isinstance(console.file, io.StringIO)
        assert console.file.getvalue() == expected


def test_what_a_confirmation_trains_is_counted(small: Path) -> None:
    told: list[str] = []

    class Told(Silent):
        def part(self, text: str) -> None:
            told.append(text)

    changes = ["budget=6", "start=['atan(x)']", "confirmation.rounds=1", "confirmation.seeds=7", "cohorts.size=6"]
    Job.load(small, changes).launch("one", reporter=Told())
    assert told[-1] == "confirming the finalists: 4 of 4 parts"
    assert "shortening the finalists: 3 of 3 parts" in told
