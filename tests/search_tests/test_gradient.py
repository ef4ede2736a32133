"""The strategy gradient in a job: mixtures are recorded, paid for, and repeated to the bit after a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from evaluators.mixture.request import MixtureRequest, MixtureResult
from evaluators.mixture.run import run_mixture
from evaluators.mixture.settings import MixtureSettings
from evaluators.mixture.space import form_in, space_of
from evaluators.results.reasons import Reason
from primitives.expression.parsing import parse
from primitives.grammars import grammar
from primitives.grammars.form import Form
from search import Job, Run
from search.config import Config, checked, with_pinned_files
from search.engine.loop import search
from search.engine.mixtures import Mixtures, request_for_mixture, worth
from search.engine.recorder import Recorder
from search.engine.study import Study
from search.errors import ConfigError, RunError, WorkerError
from search.records.trace_entry import spent
from search.storage import MemoryStore, open_store
from search.storage.mixture_files import keep_mixture, mixtures_of, whole_mixture
from search.storage.run_folder import RunFolder
from search.storage.trace import read_trace
from search.strategies import strategy
from search.strategies.base import MixtureOrder
from search.strategies.gradient import Gradient
from search.workers import Clock, Finished
from search.workers.pieces import ATTEMPTS, Pieces
from tests.search_tests.conftest import Told, contents
from tests.search_tests.made_up import Instant, drawn_mixtures

ROOT = Path(__file__).resolve().parents[2]
RULES = """\
name: few
parameters: {beta: {initial: 1.0, per: network}}
unary: [a, abs(a), tanh(a), relu(a), silu(a), sin(a), beta*a]
binary: [a+b, a*b, "max(a,b)", "sigmoid(a)*b"]
templates: [{units: 1}]
"""
JOB = """\
grammar: few.yaml
tasks: [digits]
strategy: {name: gradient, steps: 20, warm: 0.2, shrink: 0.4}
budget: 9
cohorts: {size: 3, lag: 1}
baseline: {functions: none}
training: {seeds: 2, race: [], steps: 12, rungs: [6], learning_rates: [0.002, 0.008]}
confirmation: {finalists: 0}
workers: {count: 0}
"""


def form() -> Form:
    template = form_in(grammar("grafs").templates[0][0])
    assert isinstance(template, Form)
    return template


ORDER = MixtureOrder(space_of(form()), 5, MixtureSettings(20, 0.2, 0.4))


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "job.yaml"
    path.write_text(JOB)
    (tmp_path / "few.yaml").write_text(RULES)
    return path


def config(**changes: object) -> Config:
    base: dict[str, object] = {
        "grammar": "grafs",
        "strategy": {"name": "gradient", "steps": 20},
        "budget": 40,
        "baseline": {"functions": "none"},
        "cohorts": {"size": 4, "lag": 1},
        "training": {"seeds": 2, "race": [], "steps": 20, "learning_rates": [0.001, 0.004]},
    }
    return checked(base | changes, "a test")


def made(run: Run) -> list[tuple[int, str]]:
    """Seeds and expressions of a run's mixtures."""
    return [(request.seed, result.expression) for request, result in mixtures_of(run.folder)]


def test_a_mixture_counts_as_its_steps_over_those_of_a_class() -> None:
    job = config()
    settings = MixtureSettings(100, 0.1, 0.2)  # 90 steps of the mixture beside 100 of the weights
    assert worth(job, MixtureOrder(ORDER.space, 0, settings)) == 190 / (2 * 2 * 20)
    assert worth(job, MixtureOrder(ORDER.space, 0, settings, cost=3)) == 3 * 190 / (2 * 2 * 20)
    training = {"seeds": 1, "race": [], "steps": 20, "rungs": [10], "learning_rates": [0.001, 0.004, 0.01]}
    two = config(tasks=["digits", "mnist1d-mlp"], training=training)  # the worst rate goes half way
    assert worth(two, MixtureOrder(ORDER.space, 0, settings)) == 190 / (2 * (3 * 10 + 2 * 10))


