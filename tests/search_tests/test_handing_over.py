"""A job trains in its own process until Ray's workers are there, and whoever trains, the results are the same."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast
from unittest.mock import ANY

import pytest

from evaluators.asked import Request, answer
from evaluators.cohort import CohortRequest, run_cohort
from evaluators.results.records_codec import cohort_to_json
from evaluators.training.progress import Reached, Told, Watch
from search import Job, Run
from search.errors import WorkerError
from search.workers import Finished, InProcess, RayWorkers, Workers, cohort_of, handing_over, head_process
from search.workers.first_lines import in_words
from search.workers.handing_over import HandingOver
from search.workers.head import STARTS, Head
from search.workers.session import QUIET, _written_by
from search.workers.start import Asked, start_workers
from search.workers.tally import Tally
from tests.plain import ran
from tests.search_tests.conftest import Told as Lines
from tests.search_tests.conftest import contents
from tests.search_tests.test_interruption import started

REQUEST = CohortRequest(("tanh(x)", "erf(x)"), ("digits",), 0, 1, 8, rungs=(4,), rates=(0.01,), nulls=0)


@pytest.fixture(autouse=True)
def at_every_span(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks do not hang on the clock."""
    monkeypatch.setattr(handing_over, "PAUSE", -1.0)


@pytest.fixture
def short() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="t", dir="/tmp") as path:
        yield Path(path)


class Starting:
    """Stands for Ray here: up after some looks, or not at all."""

    def __init__(self, looks: float, error: str = "") -> None:
        self.looks, self.error, self.closed = looks, error, False

    def address(self) -> str | None:
        self.looks -= 1
        if self.looks >= 0:
            return None
        if self.error:
            raise WorkerError(self.error)
        return "127.0.0.1:1"

    def close(self) -> None:
        self.closed = True


class Elsewhere(Workers):
    """Stands for Ray's workers: the first is there after some looks."""

    def __init__(self, looks: int) -> None:
        self.looks, self.queue = looks, list[tuple[int, Request]]()
        self.closed = False

    def look(self) -> bool:
        self.looks -= 1
        return self.looks < 0

    def submit(self, number: int, request: Request) -> None:
        self.queue.append((number, request))

    def next(self) -> Finished | None:
        if self.draining or not self.queue:
            return None
        number, request = self.queue.pop(0)
        return number, answer(request)

    def close(self) -> None:
        self.closed = True


def handing(head: Starting, there: Elsewhere, say: Callable[[str], object] = str) -> HandingOver:
    return HandingOver(cast(Head, head), lambda _: cast(RayWorkers, there), say)


def numbers(pool: Workers, count: int) -> list[int]:
    return [finished[0] for finished in (pool.next() for _ in range(count)) if finished]


def test_the_first_cohort_is_trained_here_and_workers_start_only_behind_it() -> None:
    """Unless a second one waits: then they start while the first is trained, and take it."""
    head, there = Starting(0), Elsewhere(0)
    pool = handing(head, there)
    pool.submit(0, REQUEST)
    assert numbers(pool, 1) == [0]
    assert head.looks == 0  # nobody asked
    pool.submit(1, REQUEST)
    assert numbers(pool, 1) == [1]
    assert head.looks == -1 and not there.queue
    waiting = handing(Starting(0), elsewhere := Elsewhere(1))
    for number in range(3):
        waiting.submit(number, REQUEST)
    assert numbers(waiting, 1) == [0]
    assert [number for number, _ in elsewhere.queue] == [1, 2]
    assert numbers(waiting, 2) == [1, 2]
    for each in (pool, waiting):
        each.close()
    assert head.closed and there.closed


@pytest.mark.parametrize(("up", "there"), [(2, 0), (0, 3), (float("inf"), 0)])
def test_whoever_trains_the_results_are_the_same(up: float, there: int) -> None:
    pool = handing(Starting(up), Elsewhere(there))
    requests = [replace(REQUEST, seed=seed) for seed in range(3)]
    for number, request in enumerate(requests):
        pool.submit(number, request)
    found = dict(filter(None, (pool.next() for _ in requests)))
    pool.close()
    for number, request in enumerate(requests):
        assert cohort_to_json(cohort_of(found[number])) == ran(request) | {"seconds": ANY}


def test_a_ray_that_cannot_start_is_said_once_and_the_job_goes_on() -> None:
    said: list[str] = []
    pool = handing(Starting(1, "cannot start Ray: no room"), Elsewhere(0), said.append)
    for number in range(3):
        pool.submit(number, REQUEST)
    assert numbers(pool, 3) == [0, 1, 2]
    assert said == ["cannot start Ray: no room; the job goes on in this process"]
    assert pool.remark() == ""
    pool.close()


