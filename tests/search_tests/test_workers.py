"""Workers that die or hang: the offender alone is recorded as failed, the rest is complete. These tests start Ray."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest

from evaluators.asked import Request
from evaluators.cohort import CohortRequest
from evaluators.results.reasons import Reason, code_of
from evaluators.results.records import CohortResult
from evaluators.results.records_codec import cohort_to_json
from evaluators.training.chains.identity import digest as engine_digest
from search import Job, Run
from search import run as run_module
from search.errors import WorkerError
from search.workers import Clock, InProcess, RayWorkers, actor, cohort_of, ray_workers
from search.workers.actor import Worker
from search.workers.pieces import ATTEMPTS, LOSSES, Pieces
from tests.plain import ran
from tests.search_tests.users_files.faulty_tasks import OFFENDER

REQUEST = CohortRequest(("tanh(x)", "x*atan(x)", "erf(x)", "sin(x)"), ("digits",), 0, 2, 4, rates=(0.01,))
TASKS = Path(__file__).parent / "users_files" / "faulty_tasks.py"


@contextmanager
def ray(count: int, **settings: Any) -> Iterator[RayWorkers]:
    pool = RayWorkers(count, **settings)
    try:
        yield pool
    finally:
        pool.close()


class Impatient(Clock):
    """Gives 4 s to work that the offender is a part of, and to other work, on a busy machine, what it takes."""

    def limit(self, request: Request) -> float:
        assert isinstance(request, CohortRequest)
        return 4.0 if any(OFFENDER in text for text in request.expressions) else 600.0


def faulty(kind: str, expressions: Sequence[str] = REQUEST.expressions) -> CohortRequest:
    return CohortRequest(tuple(expressions), (f"{TASKS}:{kind}",), 0, 1, 4, rates=(0.01,), nulls=1)


def undisturbed(kind: str, request: CohortRequest) -> dict[str, Any]:
    """What the candidates and controls would have given without the harm."""
    name = request.tasks[0]
    result = ran(replace(request, tasks=(name.replace(kind, "Quiet"),)))
    rows = [*result["candidates"], *result["controls"].values()]
    for row in rows:
        row["losses"] = dict.fromkeys([name], *row["losses"].values())
    return result


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "clock", "reason", "error"),
    [
        ("Hangs", Impatient(), "timeout", "no answer after 4 s, 2 times"),
        ("Segfaults", None, "worker-died", "Segmentation fault"),
    ],
)
def test_the_offender_alone_fails(kind: str, clock: Clock | None, reason: str, error: str) -> None:
    request = faulty(kind)
    with ray(2, clock=clock) as pool:
        pool.submit(7, request)
        pool.submit(8, replace(request, expressions=("erf(x)",)))
        results: dict[int, dict[str, Any]] = {
            number: cohort_to_json(cohort_of(found)) for number, found in filter(None, [pool.next(), pool.next()])
        }
    alone = undisturbed(kind, request)
    found = results[7]
    assert [row["reason"] for row in found["candidates"]] == ["", reason, "", ""]
    assert error in found["candidates"][1]["error"]
    for slot in (0, 2, 3):
        assert found["candidates"][slot] == alone["candidates"][slot]
    assert found["controls"] == results[8]["controls"] == alone["controls"]


def test_a_candidate_that_takes_all_memory_fails_alone_and_its_worker_lives_on() -> None:
    request = faulty("Hoards")
    with ray(1) as pool:
        pool.submit(0, request)
        finished = pool.next()
    assert finished is not None
    assert [code_of(row.reason) for row in cohort_of(finished[1]).candidates] == ["", "raised", "", ""]
    assert "MemoryError" in cohort_of(finished[1]).candidates[1].error


def test_a_worker_that_is_killed_once_leaves_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACTSEARCH_TEST_MARK", str(tmp_path / "mark"))
    request = faulty("DiesOnce")
    with ray(1) as pool:
        pool.submit(0, request)
        finished = pool.next()
    assert (tmp_path / "mark").exists()
    assert finished is not None
    alone = undisturbed("DiesOnce", request)
    for part in ("candidates", "controls"):
        assert cohort_to_json(cohort_of(finished[1]))[part] == alone[part]


def test_ray_gives_what_this_process_gives() -> None:
    with ray(1) as pool:
        here = InProcess()
        for workers in (pool, here):
            workers.submit(0, REQUEST)
        far, near = pool.next(), here.next()
    assert far is not None and near is not None
    for part in ("candidates", "controls", "nulls"):
        assert cohort_to_json(cohort_of(far[1]))[part] == cohort_to_json(cohort_of(near[1]))[part]


def test_a_worker_of_another_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_workers, "versions", lambda: "actsearch 0.0.1")
    with pytest.raises(WorkerError, match=r"the worker runs actsearch .* torch .*, the driver actsearch 0\.0\.1$"):
        RayWorkers(1)


def test_a_worker_of_another_engine_is_refused_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """All else is equal: only what the engine computes differs."""
    own = engine_digest()
    monkeypatch.setattr(actor, "engine_digest", lambda: "0123456789abcdef")
    said = rf"and engine {own}, the driver .* and engine 0123456789abcdef; ACTSEARCH_ENGINE=torch in the driver's env"
    with pytest.raises(WorkerError, match=said):
        RayWorkers(1)


@pytest.mark.parametrize("name", ["part.py", "inner/engine.c"])
def test_the_code_of_a_worker_is_its_python_and_its_c(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actor, "PACKAGES", (tmp_path,))
    before = actor.versions()
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("one")
    one = actor.versions()
    (tmp_path / name).write_text("two")
    assert len({before, one, actor.versions()}) == 3


def test_a_slow_worker_is_told_from_a_hung_one_by_what_the_same_work_took() -> None:
    clock = Clock(floor=10, first=100)
    small, large = replace(REQUEST, seeds=1), replace(REQUEST, seeds=8)
    assert clock.limit(small) == 100
    clock.finished(small, 0.1)
    clock.finished(small, 2.0)
    assert clock.limit(small) == pytest.approx(20 * 2)  # the slowest counts
    assert clock.limit(large) == pytest.approx(8 * 20 * 2)
    assert clock.limit(replace(small, expressions=())) == pytest.approx(20 * 2 * 7 / 11)
    assert clock.limit(replace(small, purpose="confirmation")) == 100  # larger networks
    clock.finished(replace(small, purpose="confirmation"), 0.001)
    assert clock.limit(replace(small, purpose="confirmation")) == 10


@pytest.mark.slow
def test_a_verdict_is_stored_and_replayed(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No worker hangs again at resume, whatever of the study is lost: this process would hang with it."""
    monkeypatch.setattr(run_module, "start_workers", lambda *given: RayWorkers(1, clock=Impatient()))
    start = "start=['tanh(x)','x*atan(x)','erf(x)','sin(x)']"
    changes = [f"tasks=['{TASKS}:Hangs']", start, "budget=4", "cohorts.size=4", "confirmation.finalists=0"]
    run = Job.load(small, changes).launch("hung")
    rows = run.classes()
    assert [row["reason"] for row in rows] == ["", "timeout", "", ""]
    monkeypatch.undo()
    monkeypatch.chdir(small.parent)
    for path in (run.folder.journal, run.folder.trace, run.folder.front):
        path.unlink()
    assert Run.open("hung").resume(workers=0).classes() == rows


