"""Signals, pauses, and what is left of a driver that is gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from evaluators.machine.running import LONGEST, RunningClock
from search.stopping import SIGNALS, at_once, heard
from search.workers import session


@pytest.fixture(autouse=True)
def handlers() -> None:
    for number in SIGNALS:  # the tests' own process may ignore some
        signal.signal(number, signal.default_int_handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_decides_how_it_ends_and_handlers_are_put_back(number: signal.Signals) -> None:
    before = [signal.getsignal(each) for each in SIGNALS]
    with pytest.raises(BaseException) as end, at_once():
        try:
            signal.raise_signal(number)
        finally:
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
    if number == signal.SIGINT:
        assert type(end.value) is KeyboardInterrupt
    else:
        assert isinstance(end.value, SystemExit) and end.value.code == 128 + number
    assert [signal.getsignal(each) for each in SIGNALS] == before


def test_work_that_ends_by_itself_after_a_signal_was_still_interrupted() -> None:
    count = []
    with pytest.raises(SystemExit) as end, heard(lambda: count.append(1)):
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGTERM)
    assert (end.value.code, len(count)) == (129, 2)


def test_an_ignored_signal_stays_ignored_and_other_threads_change_nothing() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with at_once():
        signal.raise_signal(signal.SIGHUP)
    seen = []

    def elsewhere() -> None:
        with at_once():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]


def test_a_pause_is_no_time_that_a_process_ran() -> None:
    now = [100.0]
    clock = RunningClock(lambda: now[0])
    for step in (0.5, 1.0, 0.0, LONGEST):
        start = clock.seconds()
        now[0] += step
        assert clock.seconds() - start == pytest.approx(step)
        clock.look()
        assert clock.seconds() - start == pytest.approx(step)
    start = clock.seconds()
    now[0] += 3600.0
    assert clock.seconds() - start == LONGEST
    clock.look()
    now[0] += 1.0
    assert clock.seconds() - start == LONGEST + 1.0


def test_a_stopped_process_counts_no_time() -> None:
    code = (
        "import time; from evaluators.machine.running import seconds_run; run, now = seconds_run(), time.monotonic()\n"
        "print('up', flush=True); input(); print(seconds_run() - run, time.monotonic() - now)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGSTOP)
        time.sleep(LONGEST + 3.0)
        process.send_signal(signal.SIGCONT)
        ran, passed = map(float, process.communicate("\n")[0].split())
    assert passed > LONGEST + 3.0
    assert ran < passed - 2.0


def test_the_watcher_ends_what_a_killed_driver_leaves_and_nothing_else(tmp_path: Path) -> None:
    """A process that writes to a file of the session is ended, one that only reads one is not."""
    folder = tmp_path / "actsearch-x"
    folder.mkdir()
    code = (
        "import subprocess, sys, time\nfrom search.workers.head import watched\n"
        "sleep = [sys.executable, '-c', 'import time; time.sleep(60)']\n"
        f"left = subprocess.Popen(sleep, stdout=open({str(folder / 'out')!r}, 'w'), start_new_session=True)\n"
        f"other = subprocess.Popen(sleep, stdin=open({str(folder / 'out')!r}))\n"
        f"watcher = watched({str(folder)!r})\n"
        "print(left.pid, other.pid, watcher.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as driver:
        assert driver.stdout is not None
        left, other, watcher = (Path("/proc", number) for number in driver.stdout.readline().split())
        assert left.exists() and other.exists()
        driver.kill()
    end = time.monotonic() + 10.0
    while (left.exists() or watcher.exists()) and time.monotonic() < end:
        time.sleep(session.LOOK / 5)
    assert not left.exists() and not watcher.exists() and not folder.exists()
    assert other.exists()
    os.kill(int(other.name), signal.SIGKILL)
