"""A cohort: candidates trained with the controls, on the same seeds, on every task of the job.

Requests and results are records of text, numbers and arrays; they travel to workers as they are.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from evaluators.comparison import comparison_of
from evaluators.controls import builtin_controls
from evaluators.machine.backend import AUTOCAST, Backend
from evaluators.machine.width import fastest_width
from evaluators.objectives import measured_objectives
from evaluators.racing import Lap, Leg, legs
from evaluators.rejection import FAILURES_ONLY, Judge, Thresholds, rung_rule
from evaluators.rejection.screens import flags
from evaluators.rejection.stability import is_unstable
from evaluators.results.control_labels import CURRENT, family_of
from evaluators.results.reasons import Reason
from evaluators.results.records import CohortResult, MemberResult, reference_of
from evaluators.seeds import derive
from evaluators.tasks import task
from evaluators.tasks.base import Part, Task, with_one_split
from evaluators.tasks.checks.settings import has_current
from evaluators.tasks.conditions import OWN, Conditions, under
from evaluators.tasks.fresh_data import FreshData, fresh_data
from evaluators.tasks.recipe import Recipe, trained_by
from evaluators.training.chains.choice import not_native
from evaluators.training.chains.identity import digest as engine_digest
from evaluators.training.checkpoints.checkpoint import Checkpoint
from evaluators.training.checkpoints.states import CohortState
from evaluators.training.member import CohortMember, Outcome, Schedule
from evaluators.training.progress import Watch
from evaluators.training.stacking.stackable import unstackable
from evaluators.training.train import WIDTH, train
from primitives.expression.expression import Expression
from primitives.expression.parsing import parse
from primitives.operators.of_files import register_of_files

NULLS = 4


@dataclass(frozen=True, slots=True)
class CohortRequest:
    """What a worker is asked to do.

    Args:
        expressions: the candidates' texts.
        tasks: names of the tasks, in the order of training; a candidate that fails on one is not trained on the next.
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
        rule: name of the rung rule, see :mod:`evaluators.rejection`.
        thresholds: what the rule has learnt.
        exempt: texts of the candidates that thresholds do not reject.
        drop_worst_rate: at the first rung each member loses its worst learning rate, of three or more.
        checkpoint: beginning of the path of a file that the state at rungs is saved in, or "". The rest of the name
            comes from the request, so that a state is never taken for that of another.
        checkpoint_seconds: between two savings, and before the first.
        operators: references to the rows of users' files that the expressions are written with.
        conditions: what is asked of the weights and the scale, one for each task; empty for each task's own.
        controls: more of them, names with texts.
        current: compare with a task's network as it stands where the task wants that; else with the first control.
        draw: what the seeds are derived from besides; requests that differ in it share no seed. "" in the search.
        race: on more seeds, whose numbers follow the first ones', the better candidates and the reference are trained;
            there, only failures are rejected, and nothing is measured.
        readings: take the tasks' readings in the search, too, on validation examples.
        recipe: by which all are trained, instead of by each task's optimiser and schedule and by ``rates``.
        alone: only the candidates and the controls that the request names are trained, none of those that tasks have,
            and nothing is rejected: there is no reference.
        accuracy: the smallest accuracy that goes on at a rung, or None, see :mod:`evaluators.rejection.accuracy`.
        stability: candidates whose gradients can be made to explode are not trained, see
            :mod:`evaluators.rejection.stability`.
    """

    expressions: tuple[str, ...]
    tasks: tuple[str, ...]
    seed: int
    seeds: int
    steps: int
    rungs: tuple[int, ...] = ()
    rates: tuple[float, ...] = ()
    purpose: Part = "search"
    width: int | None = WIDTH
    first_seed: int = 0
    nulls: int = NULLS
    device: str = "cpu"
    autocast: str | None = None
    measured: tuple[str, ...] = ()
    rule: str = "recall"
    thresholds: Thresholds = field(default_factory=dict)
    exempt: tuple[str, ...] = ()
    drop_worst_rate: bool = False
    checkpoint: str = ""
    checkpoint_seconds: float = 60.0
    operators: tuple[str, ...] = ()
    conditions: tuple[Conditions, ...] = ()
    controls: tuple[tuple[str, str], ...] = ()
    current: bool = True
    draw: str = ""
    race: tuple[Lap, ...] = ()
    readings: bool = False
    recipe: Recipe | None = None
    alone: bool = False
    accuracy: float | None = None
    stability: bool = False

    @property
    def state(self) -> Checkpoint:
        """The state of this very request, as far as it was saved."""
        if not self.checkpoint:
            return Checkpoint()
        bare = replace(self, checkpoint="", checkpoint_seconds=0.0)
        name = f"{self.checkpoint}-{bare.digest(torch.__version__, engine_digest())}.pt"
        return Checkpoint(Path(name), self.checkpoint_seconds)

    def digest(self, *more: str) -> str:
        """Beginning of a SHA-256 that tells this request from all others."""
        return hashlib.sha256("".join((repr(self), *more)).encode()).hexdigest()[:16]

    @property
    def one_split(self) -> bool:
        """All models have the examples divided alike, by the run's seed, laps and null controls included."""
        return any(objective.one_split for objective in measured_objectives(self.measured))

    @property
    def backend(self) -> Backend:
        """Where and in which types to train."""
        return Backend(self.device, autocast=AUTOCAST[self.autocast] if self.autocast else None)