def test_what_is_drained_begins_nothing_here_or_there() -> None:
    pool = handing(Starting(0), there := Elsewhere(0))
    for number in range(3):
        pool.submit(number, REQUEST)
    assert numbers(pool, 1) == [0]
    pool.drain()
    assert there.draining and pool.next() is None
    alone = handing(Starting(float("inf")), Elsewhere(0))
    alone.submit(0, REQUEST)
    alone.drain()
    assert alone.next() is None


def test_what_was_measured_decides_what_is_said_of_workers() -> None:
    pool = handing(Starting(float("inf")), Elsewhere(0))
    assert pool.remark() == ""
    pool.submit(0, REQUEST)
    pool.next()
    assert pool.remark().startswith("Ray's workers were not needed")
    result = replace(run_cohort(REQUEST), seconds={"digits": 4.0, "wine": 2.0})
    for waited, said in ((5.0, False), (7.0, True)):
        tally = Tally()
        tally.add((0, result), waited)
        assert bool(tally.slower()) is said
        assert not said or "took 6 s in all, and with Ray this job waited 7 s" in tally.slower()


def test_a_job_with_files_of_its_own_trains_on_workers_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What such a file does may end or stop a process. A cluster's machines train what is asked of a cluster."""
    monkeypatch.setattr("search.workers.start.Head", lambda *_: Starting(0))
    monkeypatch.setattr("search.workers.start.RayWorkers", lambda *_: Elsewhere(0))
    assert isinstance(start_workers(Asked(0)), InProcess)
    assert isinstance(start_workers(Asked(2)), HandingOver)
    for asked in (Asked(2, alone=True), Asked(2, address="127.0.0.1:1")):
        assert isinstance(start_workers(asked), Elsewhere)


def test_controls_come_first_and_a_line_says_how_many_are_there() -> None:
    told: list[str] = []
    pool = InProcess(told.append)
    pool.submit(0, replace(REQUEST, width=3, nulls=1))
    pool.next()
    first = "digits, step 4 of 8, 3 of 6 functions: relu(x) "
    assert told[0].startswith(first) and "gelu(x)" in told[0] and "; best" not in told[0]
    assert told[1].startswith("digits, step 4 of 8, 6 of 6 functions: relu(x) ") and "; best" in told[1]
    assert told[-2].startswith("digits, step 8 of 8, ") and told[-1] == ""


@pytest.mark.parametrize("tasks", [("digits", "digits-cnn"), ("mnist1d-vit",)])
def test_no_bit_depends_on_who_looks(tasks: tuple[str, ...]) -> None:
    request = replace(REQUEST, tasks=tasks, seeds=2, steps=14, rungs=(3, 12), rates=(0.01, 0.03, 0.1), width=7)
    steps: list[int] = []
    looked = run_cohort(request, watch=Watch(lambda at: steps.append(at.step), lambda: steps.append(0)))
    assert cohort_to_json(looked) == ran(request) | {"seconds": ANY}
    assert set(steps) == {0, 3, 12, 14} and steps.count(0) > 3


def test_the_best_is_no_control_and_has_a_finite_loss_in_the_direction_of_the_task() -> None:
    rows = (Told("relu(x)", True, 0.9), Told("a", False, 0.3), Told("b", False, 0.5), Told("c", False, float("inf")))
    lowest = Reached("t", 1, 2, 4, rows)
    assert lowest.best == rows[1] and replace(lowest, highest=True).best == rows[2]
    assert in_words(replace(lowest, told=rows[:1])) == "t, step 1 of 2, 1 of 4 functions: relu(x) 0.9"
    assert "the network as it stands 0.9" in in_words(replace(lowest, told=(Told("", True, 0.9),)))


def left_in(folder: Path) -> list[int]:
    """Processes that write to a file in a folder."""
    found = (int(name) for name in os.listdir("/proc") if name.isdigit())
    return [each for each in found if any(file.startswith(f"{folder}/") for file in _written_by(each))]


def test_workers_take_over_in_the_middle_of_a_job_and_change_no_bit(short: Path) -> None:
    pool = start_workers(Asked(1, temp_dir=str(short)))
    assert isinstance(pool, HandingOver) and pool._head is not None
    pool.submit(0, REQUEST)
    found = dict(filter(None, [pool.next()]))
    pool._head.wait()
    requests = {number: replace(REQUEST, seed=number) for number in range(3)}
    pool._look(wanted=True)
    assert pool._there is not None
    pool._there._wait_for_one()
    for number in (1, 2):
        pool.submit(number, requests[number])
    found |= dict(filter(None, [pool.next(), pool.next()]))
    assert (pool._trained_here, pool._handed_over) == (1, 2)
    pool.close()
    assert not os.listdir(short)
    for number, request in requests.items():
        assert cohort_to_json(cohort_of(found[number])) == ran(request) | {"seconds": ANY}


