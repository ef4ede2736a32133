"""A field of functions trained for a comparison: each request is divided by seeds, its results are joined again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from evaluators.cohort import CohortRequest
from evaluators.results.records import CohortResult, MemberResult
from search.confirmation.record import Field
from search.workers import Workers, cohort_of

SEEDS_PER_UNIT = 2  # all workers have something to do, and a stack is still wide


def train_fields(requests: Sequence[CohortRequest], workers: Workers) -> list[Field]:
    """Train requests of one task each.

    Returns:
        For each request the members with all its seeds; one that fails on one seed failed.

    Raises:
        KeyboardInterrupt: the workers were told to end.
    """
    units = [(number, unit) for number, request in enumerate(requests) for unit in _divided(request)]
    for key, (_, unit) in enumerate(units):
        workers.submit(key, unit)
    parts: dict[int, CohortResult] = {}
    while len(parts) < len(units):
        if (finished := workers.next()) is None:
            raise KeyboardInterrupt
        parts[finished[0]] = cohort_of(finished[1])
    by_request = [[parts[key] for key, (n, _) in enumerate(units) if n == number] for number in range(len(requests))]
    return [_joined(pieces, request.tasks[0]) for request, pieces in zip(requests, by_request, strict=True)]


def _divided(request: CohortRequest) -> list[CohortRequest]:
    begins = range(0, request.seeds, SEEDS_PER_UNIT)
    return [
        replace(request, first_seed=request.first_seed + n, seeds=min(SEEDS_PER_UNIT, request.seeds - n))
        for n in begins
    ]


def _joined(results: Sequence[CohortResult], name: str) -> Field:
    """One result of several that differ in their seeds alone."""
    first = results[0]
    return Field(
        task=name,
        candidates=tuple(_member([r.candidates[n] for r in results], name) for n in range(len(first.candidates))),
        controls={key: _member([r.controls[key] for r in results], name) for key in first.controls},
        nulls=tuple(_member([r.nulls[n] for r in results], name) for n in range(len(first.nulls))),
        tested=first.tested.get(name),
    )


def _member(parts: Sequence[MemberResult], name: str) -> MemberResult:
    """One member's losses and readings with the seeds of all parts; it failed if it failed in one."""
    if reason := next((part.reason for part in parts if part.reason), None):
        return MemberResult(reason=reason)
    losses = {step: np.concatenate([part.losses[name][step] for part in parts]) for step in parts[0].losses[name]}
    tests = {name: np.concatenate([part.tests[name] for part in parts])} if parts[0].tests else {}
    read = {
        what: np.concatenate([part.readings[name][what] for part in parts]) for what in parts[0].readings.get(name, {})
    }
    return MemberResult({name: losses}, tests, comparisons=parts[0].comparisons, readings={name: read} if read else {})