def run_cohort(
    request: CohortRequest, find: Callable[[str], Task] = task, watch: Watch | None = None
) -> CohortResult:  # fmt: skip
    """Train a cohort.

    Args:
        request: what to train.
        find: gives the task of a name.
        watch: looks on; no result depends on it.

    Returns:
        What each member did, see :class:`evaluators.results.records.CohortResult`.

    Raises:
        TaskError: a task is unknown or cannot be trained.
        EvaluationError: the device is not here.
        UserFileError: a file that is named is missing here, or is another one.
    """
    register_of_files(request.operators)
    request.backend.check()
    tasks = {name: find(name) for name in request.tasks}
    candidates = [parse(text) for text in request.expressions]
    tested: dict[str, FreshData] = {}  # a confirmation has no checkpoint: all its tasks are trained here
    asked = dict(zip(request.tasks, request.conditions, strict=False))  # none, or one for each
    settings = {name: _setting(request, chosen, asked.get(name, OWN)) for name, chosen in tasks.items()}
    named = controls_of(request, settings.values())
    state = request.state
    begun = state.saved or CohortState(_begun(request, _members(request, named, candidates)))
    rows, seconds = list(begun.rows), dict(begun.seconds)
    trainings = [(leg, name) for leg in legs(request.seeds, request.race) for name in request.tasks]
    for done in range(begun.done, len(trainings)):
        leg, name = trainings[done]
        started = time.perf_counter()
        setting = settings[name]
        current = request.current and has_current(setting)
        alive = _alive(request, leg, named, rows, current=current)
        if not alive or (leg.limit is not None and len(alive) == 1):  # the reference
            break
        members = _members(request, named, candidates, leg, current=current)
        chosen = [replace(members[index], rates=leg.rates(rows[index], name)) for index in alive]
        state.context = CohortState(tuple(rows), dict(seconds), done=done)
        outcomes = _trained(request, leg, name, setting, chosen, state, watch)
        state.saved = None
        for index, outcome in zip(alive, outcomes, strict=True):
            rows[index] = rows[index].after(name, outcome, comparison_of(setting))
        if request.purpose == "confirmation":
            tested[name] = fresh_data(setting, name)
        seconds[name] = round(seconds.get(name, 0.0) + time.perf_counter() - started, 3)
    controls, nulls = len(named), len(named) + request.nulls
    return CohortResult(
        candidates=tuple(rows[nulls:]),
        controls=dict(zip(named, rows[:controls], strict=True)),
        nulls=tuple(rows[controls:nulls]),
        seconds=seconds,
        tested=tested,
        by_torch=_by_torch(request, settings.values(), candidates),
    )


def _by_torch(
    request: CohortRequest, settings: Iterable[Task], candidates: Sequence[Expression]
) -> dict[str, int]:  # fmt: skip
    """On how many tasks candidates are not the native engine's, by task and reason."""
    found: Counter[str] = Counter()
    for setting in settings:
        whole = "is trained one model at a time" if unstackable(setting) else ""
        for candidate in candidates:
            if why := whole or not_native(setting, request.purpose, candidate, request.backend):
                found[f"{setting.name}: {why}"] += 1
    return dict(found)


