"""Verdicts: each finalist against the controls, paired by seed, corrected for all that were tried."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from evaluators.cohort import CONTROLS
from evaluators.member import Array
from evaluators.objectives import gains
from evaluators.statistics import ALPHA, holm, interval, sign_flip
from evaluators.tasks import label

Row = dict[str, Any]


def verdicts(results: Sequence[Row], rng: np.random.Generator, earlier: Sequence[float] = ()) -> list[Row]:
    """Compare each candidate with every control and decide, corrected for the number of candidates.

    It is confirmed if it is better than each of them: its p is the largest of those over the controls, an
    intersection-union test (Berger 1982, Technometrics 24), which needs no correction for their number.

    Args:
        results: by task, with ``task``, ``candidates`` and ``controls``.
        rng: of the bootstrap, and of the test beyond 16 seeds.
        earlier: p of functions that earlier confirmations of the same search tried, and this one does not: they stay
            in the family, or looking again and again would confirm something at last.

    Returns:
        For each candidate ``gains`` (control -> ``mean``, ``interval``) with each function at its own learning rate,
        ``by_seed``: the numbers that these and ``p`` are made of, ``drop_in``: gains with both at the control's rate,
        ``by_task``, ``best_control``, ``gain_over_best_control``, ``p``, ``p_holm``, ``confirmed`` and ``reason``:
        why it failed, ``no-reference`` where a control did.
    """
    rows = [_compare(results, slot, rng) for slot in range(len(results[0]["candidates"]))]
    # a finalist that failed stays in the family: dropping it would make the others look better
    corrected = holm([*(row["p"] for row in rows), *earlier])
    for slot, (row, p) in enumerate(zip(rows, corrected, strict=False)):
        row["by_task"] = {label(result["task"]): summary_on(result, slot, rng) for result in results}
        row["p_holm"] = p
        row["confirmed"] = bool(p < ALPHA and row["gain_over_best_control"] > 0)
    return rows


def ordered(rows: Sequence[Row]) -> list[Row]:
    """The finalists for a reader: each short form behind the function that it is short for."""
    places = {row.get("id"): place for place, row in enumerate(rows)}
    return sorted(rows, key=lambda row: places.get(row.get("of", row.get("id")), len(rows)))


def null_gains(results: Sequence[Row]) -> list[float | None]:
    """Mean gain over ReLU of each null control; None where a loss is not finite."""
    means = (float(_gains(results, null, "relu").mean()) for null in _members(results, "nulls"))
    return [mean if math.isfinite(mean) else None for mean in means]


def summary_on(result: Row, slot: int, rng: np.random.Generator) -> Row | None:
    """Gain over ReLU of a candidate on one task: ``mean``, ``interval``; None where it failed."""
    return _summary(_gains([result], _members([result], "candidates")[slot], "relu"), rng)


def _members(results: Sequence[Row], group: str) -> list[list[Row]]:
    """Each member's rows, by task."""
    return [list(rows) for rows in zip(*(result[group] for result in results), strict=True)]


def _gains(results: Sequence[Row], rows: Sequence[Row], control: str, *, drop_in: bool = False) -> Array:
    """Gains by seed on test data, mean over the tasks; NaN where a task was not finished."""
    tables = [
        gains(row, result["controls"][control], [result["task"]], test=True, drop_in=drop_in)[0]
        for result, row in zip(results, rows, strict=True)
    ]
    mean: Array = np.array(tables).mean(axis=0)
    return mean


def _summary(values: Array, rng: np.random.Generator) -> Row | None:
    """Mean and interval over the seeds; None where a value is not finite."""
    if not np.isfinite(values).all():
        return None
    return {"mean": float(values.mean()), "interval": list(interval(values.tolist(), rng))}


def _compare(results: Sequence[Row], slot: int, rng: np.random.Generator) -> Row:
    rows = _members(results, "candidates")[slot]
    over = {name: _gains(results, rows, name) for name in CONTROLS}
    if not all(np.isfinite(values).all() for values in over.values()):
        reasons = {row["reason"] for row in rows} - {""}
        return _failed(" ".join(sorted(reasons)) or _blame(results))
    best = min(over, key=lambda name: float(over[name].mean()))
    return {
        "gains": _summaries(over, rng),
        "by_seed": {name: values.tolist() for name, values in over.items()},
        "drop_in": _summaries({name: _gains(results, rows, name, drop_in=True) for name in CONTROLS}, rng),
        "best_control": best,
        "gain_over_best_control": float(over[best].mean()),
        "p": max(sign_flip(values.tolist(), rng) for values in over.values()),
        "reason": "",
    }


def _blame(results: Sequence[Row]) -> str:
    """Why a gain over some control is not finite: a control's gain over itself tells whether it is at fault."""
    own = [_gains(results, [result["controls"][name] for result in results], name) for name in CONTROLS]
    return "non-finite" if np.isfinite(own).all() else "no-reference"


def _summaries(over: Mapping[str, Array], rng: np.random.Generator) -> dict[str, Row | None]:
    return {name: _summary(values, rng) for name, values in over.items()}


def _failed(reason: str) -> Row:
    return {"gains": {}, "by_seed": {}, "drop_in": {}, "best_control": None, "gain_over_best_control": None} | {
        "p": 1.0, "reason": reason,
    }  # fmt: skip
