"""Runs and their data with made-up losses, for tests that look at many candidates and train none."""

from __future__ import annotations

import hashlib
import random
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from evaluators.asked import Request
from evaluators.cohort import CohortRequest
from evaluators.controls import CONTROLS
from evaluators.mixture.request import MixtureRequest, MixtureResult
from evaluators.mixture.space import Space, expression_of
from evaluators.results.reasons import Reason
from evaluators.results.records import CohortResult, MemberResult
from evaluators.training.member import Array
from primitives import grammar
from search import Run
from search.config import Config, checked, to_yaml
from search.engine.front import Front
from search.engine.loop import search
from search.engine.recorder import Recorder
from search.engine.rows import write_front_csv
from search.engine.study import Study
from search.records.class_row import ClassRow
from search.records.cohort import CohortRecord, Exemption
from search.records.environment import environment
from search.records.trace_entry import TraceEntry
from search.records.trial import TrialRecord
from search.report.run_data import Candidate, RunData
from search.storage import open_store
from search.storage.files import write_sealed
from search.storage.run_folder import RunFolder
from search.strategies.base import MixtureOrder
from search.workers import Finished, Workers
from tests import plain
from tests.plain import entry

ERROR = "Traceback: <script>alert('worker')</script> & \"more\""


def drawn_mixtures(orders: Sequence[MixtureOrder]) -> list[MixtureResult]:
    """What mixtures could come to: in each slot a rule that the seed draws."""
    return [_drawn_mixture(order.space, order.seed) for order in orders]


def _drawn_mixture(space: Space, seed: int) -> MixtureResult:
    rng = np.random.Generator(np.random.PCG64(seed))
    chosen = [int(rng.integers(len(rules))) for rules in space.slots]
    return MixtureResult(expression_of(space, chosen).text, "", space.slots, (), (), 7, {"digits": 0.5})


class Instant(Workers):
    """Workers that answer at once; a loss follows from the expression's text, and one in eight candidates fails."""

    def __init__(self) -> None:
        self._queue: deque[tuple[int, Request]] = deque()

    def submit(self, number: int, request: Request) -> None:
        self._queue.append((number, request))

    def next(self) -> Finished:
        number, request = self._queue.popleft()
        if isinstance(request, MixtureRequest):
            return number, _drawn_mixture(request.space, request.seed)
        return number, CohortResult(
            candidates=tuple(_row(text, request, may_fail=True) for text in request.expressions),
            controls={name: _row(text, request) for name, text in CONTROLS.items()},
            nulls=tuple(_row(f"null {n}", request) for n in range(request.nulls)),
            seconds=dict.fromkeys(request.tasks, 1.5),
        )

    def close(self) -> None:
        self._queue.clear()


def _row(text: str, request: CohortRequest, *, may_fail: bool = False) -> MemberResult:
    if may_fail and hashlib.sha256(text.encode()).digest()[0] < 32:
        return MemberResult(reason=Reason.WORKER_DIED, failed_on=request.tasks[0], error=ERROR)
    steps = (*request.rungs, request.steps)
    return MemberResult({name: {s: _losses(f"{text} {name} {s}", request) for s in steps} for name in request.tasks})


def _losses(text: str, request: CohortRequest) -> Array:
    """Seeds x learning rates, from 0.1 to 1.1."""
    digest = hashlib.sha256(text.encode()).digest()
    return np.array([[0.1 + digest[s * len(request.rates) + r] / 256 for r in range(len(request.rates))]
                     for s in range(request.seeds)])  # fmt: skip


def made_up_run(folder: Path, **changes: Any) -> Run:
    """A run of 24 classes, or of another config."""
    config = checked(_config(24) | changes, "made_up.py")
    made = RunFolder(folder)
    made.create()
    made.config.write_text(to_yaml(config))
    write_sealed(made.environment, environment())
    study = Study(open_store(made, print, config.scoring), config.scoring)
    search(config, Recorder(study, config), Instant(), lambda _: None, folder=made)
    write_front_csv(made, study, config.tasks)
    return Run(made)