def _alive(
    request: CohortRequest, leg: Leg, named: Mapping[str, object], rows: Sequence[MemberResult], *, current: bool
) -> list[int]:
    """Numbers of the members that a leg trains, the reference first; of the controls a lap trains that one alone."""
    controls, nulls = len(named), len(named) + request.nulls
    candidates = range(nulls, len(rows))
    if leg.limit is None:
        first = 1 if CURRENT in named and not current else 0  # no network as it stands on this task
        return [*range(first, nulls), *(index for index in candidates if not rows[index].reason)]
    reference = reference_of(dict(zip(named, rows[:controls], strict=True)))
    own = list(named).index(CURRENT if current else family_of(named)[0])
    return [own, *(index for index in candidates if leg.runs(rows[index], reference, request.tasks))]


def _trained(
    request: CohortRequest, leg: Leg, name: str, setting: Task, members: Sequence[CohortMember], state: Checkpoint,
    watch: Watch | None,
) -> list[Outcome]:  # fmt: skip
    """What came of a leg on a task."""
    first = leg.limit is None
    rates = (request.rates if request.recipe is None else ()) or setting.learning_rates
    return train(
        setting, request.purpose, members,
        Schedule(request.steps, request.rungs, rates, request.drop_worst_rate and first),
        request.width or fastest_width(setting, request.backend),
        judge=Judge(name, rung_rule(request.rule), request.thresholds, request.accuracy) if first else FAILURES_ONLY,
        backend=request.backend, measured=measured_objectives(request.measured if first else ()),
        readings=request.readings and first, checkpoint=state, watch=watch,
    )  # fmt: skip


def _setting(request: CohortRequest, chosen: Task, asked: Conditions) -> Task:
    used = (chosen.larger() or chosen) if request.purpose == "confirmation" else chosen
    setting = trained_by(under(used, asked), request.recipe)
    return with_one_split(setting, derive(request.seed, "split")) if request.one_split else setting


def controls_of(request: CohortRequest, tasks: Iterable[Task]) -> dict[str, Expression | None]:
    """The controls of a request by name; first, and None, the network as it stands, where a task is compared with it.

    Args:
        request: what is trained.
        tasks: the request's.
    """
    tasks = list(tasks)
    builtin = {} if request.alone else builtin_controls(tasks)
    functions = {name: parse(text) for name, text in (builtin | dict(request.controls)).items()}
    checked = [has_current(each) for each in tasks]  # of all, before anything is trained
    return {CURRENT: None, **functions} if request.current and True in checked else {**functions}


def _begun(request: CohortRequest, members: Sequence[CohortMember]) -> tuple[MemberResult, ...]:
    """The members before they are trained; those that are unstable will not be."""
    return tuple(
        MemberResult(
            overflows_in=() if member.expression is None else flags(member.expression),
            reason=Reason.UNSTABLE if request.stability and _explodes(member, request.seed) else None,
        )
        for member in members
    )


def _explodes(member: CohortMember, seed: int) -> bool:
    return not member.protected and member.expression is not None and is_unstable(member.expression, seed)


def _members(
    request: CohortRequest, named: Mapping[str, Expression | None], candidates: Sequence[Expression],
    leg: Leg | None = None, *, current: bool = False,
) -> list[CohortMember]:  # fmt: skip
    """Controls, null controls, candidates, on the seeds of a leg; by default on the first ones.

    Null controls (A/A controls) are copies of the reference on seeds of their own: of the network as it stands where
    ``current``, else of the first control.
    """
    leg = leg or Leg(0, request.seeds)
    first = request.first_seed + leg.before
    numbers = range(first, first + leg.seeds)
    draw = (request.draw,) if request.draw else ()

    def seeds(*kind: str | int) -> tuple[int, ...]:
        return tuple(derive(request.seed, request.purpose, *draw, *kind, number) for number in numbers)

    shared = seeds("seed")
    controls = [CohortMember(expression, shared, protected=True) for expression in named.values()]
    reference = None if current or not request.nulls else named.get(family_of(named)[0])  # none is named if it is alone
    nulls = [CohortMember(reference, seeds("null", n), protected=True) for n in range(request.nulls)]
    exempt = (text in request.exempt for text in request.expressions)
    proposed = [
        CohortMember(e, shared, protected=request.alone, exempt=free)
        for e, free in zip(candidates, exempt, strict=True)
    ]
    return [*controls, *nulls, *proposed]