def test_a_lost_machine_is_held_against_nobody_but_not_for_ever() -> None:
    pieces = Pieces()
    pieces.submit(0, replace(REQUEST, expressions=("tanh(x)",)))
    for _ in range(LOSSES + ATTEMPTS - 1):
        pieces.failed(pieces.take(), Reason.NODE_LOST, "gone")
        assert pieces.whole() is None
    pieces.failed(pieces.take(), Reason.NODE_LOST, "gone")
    controls = pieces.take()
    assert isinstance(controls.request, CohortRequest) and not controls.request.expressions
    pieces.finished(controls, CohortResult((), {}))
    finished = pieces.whole()
    assert finished is not None
    assert [row.reason for row in cohort_of(finished[1]).candidates] == [Reason.NODE_LOST]


def test_only_what_was_begun_is_waited_for_once_it_is_on_request() -> None:
    pieces = Pieces()
    for number in range(2):
        pieces.submit(number, REQUEST)
    first = pieces.take()
    assert pieces.waiting() and not pieces.waiting(begun_only=True)
    for _ in range(ATTEMPTS):
        pieces.failed(first, Reason.WORKER_DIED, "gone")
        assert pieces.waiting(begun_only=True)
        first = pieces.take()
    halves = [first, pieces.take()]
    assert [piece.slots for piece in halves] == [[0, 1], [2, 3]]
    assert pieces.waiting() and not pieces.waiting(begun_only=True)


def test_a_cluster_that_is_not_there_is_refused_by_name_and_nothing_is_written(small: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"  # bound, but nobody listens
        with pytest.raises(WorkerError, match=f"cannot start Ray at {address}: .*refused"):
            Job.load(small, [f"workers.address={address}", "workers.count=1"]).launch("one")
    assert not Path("runs").exists()


def test_a_ray_that_does_not_start_in_time_is_an_error_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    def late(*_: object, **__: object) -> None:
        raise Exception("The current node timed out during startup.")  # as Ray does

    monkeypatch.setattr("ray.init", late)
    with pytest.raises(WorkerError, match="cannot start Ray: The current node timed out"):
        RayWorkers(1)


@pytest.mark.slow
def test_a_worker_that_does_not_start_is_tried_again_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a machine that is dead, which Ray does not know at once."""
    tries = tmp_path / "tries"

    class Late(Worker):
        def __init__(self, crash: str | None = None) -> None:
            with tries.open("a") as file:
                file.write("x")
            if tries.stat().st_size <= needed:
                raise OSError("the machine is dead")
            super().__init__(crash)

    monkeypatch.setattr(ray_workers, "Worker", Late)
    needed = 2  # a try takes 2 s, on a loaded machine 13
    with ray(1) as pool:
        pool.submit(0, REQUEST)
        finished = pool.next()
    assert finished is not None
    assert cohort_to_json(cohort_of(finished[1])) == ran(REQUEST) | {"seconds": ANY}
    assert tries.stat().st_size == needed + 1
    needed = 10**9
    monkeypatch.setattr(ray_workers, "GRACE", 3.0)
    with pytest.raises(WorkerError, match=r"a worker cannot start: .*the machine is dead"):
        RayWorkers(1)
