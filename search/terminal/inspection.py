"""Inspection before training: properties of an expression, and the cost of a job."""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass, replace

import torch

from evaluators.cohort import run_cohort
from evaluators.objectives import cost
from evaluators.objectives.formula.complexity import complexity
from evaluators.rejection.screens import screen
from evaluators.results.reasons import Reason
from primitives.analysis import Analysis, EdgeOfChaos, analyse, edge_of_chaos, half_stable
from primitives.catalogue import Match, known_name
from primitives.equivalence.classes import Fingerprint, fingerprint
from primitives.equivalence.kinds import kind_in_words, plainest
from primitives.errors import ActsearchError
from primitives.expression.expression import Expression
from primitives.lowering import lower
from primitives.monotone import Monotonicity, monotonicity
from search.baseline.stage import functions_of
from search.config import Config
from search.engine.mixtures import Mixtures
from search.engine.proposer import Proposer
from search.engine.racing import laps
from search.engine.request import request_for
from search.engine.study import Study
from search.records.cohort import Counts
from search.report.pictures.sampling import inputs, lines_of
from search.storage import MemoryStore
from search.workers import InProcess

BIAS_STDS = (0.05, 0.2, 0.5)  # for the edge of chaos


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known of a function of one number.

    Args:
        analysis: its properties, by numbers.
        proof: those that are proved, for all values of its parameters.
        edges: the edge of chaos for some standard deviations of the biases, where there is one.
        half_stable: the point at which the edge is half-stable, or None.
    """

    analysis: Analysis
    proof: Monotonicity
    edges: tuple[EdgeOfChaos, ...]
    half_stable: EdgeOfChaos | None


@dataclass(frozen=True, slots=True)
class Description:
    """What is known of an expression.

    Args:
        expression: itself.
        kind: of which it is, in words.
        latex: its formula; "" where it has none.
        known: what the catalogue knows it as, or None.
        classes: its keys.
        screen: the screen that stops it, or None.
        cost: in ReLUs.
        complexity: nodes of the canonical form.
        curves: values on [-3, 3] for small pictures, each with its label: one, or of a gate one for each of some z;
            none of layers with statistics and of ``layers(...)``.
        profile: of a function of one number, else None.
        parts: of ``layers(...)`` its functions, else none.
    """

    expression: Expression
    kind: str
    latex: str
    known: Match | None
    classes: Fingerprint
    screen: Reason | None
    cost: float
    complexity: float
    curves: tuple[tuple[str, list[float]], ...]
    profile: Profile | None
    parts: tuple[Description, ...]


def describe(expression: Expression) -> Description:
    """Formula, kind, classes, known name, screens; of functions of one number analysis and edge of chaos."""
    is_layers = len(expression.parts) > 1
    lines = [] if is_layers else lines_of(expression, inputs(3.0, 61))
    return Description(
        expression=expression,
        kind=kind_in_words(expression),
        latex="" if is_layers else _latex(expression),
        known=known_name(expression, input_scale=True, input_shift=True),
        classes=fingerprint(expression),
        screen=screen(expression),
        cost=cost(expression),
        complexity=complexity(expression),
        curves=tuple((f"on [-3, 3]{line.label and ', '}{line.label}", line.value.tolist()) for line in lines),
        profile=_profile(expression) if plainest(expression).is_pointwise else None,
        parts=tuple(map(describe, expression.parts)) if is_layers else (),
    )


def _latex(expression: Expression) -> str:
    try:
        return str(lower(expression, "latex"))
    except ActsearchError:  # it has an operator without a LaTeX form
        return ""


def _profile(expression: Expression) -> Profile:
    edges = (edge_of_chaos(expression, bias_std) for bias_std in BIAS_STDS)
    return Profile(
        analysis=analyse(expression),
        proof=monotonicity(plainest(expression)),
        edges=tuple(edge for edge in edges if edge),
        half_stable=half_stable(expression),
    )


@dataclass(frozen=True, slots=True)
class DryRun:
    """What a job would cost: of its first cohort how many were proposed and what became of them, and times.

    Args:
        known_functions: that are trained before the search; the minutes to the end are with them.
    """

    proposed: int
    counts: Counts
    seconds_to_propose: float
    seconds_per_cohort: float
    workers_busy: int
    classes_per_minute: float
    minutes_to_the_end: float | None
    known_functions: int
    megabytes_per_worker: int


def dry_run(config: Config) -> DryRun:
    """Propose and screen the first cohort, train it here on one thread, and reckon what the job would take.

    Mixtures that the strategy orders are trained here, too, and belong to the cohort.
    """
    torch.set_num_threads(1)
    started = time.perf_counter()
    study = Study(MemoryStore(), config.scoring, config.all_controls)
    proposer = Proposer(config, study.known)
    mixtures = proposer.strategy.mixtures = Mixtures(config, InProcess(), None, str)
    mixtures.begin(config.budget)
    plan = proposer.propose(0, [], [])
    plan = replace(plan, race=laps(config.training.race, config.training.seeds, []))
    proposing = time.perf_counter() - started - mixtures.waited
    started = time.perf_counter()
    run_cohort(request_for(config, plan))
    seconds = time.perf_counter() - started + mixtures.waited
    workers = max(1, min(config.workers.count, config.cohorts.lag + 1))
    known = len(functions_of(config))
    per_minute = 60 * len(plan.proposals) * workers / max(seconds, 1e-9)
    classes = config.budget * len(plan.proposals) / max(len(plan.proposals) + mixtures.counted, 1.0)
    return DryRun(
        proposed=sum(plan.counts.values()),
        counts=plan.counts,
        seconds_to_propose=round(proposing, 3),
        seconds_per_cohort=round(seconds, 3),
        workers_busy=workers,
        classes_per_minute=round(per_minute, 1),
        minutes_to_the_end=round((classes + known) / per_minute, 2) if per_minute else None,
        known_functions=known,
        megabytes_per_worker=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    )
