"""Classes per minute: the whole job against what a user would start instead, on the same number of processes.

A class is one candidate trained on every task, seed and learning rate of ``configs/quickstart.yaml`` (8 models of
100 steps; ``--set`` makes another job of it), failures rejected at the rungs. Nothing is confirmed. Of three rates or
more the job drops each candidate's worst at the first rung; the others here train all of them.

The job: ``Job.load("quickstart").launch()`` with Ray workers. All of it counts: proposals, screens, the three controls
and four null controls of every cohort, files, the study. The first number includes Ray's start and end, the second
begins when the first cohort's training begins.

The pool: as many spawned processes of one thread each, default malloc. Each takes one candidate at a time and trains
its models one after the other: an ordinary module with the formula in ordinary torch operators, ``torch.optim.Adam``
in its fused form, which takes a third off a step. ``torch.compile`` takes seconds a formula, more than its training.
Weights, data order, steps and rejection are the job's, whose ReLU losses it is given; how many candidates end as they
did there is printed (all, but for rounding near a threshold). It trains a sample of the job's candidates, evenly taken
from those that were rejected at once to those that were trained to the end, and the time is scaled by the steps of all
candidates over those of the sample. The sum of the candidates' times counts, so that no process waits at the end; the
start of the pool, controls and proposals do not.

Ray Tune: OptunaSearch and ASHA over (formula of the sample, task, seed, learning rate), one model a trial, losses
reported at the rungs, actors reused; the first tenth of the trials is not counted, nor is any start. As many trials are
a class as the job trains models of one. ASHA stops good models too, on far fewer steps than the job takes, so there are
two rows: a stopped trial counts like a finished one, or for its steps over the job's steps of a model.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import math
import multiprocessing
import os
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import numpy as np
import torch

from evaluators.rejection import failure
from evaluators.results.reasons import Reason
from evaluators.seeds import derive
from evaluators.tasks import task
from evaluators.tasks.base import Task
from evaluators.training.member import Array
from evaluators.training.plain import PlainModel
from primitives.expression.expression import Expression
from primitives.expression.parsing import parse
from primitives.layers.activation import Activation
from search import Config, Job
from search.records.cohort import CohortRecord

References = Mapping[str, Mapping[int, Array]]  # ReLU's losses: task -> step -> seeds x learning rates
TRIALS = 300
WARM_UP = 30  # trials before the clock starts
QUIET = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
}
DIVERGED = 1e9  # told to Ray Tune for a loss that is not finite: Optuna refuses NaN


@contextlib.contextmanager
def temporary_directory() -> Iterator[Path]:
    """A temporary working directory, away from the project's ``runs/``."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        yield Path(folder)


def run_job(budget: int, changes: list[str]) -> tuple[Config, list[CohortRecord], float]:
    """Launch the job; its config, its cohorts, and the seconds from launch to return."""
    with temporary_directory():
        job = Job.load("quickstart", ["confirmation.finalists=0", f"budget={budget}", *changes])
        started = time.perf_counter()
        run = job.launch()
        seconds = time.perf_counter() - started
        records = list(run.cohorts())
    return job.config, records, seconds


def seconds_of_cohorts(records: list[CohortRecord]) -> float:
    """From the start of the first training to the end of the last."""
    started = min(record.started for record in records)
    finished = max(record.finished for record in records)
    return (finished - started).total_seconds()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A candidate of the job: its text, why it was rejected, and the steps of one of its models on all tasks."""

    text: str
    reason: Reason | None
    steps: int


def candidates(records: list[CohortRecord]) -> list[Candidate]:
    """All candidates of the job, those with the fewest steps first."""
    found = [
        Candidate(planned.expression, row.reason, sum(max(losses) for losses in row.losses.values()))
        for record in records
        for planned, row in zip(record.plan.proposals, record.result.candidates, strict=True)
    ]
    return sorted(found, key=lambda candidate: candidate.steps)


def evenly(items: list[Candidate], count: int) -> list[Candidate]:
    """``count`` items at equal distances, or all."""
    count = min(count, len(items))
    return [items[(2 * i + 1) * len(items) // (2 * count)] for i in range(count)]


def mean_steps(items: list[Candidate]) -> float:
    """Steps of a candidate's model on all tasks."""
    return sum(item.steps for item in items) / len(items)