def test_a_request_has_one_of_the_tasks_and_the_middle_rate() -> None:
    job = config(tasks=["digits", "mnist1d-mlp"], training={"learning_rates": [0.01, 0.001, 0.003], "steps": 8})
    requests = [request_for_mixture(job, MixtureOrder(ORDER.space, n, ORDER.settings)) for n in range(60)]
    assert {request.rate for request in requests} == {0.003}
    names = [request.task for request in requests]
    assert 18 < names.count("digits") < 42 and set(names) == {"digits", "mnist1d-mlp"}


class Counting(Instant):
    """Answers at once and notes what it was asked for."""

    def __init__(self, left: int = 10**6) -> None:
        super().__init__()
        self.asked: list[int] = []
        self.left = left

    def next(self) -> Finished | None:  # type: ignore[override]
        self.left -= 1
        if self.left < 0:
            return None
        finished = super().next()
        self.asked.append(finished[0])
        return finished


def searched(job: Config, workers: Instant, folder: RunFolder | None = None) -> tuple[str, Study]:
    if folder is not None:
        folder.cohorts.mkdir(parents=True, exist_ok=True)
    store = MemoryStore() if folder is None else open_store(folder, print, job.scoring)
    study = Study(store, job.scoring)
    return search(job, Recorder(study, job), workers, lambda _: None, folder=folder), study


def test_the_budget_pays_for_mixtures() -> None:
    job, workers = config(), Counting()
    ended, study = searched(job, workers)
    trained, entry = sum(number < 0 for number in workers.asked), study.store.trace[-1]
    price = worth(job, MixtureOrder(ORDER.space, 0, MixtureSettings(20, 0.1, 0.2)))
    assert ended == "budget" and price == 38 / 80
    assert entry.mixed == pytest.approx(trained * price)
    assert entry.spent == spent(study.store.trace) == study.trials + entry.mixed
    assert trained >= study.trials > 20 and 40 - 2 * (price + 1) < entry.spent <= 40
    assert [e.mixed for e in study.store.trace] == sorted(e.mixed for e in study.store.trace)


def test_where_little_is_left_one_mixture_is_trained_at_most() -> None:
    job = config(budget=1, strategy={"name": "gradient", "steps": 4000})
    workers = Counting()
    ended, study = searched(job, workers)
    assert ended == "budget" and sum(number < 0 for number in workers.asked) == 1
    assert study.trials == 1 and study.store.trace[-1].mixed > 90


@pytest.mark.parametrize("left", [0, 1, 2, 5, 9, 14, 23])
def test_an_ended_search_goes_on_as_one_that_was_left_alone(tmp_path: Path, left: int) -> None:
    whole, part = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "part")
    _, alone = searched(config(), Counting(), whole)
    ended, _ = searched(config(), Counting(left), part)
    assert ended == "interrupted"
    again = Counting()
    ended, study = searched(config(), again, part)
    assert ended == "budget"
    assert [trial.expression for trial in study.store.trials] == [trial.expression for trial in alone.store.trials]
    assert [entry.mixed for entry in study.store.trace] == [entry.mixed for entry in alone.store.trace]
    assert [request.seed for request, _ in mixtures_of(part)] == [request.seed for request, _ in mixtures_of(whole)]
    first = Counting()
    searched(config(), first, RunFolder(tmp_path / "third"))
    assert len(again.asked) <= len(first.asked) - left  # nothing is trained twice


def test_same_seed_same_run_and_proposals_name_their_mixture(job: Path) -> None:
    one, two = (Job.load(job).launch(name) for name in ("one", "two"))
    assert contents(one) == contents(two) and made(one) == made(two)
    by_seed = dict(made(one))
    for path in sorted(one.folder.cohorts.glob("*.json")):
        for proposal in json.loads(path.read_text())["proposals"]:
            mixed = by_seed[proposal["attributes"]["mixture"]]
            assert parse(mixed) in grammar("few.yaml")
    other = Job.load(job, ["seed=1"]).launch("other")
    assert {seed for seed, _ in made(other)}.isdisjoint(by_seed)


def test_the_summary_says_what_mixtures_took(job: Path) -> None:
    told = Told()
    run = Job.load(job).launch("told", reporter=told)
    (line,) = [line for line in told.lines if "mixtures trained" in line]
    number = len(made(run))
    assert line.startswith(f"{number} mixtures trained: {36 * number:,} steps in ")
    assert "count as " in line and "by the clock all took as long as" in line
    told = Told()
    Job.load(job, ["strategy=random"]).launch("random", reporter=told)
    assert not any("mixture" in line for line in told.lines)


