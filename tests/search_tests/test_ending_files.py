"""A user's code that ends the process is named with file and line, and only what it was asked for fails."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evaluators.cohort import CohortRequest
from evaluators.results.reasons import Reason
from primitives import ending
from primitives.ending import contained
from primitives.errors import EndsProcessError
from primitives.user_file import Wanted, load
from search.stopping import at_once
from search.workers import InProcess, RayWorkers, cohort_of

FILE = Path(__file__).parent / "users_files" / "ending_files.py"
SAID = {"exit": "SystemExit: 3", "interrupt": "KeyboardInterrupt", "leave": "os._exit(1)"}
ANYTHING: Wanted[Any] = Wanted("task", "anything", lambda _: True)  # type: ignore[arg-type]

every_way = pytest.mark.parametrize("way", list(SAID))


def chosen(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACTSEARCH_TEST_WAY", way)


@every_way
@pytest.mark.parametrize(
    "change",
    [
        f"tasks=['{FILE}:InNetwork']",
        f"tasks=['{FILE}:InData']",
        f"tasks=['{FILE}:InLoss']",
        f"operators=['{FILE}:operator']",
        f"objectives=['gain','{FILE}:AnObjective']",
        f"rejection={{rule: '{FILE}:ARule'}}",
        f"strategy={{name: '{FILE}:AStrategy'}}",
    ],
)
def test_a_file_that_ends_the_process_is_refused(
    way: str, change: str, small: Path, command: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen(way, monkeypatch)
    code, _, said = command("launch", str(small), f"--set={change}")
    assert code == 2
    assert "ending_files.py, line " in said and SAID[way] in said
    assert "AStrategy" in change or not Path("runs").exists()


@every_way
def test_a_lowering_target_that_ends_the_process_is_refused(
    way: str, small: Path, command: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen(way, monkeypatch)
    assert command("launch", str(small), "--run=one", "--set=budget=6", "--set=confirmation.finalists=0")[0] == 0
    code, _, said = command("export", "one", "--to", f"{FILE}:target")
    assert code == 2
    assert "ending_files.py, line " in said and SAID[way] in said


@every_way
def test_the_file_itself_may_not_end_it(way: str, tmp_path: Path) -> None:
    path = tmp_path / "file.py"
    lines = {"exit": "sys.exit(3)", "interrupt": "raise KeyboardInterrupt", "leave": "os._exit(1)"}
    path.write_text(f"import os, sys\n\n{lines[way]}\n")
    with at_once(), pytest.raises(EndsProcessError) as refused:
        load(f"{path}:Name", ANYTHING)
    assert f"{path}, line 3: {SAID[way]}: " in str(refused.value)


@every_way
def test_in_training_it_is_the_candidates_doing_alone(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen(way, monkeypatch)
    request = CohortRequest(("tanh(x)", "x*atan(x)", "sin(x)"), (f"{FILE}:InLoop",), 0, 1, 4, rates=(0.01,))
    workers = InProcess()
    workers.submit(0, request)
    with at_once():
        finished = workers.next()
    assert finished is not None
    rows = cohort_of(finished[1]).candidates
    assert [row.reason for row in rows] == [None, Reason.RAISED, None]
    assert "ending_files.py, line" in rows[1].error and SAID[way] in rows[1].error


@pytest.mark.slow
def test_in_a_worker_it_is_the_candidates_doing_alone() -> None:
    """Where C ends the process no line is known; the file is."""
    said = {
        "Exits": (Reason.RAISED, "ending_files.py, line", SAID["exit"]),
        "Leaves": (Reason.RAISED, "ending_files.py, line", SAID["leave"]),
        "Aborts": (Reason.WORKER_DIED, "ending_files.py, line", "Aborted"),
        "LeavesInC": (Reason.WORKER_DIED, "in training on ending_files.py:LeavesInC", ""),
    }
    pool = RayWorkers(1)
    try:
        for number, name in enumerate(said):
            pool.submit(number, CohortRequest(("x*atan(x)",), (f"{FILE}:{name}",), 0, 1, 4, rates=(0.01,)))
        finished = dict(filter(None, (pool.next() for _ in said)))
    finally:
        pool.close()
    for number, (reason, *texts) in enumerate(said.values()):
        (row,) = cohort_of(finished[number]).candidates
        assert row.reason is reason
        assert all(text in row.error for text in texts)


def test_a_crash_in_this_process_is_named_before_the_end(small: Path) -> None:
    code = "from search.commands.cli import main; main()"
    ended = subprocess.run(
        [sys.executable, "-c", code, "launch", str(small), f"--set=tasks=['{FILE}:InNetwork']"],
        env=os.environ | {"ACTSEARCH_TEST_WAY": "abort"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == -signal.SIGABRT
    assert "Fatal Python error: Aborted" in ended.stderr
    assert f'File "{FILE}", line ' in ended.stderr


def test_a_process_that_the_file_has_forked_may_end(tmp_path: Path) -> None:
    path = tmp_path / "file.py"
    path.write_text(
        "import os, warnings\nwarnings.simplefilter('ignore')\n\ndef forked():\n    child = os.fork()\n"
        "    if not child:\n        os._exit(7)\n    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])\n"
    )
    forked = load(f"{path}:forked", ANYTHING)
    assert forked() == 7


def test_what_no_file_of_the_users_does_is_not_held_against_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ending, "_FOLDERS", set())
    with pytest.raises(SystemExit), contained():
        sys.exit(3)


def test_a_signal_is_no_doing_of_the_file() -> None:
    with pytest.raises(KeyboardInterrupt), at_once(), contained():
        signal.raise_signal(signal.SIGINT)
