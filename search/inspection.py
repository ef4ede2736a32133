"""Looking before training: what an expression is, and what a job would cost."""

from __future__ import annotations

import resource
import time
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from evaluators.cohort import run_cohort
from evaluators.objectives import cost
from evaluators.screens import screen
from primitives.analysis import analyse, edge_of_chaos, half_stable
from primitives.canonical import canonical
from primitives.catalogue import known_name
from primitives.classes import fingerprint
from primitives.evaluation import value_at
from primitives.expressions import Expression
from primitives.lowering import lower
from search.config import Config
from search.loop import request_for
from search.proposer import Proposer
from search.study import CohortStudy

Row = dict[str, Any]

BIAS_STDS = (0.05, 0.2, 0.5)  # for the edge of chaos


def describe(expression: Expression) -> Row:
    """Formula, classes, known name, screens, analysis, edge of chaos: JSON's types."""
    classes, known = fingerprint(expression), known_name(expression, input_scale=True)
    edges, half = [edge_of_chaos(expression, bias_std) for bias_std in BIAS_STDS], half_stable(expression)
    return {
        "expression": expression.text,
        "canonical": canonical(expression).text,
        "latex": lower(expression, "latex"),
        "parameters": [
            {"name": p.name, "initial": p.initial, "per": "channel" if p.per_channel else "layer"}
            for p in expression.parameters
        ],
        "known": None if known is None else known.row,
        "exact_class": classes.exact,
        "scale_class": classes.scale,
        "affine_class": classes.affine,
        "screen": screen(expression) or "passed",
        "cost": cost(expression),
        "size": expression.size,
        "analysis": asdict(analyse(expression)),
        "edge_of_chaos": [asdict(edge) for edge in edges if edge],
        "half_stable": asdict(half) if half else None,
    }


def curve(expression: Expression, points: int = 61) -> list[float]:
    """Values on [-3, 3], for a small picture."""
    values: list[float] = value_at(expression, torch.linspace(-3.0, 3.0, points, dtype=torch.float64)).tolist()
    return values


def dry_run(config: Config) -> Row:
    """Propose and screen the first cohort, train it here on one thread, and reckon what the job would take."""
    torch.set_num_threads(1)
    with TemporaryDirectory() as folder:
        started = time.perf_counter()
        known = CohortStudy(Path(folder) / "study.journal", config.scoring).known
        plan = Proposer(config, known).propose(0, [], [])
        proposing = time.perf_counter() - started
    started = time.perf_counter()
    run_cohort(request_for(config, plan))
    seconds = time.perf_counter() - started
    workers = max(1, min(config.workers.count, config.cohorts.lag + 1))
    per_minute = 60 * len(plan.proposals) * workers / max(seconds, 1e-9)
    return {
        "proposed": sum(plan.counts.values()),
        "counts": plan.counts,
        "seconds_to_propose": round(proposing, 3),
        "seconds_per_cohort": round(seconds, 3),
        "workers_busy": workers,
        "classes_per_minute": round(per_minute, 1),
        "minutes_to_the_end": round(config.budget / per_minute, 2) if per_minute else None,
        "megabytes_per_worker": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