def references(record: CohortRecord) -> References:
    """ReLU's losses in a cohort."""
    return record.result.reference.losses


def plain_model(chosen: Task, expression: Expression, config: Config, seed: int, rate: float) -> PlainModel:
    """One model on the job's seed of this number, its activation in ordinary torch operators."""
    seed = derive(config.seed, "search", "seed", seed)
    model = PlainModel(chosen, "search", expression, seed=seed, rate=rate, steps=config.training.steps)
    for module in model.network.modules():
        if isinstance(module, Activation):
            module.plain = True
    model.optimiser = torch.optim.Adam(model.network.parameters(), lr=rate, fused=True)
    return model


def rung_steps(config: Config) -> tuple[int, ...]:
    """The steps at which losses are taken."""
    return (*config.training.rungs, config.training.steps)


def loss_at(model: PlainModel, step: int) -> float:
    """Train up to a step; the validation loss there."""
    model.advance(step)
    return model.loss("validation")


def train_on(chosen: Task, expression: Expression, config: Config, relu: Mapping[int, Array]) -> Reason | None:
    """Train all models of a candidate on one task; the reason of its rejection, or None."""
    training = config.training
    models = [
        [plain_model(chosen, expression, config, seed, rate) for rate in training.learning_rates]
        for seed in range(training.seeds)
    ]
    for step in rung_steps(config):
        losses = np.array([[loss_at(model, step) for model in row] for row in models])
        reason = failure(losses, relu[step], chosen.chance)
        if reason:
            return reason
    return None


def train_class(text: str, config: Config, relu: References) -> tuple[float, Reason | None]:
    """Train a candidate on every task, or until it fails; seconds and reason."""
    started = time.perf_counter()
    expression = parse(text)
    reason: Reason | None = None
    for name in config.tasks:
        reason = reason or train_on(task(name), expression, config, relu[name])
    return time.perf_counter() - started, reason


def begin_process(config: Config, relu: References, ready: Barrier) -> None:
    """One thread, everything imported and run once, before the clock starts."""
    torch.set_num_threads(1)
    train_class("relu(x)", config, relu)
    ready.wait()


def pool_rate(config: Config, trained: list[Candidate], sample: list[Candidate], relu: References) -> float:
    """Classes per minute of the pool, if it trained all candidates of the job."""
    context = multiprocessing.get_context("spawn")
    count = config.workers.count
    ready = context.Barrier(count + 1)
    with context.Pool(count, begin_process, (config, relu, ready)) as pool:
        ready.wait()
        one = partial(train_class, config=config, relu=relu)
        results = pool.map(one, [candidate.text for candidate in sample], chunksize=1)
    same = sum(reason == candidate.reason for (_, reason), candidate in zip(results, sample, strict=True))
    steps, all_steps = mean_steps(sample), mean_steps(trained)
    print(f"pool: {len(sample)} classes, {same} ended as in the job; {steps:.0f} steps a model, all tasks", flush=True)
    return 60 * count * len(sample) / sum(seconds for seconds, _ in results) * steps / all_steps


def train_trial(choice: dict[str, Any], config: Config) -> None:
    """One trial of Ray Tune: one model of one task."""
    from ray import tune

    torch.set_num_threads(1)
    model = plain_model(
        task(choice["task"]), parse(choice["expression"]), config, choice["seed"], choice["learning_rate"]
    )
    for step in rung_steps(config):
        loss = loss_at(model, step)
        tune.report({"loss": loss if math.isfinite(loss) else DIVERGED, "step": step, "ended": time.time()})


def searcher() -> tuple[str, Any]:
    """OptunaSearch where it works, else Ray Tune's default; with its name."""
    from ray.tune.search.optuna import OptunaSearch

    try:
        return "OptunaSearch", OptunaSearch(seed=0)
    except (ImportError, AssertionError, AttributeError) as error:
        print(f"Ray Tune: OptunaSearch does not work here ({error}); random search instead", flush=True)
        return "random search", None