@pytest.mark.parametrize("delay", [0.0, 0.3, 1.5])
def test_a_start_that_is_not_needed_any_more_leaves_nothing(short: Path, delay: float) -> None:
    head = Head(1, str(short))
    time.sleep(delay)
    head.close()
    head.close()
    assert not os.listdir(short) and not left_in(short)


def test_an_address_of_a_process_that_is_gone_is_none(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = short / "script.py"
    script.write_text("import sys\nopen(sys.argv[1] + '/address', 'w').write('127.0.0.1:1')\n")
    monkeypatch.setattr(head_process, "__file__", str(script))
    head = Head(1, str(short))
    assert head._process is not None
    head._process.wait()
    assert head.address() is None  # it is started again
    assert head._process is not None
    head._process.wait()
    with pytest.raises(WorkerError, match="cannot start Ray: its process has ended"):
        head.wait()
    assert os.listdir(short) == ["script.py"]


@pytest.mark.parametrize("says", ["", "no room at all"])
def test_a_ray_that_ends_is_started_again_and_then_the_job_goes_on_without(
    small: Path, short: Path, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its process may leave a word, or none."""
    starts, script = short / "starts", short / "script.py"
    told = f'{{"error": "{says}", "may_pass": true}}'
    script.write_text(
        f"import sys\nopen({str(starts)!r}, 'a').write('x')\n"
        + (f"open(sys.argv[1] + '/refused', 'w').write({told!r})\n" if says else "raise SystemExit(3)\n")
    )
    monkeypatch.setattr(head_process, "__file__", str(script))
    whole = contents(Job.load(small, ["budget=60"]).launch("whole"))
    lines = Lines()
    changes = ["budget=60", f"workers.temp_dir={short}"]
    assert contents(Job.load(small, changes).launch("one", workers=2, reporter=lines)) == whole
    said = [line for line in lines.lines if "the job goes on in this process" in line]
    assert len(said) == 1 and said[0].startswith(f"cannot start Ray: {says or 'its process has ended'}; --workers 0")
    assert len(starts.read_text()) == STARTS
    assert sorted(os.listdir(short)) == ["script.py", "starts"]


def nothing_left(folder: Path) -> bool:
    """Also of a driver that was killed, after a while: the watcher looks after it."""
    end = time.monotonic() + 60.0
    while (os.listdir(folder) or left_in(folder)) and time.monotonic() < end:
        time.sleep(1.0 / QUIET)
    return not (os.listdir(folder) or left_in(folder))


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGKILL, -signal.SIGKILL),
        pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow),
    ],
)
def test_stopped_while_ray_starts_nothing_is_left_and_the_run_goes_on(
    small: Path, short: Path, number: int, code: int
) -> None:
    changes = ["--set=budget=120", "--set=confirmation.finalists=0"]
    launch = ["launch", str(small), "--run", "c", "--workers", "2", "--temp-dir", str(short), *changes]
    with started(launch, "up to 120 classes") as process:
        assert left_in(short)
        time.sleep(0.2)
        os.killpg(process.pid, number)
        said = process.stdout.read() if process.stdout else ""
        assert process.wait() == code, said
    assert nothing_left(short)
    whole = Job.load(small, [each.removeprefix("--set=") for each in changes]).launch("whole")
    assert contents(Run.open("c").resume(workers=0)) == contents(whole)


@pytest.mark.slow
@pytest.mark.parametrize("delay", [0.3, 6.0])
def test_the_second_signal_stops_at_once_while_ray_starts_or_waits(small: Path, short: Path, delay: float) -> None:
    """In a cohort that would take an hour."""
    endless = ["--set=training.steps=1000000", "--set=training.rungs=[]", "--set=budget=12"]
    launch = ["launch", str(small), "--run", "c", "--workers", "2", "--temp-dir", str(short), *endless]
    with started(launch, "seeds can show") as process:
        for number in (signal.SIGTERM, signal.SIGINT):
            time.sleep(delay)
            os.killpg(process.pid, number)
        said = process.stdout.read() if process.stdout else ""
        assert process.wait() == 143, said
    assert "Continue with: actsearch resume runs/c" in said and "Traceback" not in said
    assert nothing_left(short)
