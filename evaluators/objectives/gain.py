"""Gain: by how much a candidate's loss is below a control's, and its aggregation over tasks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np

from evaluators.member import Array, best_rate

Aggregate = Literal["mean", "minimum", "rank"]
AGGREGATES: tuple[str, ...] = get_args(Aggregate)


def chosen_losses(row: Mapping[str, Any], name: str, *, test: bool = False) -> Array | None:
    """Losses of each seed at the best learning rate of a task, or None where the task was not finished.

    Args:
        row: one member of a cohort's result.
        name: the task.
        test: the test losses, at the learning rate that was best in validation.
    """
    if row["reason"] or name not in row["losses"]:
        return None
    marks = row["losses"][name]
    final = np.array(marks[max(marks, key=int)], dtype=np.float64)
    chosen = best_rate(final)
    losses: Array = np.array(row["tests"][name], dtype=np.float64)[:, chosen] if test else final[:, chosen]
    return losses


def gains(row: Mapping[str, Any], control: Mapping[str, Any], tasks: Sequence[str], *, test: bool = False) -> Array:
    """Gain over a control for each task and seed, in nats: log(loss of the control / loss of the member).

    Returns:
        Array (tasks, seeds), NaN where the member has no loss.
    """
    table = []
    for name in tasks:
        own, reference = chosen_losses(row, name, test=test), chosen_losses(control, name, test=test)
        assert reference is not None
        table.append(np.full_like(reference, np.nan) if own is None else np.log(reference / own))
    return np.array(table)


def aggregated(tables: Sequence[Array], how: Aggregate) -> list[float]:
    """One gain for each member of a cohort.

    Args:
        tables: gains over ReLU of each member, tasks x seeds; NaN where a member failed.
        how: ``"mean"`` over tasks and seeds; ``"minimum"`` over the tasks of the mean over seeds; ``"rank"``: mean
            over the tasks of the share of the other members that it beats, a tie counting half. A rank says nothing
            outside of its run: it depends on who was in the cohort.

    Returns:
        In nats, or for ranks from 0 (worst) to 1 (best); NaN for members that failed.
    """
    if how == "mean":
        return [float(table.mean()) for table in tables]
    means = np.array([table.mean(axis=1) for table in tables])
    return [float(value) for value in (means.min(axis=1) if how == "minimum" else _ranks(means).mean(axis=1))]


def _ranks(means: Array) -> Array:
    """Share of the others with a number that each member beats, task by task: members x tasks."""
    others = np.isfinite(means).sum(axis=0) - 1
    beaten = (means[:, None] > means).sum(axis=1) + 0.5 * ((means[:, None] == means).sum(axis=1) - 1)
    ranks: Array = np.where(np.isfinite(means), beaten / np.maximum(others, 1), math.nan)
    return ranks
