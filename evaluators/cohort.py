"""A cohort: candidates trained with the controls, on the same seeds, on every task of the job.

Requests and results are plain data: text, numbers, lists; they travel to workers and into files as JSON.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from evaluators.backend import AUTOCAST, Backend
from evaluators.checkpoint import Checkpoint
from evaluators.member import Member, Outcome, Schedule
from evaluators.screens import flags
from evaluators.seeds import derive
from evaluators.task import Task
from evaluators.tasks import task
from evaluators.training import WIDTH, train
from evaluators.width import fastest_width
from primitives.expressions import Expression
from primitives.parsing import parse

#: Trained in every cohort on the candidates' seeds. ReLU is the reference of all gains.
CONTROLS = {"relu": "relu(x)", "gelu": "gelu(x)", "silu": "silu(x)"}
NULLS = 4


@dataclass(frozen=True, slots=True)
class CohortRequest:
    """What a worker is asked to do.

    Args:
        expressions: the candidates' texts.
        tasks: names of the tasks, in the order of training; a candidate that fails on one is spared the next.
        seed: the run's seed.
        seeds: number of seeds.
        first_seed: number of the first one: seeds are derived from their numbers, so that work can be divided.
        steps: full budget, in optimiser steps.
        rungs: steps at which candidates may be rejected; none in confirmation.
        rates: learning rates; empty for each task's own.
        purpose: ``"search"`` or ``"confirmation"``: the part of the data, other seeds, and there the larger network.
        width: slices in one stack; None probes for the fastest.
        device: ``"cpu"``, or ``"cuda"`` with or without a number.
        autocast: ``"bfloat16"`` or ``"float16"`` for the network's matrix products, or None.
        nulls: number of null controls. Their seeds are the run's: one cohort of a run shows what every one would.
        measured: names of the objectives to be taken from the trained models.
        thresholds: of early rejection, one for each stage but the last (:mod:`evaluators.rejection`), or none.
        spared: texts of the candidates that thresholds do not reject.
        drop_worst_rate: at the first rung each member loses its worst learning rate, of three or more.
        checkpoint: beginning of the path of a file that the state at rungs is saved in, or "". The rest of the name
            comes from the request, so that a state is never taken for that of another.
        checkpoint_seconds: between two savings, and before the first.
    """

    expressions: tuple[str, ...]
    tasks: tuple[str, ...]
    seed: int
    seeds: int
    steps: int
    rungs: tuple[int, ...] = ()
    rates: tuple[float, ...] = ()
    purpose: str = "search"
    width: int | None = WIDTH
    first_seed: int = 0
    nulls: int = NULLS
    device: str = "cpu"
    autocast: str | None = None
    measured: tuple[str, ...] = ()
    thresholds: tuple[float, ...] = ()
    spared: tuple[str, ...] = ()
    drop_worst_rate: bool = False
    checkpoint: str = ""
    checkpoint_seconds: float = 60.0

    @property
    def state(self) -> Checkpoint:
        """The state of this very request, as far as it was saved."""
        if not self.checkpoint:
            return Checkpoint()
        text = repr(replace(self, checkpoint="", checkpoint_seconds=0.0)) + torch.__version__
        name = f"{self.checkpoint}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.pt"
        return Checkpoint(Path(name), self.checkpoint_seconds)

    @property
    def backend(self) -> Backend:
        """Where and in which types to train."""
        return Backend(self.device, autocast=AUTOCAST[self.autocast] if self.autocast else None)


def run_cohort(request: CohortRequest, find: Callable[[str], Task] = task) -> dict[str, Any]:
    """Train a cohort.

    Args:
        request: what to train.
        find: gives the task of a name.

    Returns:
        ``candidates``: for each expression ``losses`` (task -> mark -> seeds x learning rates), ``tests`` (task ->
        seeds x learning rates, in confirmation), ``reason``, ``failed_on``, ``overflows_in`` (half-precision
        types, see :func:`evaluators.screens.flags`) and, where something was raised, ``error``;
        ``controls``: the same by name; ``nulls``: the same, a list; ``seconds`` by task. Losses below a task's
        ``loss_floor`` are raised to it; non-finite ones, and those of dropped learning rates, are None. Where
        objectives are measured, each member has ``measured`` (task -> objective -> number, or None where that is not
        finite).

    Raises:
        TaskError: a task is unknown or cannot be trained.
        EvaluationError: the device is not here.
    """
    request.backend.check()
    named = [parse(text) for text in CONTROLS.values()]
    candidates = [parse(text) for text in request.expressions]
    members = _members(request, named, candidates)
    rows: list[dict[str, Any]] = [
        {"losses": {}, "tests": {}, "reason": "", "failed_on": "", "overflows_in": list(flags(member.expression))}
        for member in members
    ]
    seconds: dict[str, float] = {}
    state = request.state
    if state.saved:
        rows, seconds = state.saved["rows"], state.saved["seconds"]
    for number, name in list(enumerate(request.tasks))[len(seconds) :]:
        started = time.perf_counter()
        alive = [index for index, row in enumerate(rows) if not row["reason"]]
        setting = _setting(request, find(name))
        rates = request.rates or setting.learning_rates
        schedule = Schedule(request.steps, request.rungs, rates, request.drop_worst_rate)
        own = request.thresholds[number * len(schedule.marks) :]
        thresholds = dict(zip(schedule.marks, own, strict=False))
        width = request.width or fastest_width(setting, request.backend)
        state.context = {"rows": rows, "seconds": seconds}
        outcomes = train(
            setting, request.purpose, [members[i] for i in alive], schedule, width,
            thresholds=thresholds, backend=request.backend, measured=request.measured, checkpoint=state,
        )  # fmt: skip
        state.saved = None
        for index, outcome in zip(alive, outcomes, strict=True):
            _enter(rows[index], name, outcome, setting.loss_floor)
        seconds[name] = round(time.perf_counter() - started, 3)
    controls, nulls = len(named), len(named) + request.nulls
    return {
        "candidates": rows[nulls:],
        "controls": dict(zip(CONTROLS, rows[:controls], strict=True)),
        "nulls": rows[controls:nulls],
        "seconds": seconds,
    }


def _setting(request: CohortRequest, chosen: Task) -> Task:
    return (chosen.larger() or chosen) if request.purpose == "confirmation" else chosen


def _members(request: CohortRequest, named: Sequence[Expression], candidates: Sequence[Expression]) -> list[Member]:
    """Controls, null controls, candidates. Null controls are ReLUs on seeds of their own."""
    numbers = range(request.first_seed, request.first_seed + request.seeds)

    def seeds(*kind: str | int) -> tuple[int, ...]:
        return tuple(derive(request.seed, request.purpose, *kind, number) for number in numbers)

    shared = seeds("seed")
    controls = [Member(expression, shared, protected=True) for expression in named]
    nulls = [Member(named[0], seeds("null", n), protected=True) for n in range(request.nulls)]
    spared = (text in request.spared for text in request.expressions)
    own = [Member(e, shared, spared=free) for e, free in zip(candidates, spared, strict=True)]
    return [*controls, *nulls, *own]


def _enter(row: dict[str, Any], name: str, outcome: Outcome, floor: float) -> None:
    """Put one task's outcome into a member's row, in JSON's types."""
    row["losses"][name] = {str(mark): _plain(losses, floor) for mark, losses in outcome.losses.items()}
    if outcome.tests is not None:
        row["tests"][name] = _plain(outcome.tests, floor)
    if outcome.measured:
        values = {key: value if math.isfinite(value) else None for key, value in outcome.measured.items()}
        row.setdefault("measured", {})[name] = values
    if outcome.reason:
        row["reason"], row["failed_on"] = outcome.reason, name
    if outcome.error:
        row["error"] = outcome.error


def _plain(losses: list[list[float]], floor: float) -> list[list[float | None]]:
    return [[max(value, floor) if math.isfinite(value) else None for value in row] for row in losses]