@pytest.mark.slow
@pytest.mark.parametrize("files", [1, 4])
def test_a_kill_in_a_mixture_changes_no_bit(job: Path, files: int) -> None:
    """SIGKILL once so many mixtures are there, while the next one is trained."""
    whole = Job.load(job).launch("whole")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    code = "from search.commands.cli import main; main()"
    command = [sys.executable, "-c", code, "launch", str(job), "--run", "killed"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    folder = RunFolder(Path("runs/killed"))
    while process.poll() is None and len(list(folder.mixtures.glob("*.json"))) < files:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert files <= len(list(mixtures_of(folder))) < len(made(whole))
    resumed = Run.open("killed").resume()
    assert contents(resumed) == contents(whole) and made(resumed) == made(whole)
    traces = [read_trace(run.folder.trace, run.folder.run) for run in (resumed, whole)]
    assert [entry.mixed for entry in traces[0]] == [entry.mixed for entry in traces[1]]


@pytest.mark.slow
@pytest.mark.usefixtures("on_workers")
def test_two_workers_give_what_none_gives(job: Path) -> None:
    alone = Job.load(job).launch("none")
    shared = Job.load(job).launch("two", workers=2)
    assert contents(shared) == contents(alone) and made(shared) == made(alone)


def test_a_file_that_is_damaged_or_of_another_request_does_not_count(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    request = MixtureRequest(ORDER.space, "digits", 5, 0.003, ORDER.settings)
    (result,) = drawn_mixtures([ORDER])
    assert whole_mixture(folder, request) is None
    keep_mixture(folder, request, result)
    assert whole_mixture(folder, request) == result
    other = MixtureRequest(ORDER.space, "digits", 5, 0.004, ORDER.settings)
    assert whole_mixture(folder, other) is None
    path = folder.mixture(5)
    whole = path.read_bytes()
    for data in (whole[:-30], whole.replace(b"digits", b"digitz"), b"", b"{}"):
        path.write_bytes(data)
        assert whole_mixture(folder, request) is None and not list(mixtures_of(folder))


@pytest.mark.parametrize("name", ["²", "x", "0" * 200])
def test_a_file_of_any_name_beside_mixtures_is_looked_at_without_an_error(tmp_path: Path, name: str) -> None:
    folder = RunFolder(tmp_path)
    folder.mixtures.mkdir()
    (folder.mixtures / f"{name}.json").write_text("{}")
    assert not list(mixtures_of(folder))
    (folder.path / "checkpoints").mkdir()
    (folder.checkpoints / f"{name}-0").write_text("")
    folder.sweep_checkpoints(lambda number: number > 0)
    assert (folder.checkpoints / f"{name}-0").exists()


def test_a_mixture_of_another_run_is_refused_by_its_id(tmp_path: Path) -> None:
    ours, theirs = RunFolder(tmp_path), RunFolder(tmp_path)
    ours.run, theirs.run = "ours", "theirs"
    request = MixtureRequest(ORDER.space, "digits", 5, 0.003, ORDER.settings)
    keep_mixture(theirs, request, drawn_mixtures([ORDER])[0])
    with pytest.raises(RunError, match=r"0005\.json.* is of run theirs; this is run ours"):
        whole_mixture(ours, request)
    with pytest.raises(RunError, match=r"0005\.json.* is of run theirs; this is run ours"):
        list(mixtures_of(ours))


def test_mixtures_are_paid_in_their_order() -> None:
    """One that is too dear ends it, so that results are those of the first orders."""
    job, workers = config(budget=3), Counting()
    mixtures = Mixtures(job, workers, None, lambda _: None)
    dear = replace(ORDER, seed=6, cost=1000)
    mixtures.begin(3.0)
    assert len(mixtures([ORDER, dear, replace(ORDER, seed=7)])) == 1 and mixtures.refused


def asked(chosen: Gradient, results: Sequence[Sequence[MixtureResult]], n: int = 2) -> list[str]:
    """What it proposes where mixtures come out so, round by round."""
    rounds = iter(results)
    chosen.mixtures = lambda orders: next(rounds)
    rng = np.random.Generator(np.random.PCG64(0))
    return [proposal.expression.text for proposal in chosen.ask([], [], n, rng)]


def gradient() -> Gradient:
    chosen = strategy({"name": "gradient"}, grammar("grafs"))
    assert isinstance(chosen, Gradient)
    return chosen


def test_failed_mixtures_are_passed_over_and_said_where_all_fail() -> None:
    whole = drawn_mixtures([ORDER])[0]
    failed = MixtureResult("", "a loss that is not finite in step 3 of 20", (), (), (), 5, {})
    assert asked(gradient(), [[failed, whole]]) == [whole.expression]
    assert asked(gradient(), [[failed, failed], [whole]]) == [whole.expression]
    assert asked(gradient(), [[]]) == []
    with pytest.raises(ConfigError, match=r"all mixtures of 3 rounds failed, the last one by a loss .* step 3"):
        asked(gradient(), [[failed]] * 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"grammar": "lapid-sipper"}, "strategy 'gradient': expected a grammar with a template such as .*trees-7"),
        ({"grammar": "glu"}, "second input z"),
        ({"strategy": {"name": "gradient", "steps": 3}}, "steps: expected at least 10"),
        ({"strategy": {"name": "gradient", "warm": 0.5, "shrink": 0.1}}, "expected warm from 0 to shrink"),
        ({"strategy": {"name": "gradient", "weights": "softmx"}}, "did you mean 'softmax'"),
        ({"strategy": {"name": "gradient", "stepz": 3}}, "did you mean 'steps'"),
    ],
)
def test_what_it_cannot_search_is_refused_before_the_run(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        with_pinned_files(config(**changes))


def test_a_task_with_a_loop_of_its_own_is_refused_before_the_run() -> None:
    task = f"{ROOT}/tests/search_tests/users_files/faulty_tasks.py:Quiet"
    with pytest.raises(ConfigError, match=r"one number in their places, but .*Quiet has a loop of its own"):
        with_pinned_files(config(tasks=[task], training={"steps": 4, "learning_rates": [0.01]}))


def test_a_constrained_grammar_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "up.yaml"
    path.write_text("name: up\nunary: [a, tanh(a)]\nbinary: [a+b]\ntemplates: [{units: 1}]\nmonotone: increasing\n")
    assert "constraint monotone" in strategy({"name": "gradient"}, grammar(path)).misfit()


def test_without_a_job_there_are_no_mixtures() -> None:
    with pytest.raises(ConfigError, match="expected a job"):
        gradient().ask([], [], 1, np.random.Generator(np.random.PCG64(0)))


def test_a_mixture_whose_worker_dies_again_and_again_ends_the_job() -> None:
    pieces = Pieces()
    request = MixtureRequest(ORDER.space, "digits", 5, 0.003, ORDER.settings)
    pieces.submit(-1, request)
    for _ in range(ATTEMPTS - 1):
        pieces.failed(pieces.take(), Reason.WORKER_DIED, "gone")
        assert pieces.waiting()
    with pytest.raises(WorkerError, match="a mixture cannot be trained: gone"):
        pieces.failed(pieces.take(), Reason.WORKER_DIED, "gone")
    pieces.submit(-2, request)
    (result,) = drawn_mixtures([ORDER])
    pieces.finished(pieces.take(), result)
    assert pieces.whole() == (-2, result)


def test_a_clock_knows_mixtures_apart_from_cohorts() -> None:
    clock = Clock(floor=1.0, first=50.0, factor=10.0)
    request = MixtureRequest(ORDER.space, "digits", 5, 0.003, ORDER.settings)
    assert clock.limit(request) == 50.0
    clock.finished(request, 4.0)
    longer = MixtureRequest(ORDER.space, "digits", 6, 0.003, MixtureSettings(40))
    assert clock.limit(longer) == pytest.approx(80.0)


def test_a_mixture_in_a_job_is_the_one_alone(job: Path) -> None:
    run = Job.load(job).launch("job")
    request, result = next(mixtures_of(run.folder))
    again = run_mixture(request)
    assert (again.expression, again.steps) == (result.expression, result.steps)
    assert [mark.weights for mark in again.marks] == [mark.weights for mark in result.marks]
