"""Promise 2: a job that is killed or interrupted, at any moment, and resumed equals one that was left alone."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from evaluators.cohort import CohortRequest, run_cohort
from evaluators.results.records import CohortResult
from search import Job, Run
from search.stopping import SIGNALS
from tests.search_tests.conftest import contents

COMMAND = [sys.executable, "-u", "-c", "from search.commands.cli import main; main()"]


@contextmanager
def started(arguments: list[str], line: str, ignored: int | None = None) -> Iterator[subprocess.Popen[str]]:
    """The command line at work, in a process group of its own, once it has printed a line that holds ``line``."""

    def signals() -> None:
        for number in SIGNALS:  # this process may ignore some, as in the background of a shell
            signal.signal(number, signal.SIG_IGN if number == ignored else signal.SIG_DFL)

    with subprocess.Popen(
        COMMAND + arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        preexec_fn=signals,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            said = []
            while line not in (text := process.stdout.readline()):
                said.append(text)
                assert text, "".join(said)
            yield process
        finally:
            process.kill()


def killed(arguments: list[str], line: str, delay: float) -> bool:
    """SIGKILL some time after a line; False if the job was faster."""
    with started(arguments, line) as process:
        try:
            process.wait(timeout=delay)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        return process.wait() == -signal.SIGKILL


def interrupted(arguments: list[str], line: str, *numbers: int) -> tuple[int, str]:
    """Signals some time after a line, sent to the whole group as a terminal does: exit code, what it said after."""
    with started(arguments, line) as process:
        assert process.stdout is not None
        for number in numbers:
            time.sleep(0.3)
            os.killpg(process.pid, number)
        said = process.stdout.read()
        return process.wait(), said


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 4))])
def test_killed_and_resumed_equals_left_alone(small: Path, seed: int) -> None:
    """SIGKILL of the driver at three random moments of its work, each followed by resume."""
    whole = contents(Job.load(small).launch("whole"))
    rng = random.Random(seed)
    arguments = ["launch", str(small), "--run", "killed"]
    for _ in range(3):
        killed(arguments, "up to 24 classes", rng.uniform(0.0, 1.5))
        arguments = ["resume", "killed"]
    assert contents(Run.open("killed").resume()) == whole


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_ten_kills_in_one_job(small: Path, seed: int) -> None:
    """Eight while it searches, one of them with a worker in flight, two while it confirms."""
    changes = ["budget=240", "confirmation.steps=600", "confirmation.seeds=16"]
    whole = contents(Job.load(small, changes).launch("whole"))
    rng = random.Random(seed)
    arguments = ["launch", str(small), "--run", "killed", *(f"--set={change}" for change in changes)]
    hits = 0
    for number in range(8):
        with_worker = ["--workers", "1"] if number == 4 else []
        hits += killed(arguments + with_worker, "up to 240 classes", rng.uniform(0.0, 1.0) + 15 * bool(with_worker))
        arguments = ["resume", "killed"]
    assert hits >= 7  # with the worker it may be done in time
    for _ in range(2):
        assert killed(arguments, "confirming", rng.uniform(0.1, 0.6))
    assert contents(Run.open("killed").resume()) == whole
    assert not Run.open("killed").folder.confirming.exists()


@pytest.mark.parametrize(
    ("workers", "number"),
    [
        (0, signal.SIGTERM),
        *(pytest.param(0, number, marks=pytest.mark.slow) for number in (signal.SIGINT, signal.SIGHUP)),
        *(pytest.param(2, number, marks=pytest.mark.slow) for number in SIGNALS),
    ],
)
def test_the_first_signal_finishes_what_is_in_flight(small: Path, workers: int, number: int) -> None:
    changes = ["budget=120", "training.steps=24"]
    launch = ["launch", str(small), "--run", "c", "--workers", str(workers), *(f"--set={each}" for each in changes)]
    code, said = interrupted([*launch, "--every", "0"], "cohort 1", number)
    assert code == 128 + number, said
    assert "finishing what is in flight; Ctrl-C again stops at once" in said
    assert said.endswith("Continue with: actsearch resume runs/c\n")
    run = Run.open("c")
    assert not any(path.name.startswith(".") for path in run.folder.cohorts.iterdir())
    cohorts = run.status().cohorts
    assert 2 <= cohorts < 20
    assert len(list(run.folder.cohorts.iterdir())) == cohorts
    assert contents(run.resume(workers=0)) == contents(Job.load(small, changes).launch("whole"))


@pytest.mark.slow
@pytest.mark.parametrize("second", SIGNALS)
def test_the_second_signal_stops_at_once(small: Path, second: int) -> None:
    """In a cohort that would take an hour; the first decides on the code."""
    endless = ["--set=training.steps=1000000", "--set=training.rungs=[]", "--set=budget=12"]
    code, said = interrupted(["launch", str(small), "--run", "c", *endless], "seeds can show", signal.SIGTERM, second)
    assert code == 143, said
    assert "Continue with: actsearch resume runs/c" in said
    assert "Traceback" not in said


def test_an_output_that_is_gone_costs_nothing(small: Path) -> None:
    """As that of a closed ssh, which then sends SIGHUP."""
    launch = ["launch", str(small), "--run", "c", "--every", "0", "--set=budget=120", "--set=training.steps=300"]
    with started(launch, "cohort 1") as process:
        assert process.stdout is not None
        process.stdout.close()
        time.sleep(0.3)
        process.send_signal(signal.SIGHUP)
        assert process.wait() == 129
    run = Run.open("c")
    assert len(list(run.folder.cohorts.iterdir())) == run.status().cohorts >= 2


def test_nohup_stays_in_force(small: Path) -> None:
    with started(["launch", str(small), "--run", "c", "--every", "0"], "cohort 0", signal.SIGHUP) as process:
        assert process.stdout is not None
        process.send_signal(signal.SIGHUP)
        process.stdout.read()
        assert process.wait() == 0


def twice() -> None:
    """Ctrl-C, and again."""
    for _ in range(2):
        signal.raise_signal(signal.SIGINT)


def test_an_interrupted_confirmation_goes_on(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = contents(Job.load(small).launch("whole"))
    trained: list[object] = []

    def three_at_most(request: CohortRequest, _: object) -> CohortResult:
        if request.purpose == "confirmation":
            trained.append(request)
            if len(trained) == 3:
                twice()
        return run_cohort(request)

    monkeypatch.setattr("search.workers.in_process.answer", three_at_most)
    with pytest.raises(KeyboardInterrupt):
        Job.load(small).launch("part")
    part = Run.open("part")
    assert len(list(part.folder.confirming.iterdir())) == 2
    assert contents(part.resume()) == whole
    assert len(trained) == 3 + 1  # of three pieces, two were kept
    assert not part.folder.confirming.exists()