def cohort_record(cohort: int, expressions: list[str], reasons: dict[int, str] | None = None) -> CohortRecord:
    """A trained cohort with made-up losses."""
    rng = random.Random(cohort)

    def row(reason: str = "") -> dict[str, Any]:
        losses = [[rng.uniform(0.1, 0.5) for _ in range(2)] for _ in range(2)]
        return {"losses": {"digits": {"50": losses, "100": losses}}, "tests": {}, "reason": reason, "failed_on": ""}

    return plain.record({
        "cohort": cohort,
        "tasks": ["digits"],
        "started": "2026-01-01T00:00:00.000000+00:00",
        "finished": "2026-01-01T00:01:00.000000+00:00",
        "counts": {"accepted": len(expressions)},
        "proposals": [{"expression": e, "class": f"c{cohort}-{i}", "parents": []} for i, e in enumerate(expressions)],
        "result": {
            "candidates": [row((reasons or {}).get(i, "")) for i in range(len(expressions))],
            "controls": {"relu": row(), "gelu": row(), "silu": row()},
            "nulls": [row() for _ in range(4)],
            "seconds": {"digits": 1.0},
        },
    })  # fmt: skip


def _config(budget: int) -> dict[str, Any]:
    return {
        "budget": budget,
        "baseline": {"functions": "none"},
        "strategy": {"name": "evolution", "population": 12, "tournament": 3},
        "cohorts": {"size": 6},
        "training": {"seeds": 2, "steps": 12, "rungs": [6], "learning_rates": [0.002, 0.008]},
        "confirmation": {"finalists": 0},
    }


def finalist(row: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A row of ``confirmation.json`` for a row of the front."""
    estimate = {"mean": 0.2, "interval": [0.1, 0.3]}
    return {
        "id": row["id"],
        "expression": row["expression"],
        "cost": row["cost"],
        "search_gain": row["gain"],
        "shrunk_gain": 0.9 * row["gain"],
        "gains": dict.fromkeys(CONTROLS, estimate),
        "by_task": {"digits": estimate},
        "best_control": "silu",
        "gain_over_best_control": 0.2,
        "p": 0.004,
        "p_holm": 0.02,
        "reason": "",
        "confirmed": True,
    } | changes


def many_candidates(count: int) -> RunData:
    """A run with so many candidates, each but the first few a child, without files."""
    config: Config = checked(_config(count) | {"cohorts": {"size": 50}}, "made_up.py")
    rng, source = np.random.Generator(np.random.PCG64(0)), grammar("default")
    texts = [source.sample(rng).text for _ in range(200)]
    candidates = [_candidate(number, texts[number % len(texts)], rng) for number in range(count)]
    front = Front(config.scoring.directions)
    for number, candidate in enumerate(candidates):
        if not candidate.reason:
            front.add(number, list(candidate.objectives.values()))
    rows = [front_row(candidates[number]) for number in front.numbers]
    return RunData(
        path=Path("runs/many"),
        config=config,
        config_text=to_yaml(config),
        trace=[_entry(number) for number in range(count // 50)],
        candidates=candidates,
        front=sorted(rows, key=lambda row: row.cost or 0.0),
    )


def _candidate(number: int, text: str, rng: np.random.Generator) -> Candidate:
    name = f"{number // 50}.{number % 50}"
    young = rng.integers(max(0, number - 114), max(1, number - 50), size=1 + (rng.random() < 0.3))
    parents = tuple(f"{p // 50}.{p % 50}" for p in young) if number >= 50 else ()
    if rng.random() < 0.3:
        return Candidate(TrialRecord(name, text, "", parents, Reason.UNPROMISING))
    gain, cost = float(rng.normal(-0.2, 0.3)), float(np.exp(rng.normal(2.5, 0.5)))
    audited = rng.random() < 0.05 if number >= 256 else False
    trial = TrialRecord(
        id=name,
        expression=text,
        key="",
        parents=parents,
        gain_over={"relu": gain, "gelu": gain - 0.1, "silu": gain - 0.12},
        gains={"digits": (gain - 0.05, gain + 0.05)},
        exempt=Exemption.WARM_UP if number < 256 else Exemption.AUDIT if audited else None,
        relative_losses=(-gain + float(rng.normal(0, 0.1)), -gain),
    )
    return Candidate(trial, {"gain": gain + 0.1 * np.log(cost), "cost": cost})


def front_row(candidate: Candidate) -> ClassRow:
    """As if it was on the front."""
    return ClassRow(candidate.id, candidate.expression, candidate.objectives)


def _entry(number: int) -> TraceEntry:
    return entry(
        cohort=number,
        trained=50 * (number + 1),
        proposed=70,
        counts={"accepted": 50, "known": 15, "flat": 5},
        rejected={"unpromising": 15},
        rejection={"thresholds": [0.2], "compute": 0.7, "audited": 2, "missed": [], "passed_on": [], "bar": 0.4},
        null_gains=[0.05, -0.03, 0.01, -0.02] if number == 0 else [],
        finished=f"2026-01-01T{number // 60:02d}:{number % 60:02d}:00+00:00",
        proposed_in=0.5,
        seconds={"digits": 55.0},
    )