def tuner(config: Config, sample: list[Candidate], folder: Path, algorithm: Any) -> Any:
    """The search by Ray Tune, ready to run."""
    from ray import tune
    from ray.tune.schedulers import ASHAScheduler

    training = config.training
    first, second = rung_steps(config)[:2]
    space = {
        "expression": tune.choice([candidate.text for candidate in sample]),
        "task": tune.choice(list(config.tasks)),
        "seed": tune.choice(list(range(training.seeds))),
        "learning_rate": tune.choice(list(training.learning_rates)),
    }
    scheduler = ASHAScheduler(
        time_attr="step", max_t=training.steps, grace_period=first, reduction_factor=second // first
    )
    settings = tune.TuneConfig(
        metric="loss", mode="min", search_alg=algorithm, scheduler=scheduler, num_samples=TRIALS,
        max_concurrent_trials=config.workers.count, reuse_actors=True,
    )  # fmt: skip
    trainable = tune.with_resources(tune.with_parameters(train_trial, config=config), {"cpu": 1})
    quiet = tune.RunConfig(storage_path=str(folder), verbose=0)
    return tune.Tuner(trainable, param_space=space, tune_config=settings, run_config=quiet)


def last_reports(config: Config, sample: list[Candidate], algorithm: Any) -> list[dict[str, Any]]:
    """Run the trials; each one's last report, in the order of time."""
    import ray

    with temporary_directory() as folder:
        ray.init(
            num_cpus=config.workers.count, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR
        )
        try:
            results = tuner(config, sample, folder, algorithm).fit()
        finally:
            ray.shutdown()
    return sorted((result.metrics for result in results if not result.error), key=lambda report: report["ended"])


def tune_rates(config: Config, trained: list[Candidate], sample: list[Candidate]) -> dict[str, float]:
    """Classes per minute of Ray Tune: by trials, and by steps."""
    name, algorithm = searcher()
    for loud in ("ray", "ray.tune", "optuna"):
        logging.getLogger(loud).setLevel(logging.ERROR)
    reports = last_reports(config, sample, algorithm)
    counted = reports[WARM_UP:]
    rate = 60 * len(counted) / (reports[-1]["ended"] - reports[WARM_UP - 1]["ended"])
    steps = sum(report["step"] for report in counted) / len(counted)
    print(f"Ray Tune: {len(reports)} trials, {rate:.0f} a minute; {steps:.0f} steps a model and task", flush=True)
    tasks = len(config.tasks)
    classes = rate / (tasks * config.training.seeds * len(config.training.learning_rates))
    return {
        f"Ray Tune, {name}, ASHA, by trials": classes,
        f"Ray Tune, {name}, ASHA, by steps": classes * steps * tasks / mean_steps(trained),
    }


def tune_installed() -> bool:
    """True if Ray Tune can be imported."""
    os.environ.update(QUIET)
    try:
        from ray import tune  # noqa: F401
    except ImportError:
        print("Ray Tune: not installed (pip install 'ray[tune]')", flush=True)
        return False
    return True


def print_table(sides: dict[str, float]) -> None:
    """Classes per minute and the two ratios of the job, the first two sides, to each."""
    whole, running = list(sides.values())[:2]
    print(f"{'side':<40}{'classes/min':>12}{'job with start /':>18}{'job running /':>15}")
    for name, rate in sides.items():
        print(f"{name:<40}{rate:>12.1f}{whole / rate:>18.2f}{running / rate:>15.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--budget", type=int, default=96, help="classes that the job trains: whole cohorts")
    parser.add_argument("--sample", type=int, default=12, help="candidates that the pool trains")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="changes the job, as in launch")
    parser.add_argument("--skip-tune", action="store_true", help="leave Ray Tune out")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", module=r"(ray|optuna)\b.*")
    print(f"{os.cpu_count()} cores, {torch.backends.cpu.get_cpu_capability()}, torch {torch.__version__}", flush=True)
    config, records, seconds = run_job(arguments.budget, arguments.set)
    trained = candidates(records)
    sample = evenly(trained, arguments.sample)
    print(f"job: {len(trained)} classes in {seconds:.1f} s; {mean_steps(trained):.0f} steps a model", flush=True)
    sides = {
        "job, Ray's start counted": 60 * len(trained) / seconds,
        "job, without Ray's start": 60 * len(trained) / seconds_of_cohorts(records),
        f"pool of {config.workers.count} plain trainers": pool_rate(config, trained, sample, references(records[0])),
    }
    if not arguments.skip_tune and tune_installed():
        sides |= tune_rates(config, trained, sample)
    print_table(sides)


if __name__ == "__main__":
    main()
