"""A user's code that ends the process is named with file and line, and only what it was asked for fails."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from evaluators.cohort import CohortRequest
from evaluators.results.reasons import Reason
from primitives.errors import EndsProcessError
from primitives.user_file import Wanted, contained, load
from search.stopping import at_once
from search.workers import InProcess

FILE = Path(__file__).parent / "ending_files.py"
SAID = {"exit": "SystemExit: 3", "interrupt": "KeyboardInterrupt"}

pytestmark = pytest.mark.parametrize("way", list(SAID))


@pytest.fixture(autouse=True)
def chosen(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACTSEARCH_TEST_WAY", way)


@pytest.mark.parametrize("name", ["InNetwork", "InData"])
def test_a_task_that_ends_the_process_is_refused(
    way: str, name: str, small: Path, command: Callable[..., tuple[int, str, str]]
) -> None:
    code, _, said = command("launch", str(small), f"--set=tasks=['{FILE}:{name}']")
    assert code == 2
    assert "ending_files.py, line " in said and SAID[way] in said
    assert not Path("runs").exists()


def test_a_file_that_ends_the_process_is_refused(way: str, tmp_path: Path) -> None:
    path = tmp_path / "file.py"
    path.write_text("import sys\n\n" + ("sys.exit(3)\n" if way == "exit" else "raise KeyboardInterrupt\n"))
    with at_once(), pytest.raises(EndsProcessError, match=f"{path}, line 3: {SAID[way]}: "):
        load(f"{path}:Name", Wanted("task", "anything", lambda _: True))  # type: ignore[arg-type]


def test_in_training_it_is_the_candidates_doing_alone(way: str) -> None:
    request = CohortRequest(("tanh(x)", "x*atan(x)", "sin(x)"), (f"{FILE}:InLoop",), 0, 1, 4, rates=(0.01,))
    workers = InProcess()
    workers.submit(0, request)
    with at_once():
        finished = workers.next()
    assert finished is not None
    rows = finished[1].candidates
    assert [row.reason for row in rows] == [None, Reason.RAISED, None]
    assert "ending_files.py, line" in rows[1].error and SAID[way] in rows[1].error


def test_a_signal_is_no_doing_of_the_file(way: str) -> None:
    import signal

    with pytest.raises(KeyboardInterrupt), at_once(), contained():
        signal.raise_signal(signal.SIGINT)
