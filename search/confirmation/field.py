"""A field of functions that is trained for a comparison: each request divided by seeds, its results joined again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from evaluators.cohort import CohortRequest
from search.workers import Workers

Row = dict[str, Any]
SEEDS_PER_UNIT = 2  # all workers have something to do, and a stack is still wide


def train_fields(requests: Sequence[CohortRequest], workers: Workers) -> list[Row]:
    """Train requests of one task each.

    Returns:
        For each request ``task``, and ``candidates``, ``controls``, ``nulls`` as of one cohort with all its seeds; a
        member that fails on one seed failed.

    Raises:
        KeyboardInterrupt: the workers were told to end.
    """
    units = [(number, unit) for number, request in enumerate(requests) for unit in _divided(request)]
    for key, (_, unit) in enumerate(units):
        workers.submit(key, unit)
    parts: dict[int, Row] = {}
    while len(parts) < len(units):
        if (finished := workers.next()) is None:
            raise KeyboardInterrupt
        parts[finished[0]] = finished[1]
    by_request = [[parts[key] for key, (n, _) in enumerate(units) if n == number] for number in range(len(requests))]
    return [_joined(found, request.tasks[0]) for request, found in zip(requests, by_request, strict=True)]


def _divided(request: CohortRequest) -> list[CohortRequest]:
    begins = range(0, request.seeds, SEEDS_PER_UNIT)
    return [
        replace(request, first_seed=request.first_seed + n, seeds=min(SEEDS_PER_UNIT, request.seeds - n))
        for n in begins
    ]


def _joined(results: Sequence[Row], name: str) -> Row:
    """One result of several that differ in their seeds alone."""
    first = results[0]
    return {
        "task": name,
        "candidates": [_row([r["candidates"][n] for r in results], name) for n in range(len(first["candidates"]))],
        "controls": {key: _row([r["controls"][key] for r in results], name) for key in first["controls"]},
        "nulls": [_row([r["nulls"][n] for r in results], name) for n in range(len(first["nulls"]))],
    }


def _row(parts: Sequence[Row], name: str) -> Row:
    """One member's losses with the seeds of all parts; it failed if it failed in one."""
    reason = next((part["reason"] for part in parts if part["reason"]), "")
    if reason:
        return {"losses": {}, "tests": {}, "reason": reason}
    marks = parts[0]["losses"][name]
    losses = {mark: [seed for part in parts for seed in part["losses"][name][mark]] for mark in marks}
    tests = {name: [seed for part in parts for seed in part["tests"][name]]} if parts[0]["tests"] else {}
    return {"losses": {name: losses}, "tests": tests, "reason": ""}
