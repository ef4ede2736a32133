"""Gain: by how much a candidate is better than a control, and its aggregation over tasks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, get_args

import numpy as np

from evaluators.errors import ReferenceLossError
from evaluators.objectives.objective import Objective, Trained
from evaluators.results.records import MemberResult
from evaluators.training.member import Array, best_rate
from primitives.quoting import quoted

Aggregate = Literal["mean", "minimum", "rank"]
AGGREGATES: tuple[str, ...] = get_args(Aggregate)


class Gain(Objective):
    """By how much a candidate's loss is below the reference's: ReLU's, or that of a user's network as it stands."""

    name = "gain"
    unit = "nats"
    direction = "maximize"
    formula = "mean over seeds and tasks of log(loss of the reference / loss of the candidate)"
    source = "paired by seed, Bouthillier et al. 2021, arXiv:2103.03098"
    kind = "training"

    def value(self, trained: Trained) -> float:
        return trained.gain


def chosen_losses(row: MemberResult, name: str, *, test: bool = False) -> Array | None:
    """Losses of each seed at the best learning rate of a task, or None where the task was not finished.

    Args:
        row: one member of a cohort's result.
        name: the task.
        test: the test losses, at the learning rate that was best in validation.
    """
    rate = chosen_rate(row, name)
    return None if rate is None else _losses_at(row, name, rate, test)


def gains(
    row: MemberResult,
    control: MemberResult,
    tasks: Sequence[str],
    *,
    test: bool = False,
    drop_in: bool = False,
) -> Array:
    """Gain over a control for each task and seed, as the task compares, see :mod:`evaluators.comparison`.

    In nats: log(loss of the control / loss of the member); or a difference in the metric's own unit.

    Args:
        row: one member of a cohort's result.
        control: another one of the same cohort, which finished all tasks.
        tasks: names.
        test: of test losses.
        drop_in: both at the control's learning rate, as if the member was put into a network that was tuned with the
            control; else each at its own.

    Returns:
        Array (tasks, seeds), NaN where the member has no loss. Where one of the two was trained on more seeds than the
        other, the seeds are those that both have.

    Raises:
        ReferenceLossError: the control has no finite loss on a task.
    """
    seeds = min(row.seeds or control.seeds, control.seeds)
    row, control = row.first(seeds), control.first(seeds)
    table = []
    for name in tasks:
        rate = chosen_rate(control, name)
        if rate is None:
            raise ReferenceLossError(f"the control has no finite loss on {quoted(name)}, so there are no gains")
        reference = _losses_at(control, name, rate, test)
        chosen = chosen_rate(row, name)
        if chosen is None:
            table.append(np.full_like(reference, np.nan))
        else:
            table.append(
                control.comparison(name).gain(_losses_at(row, name, rate if drop_in else chosen, test), reference)
            )
    return np.array(table)


def mean_gain(row: MemberResult, control: MemberResult, tasks: Sequence[str], *, test: bool = False) -> float:
    """The mean over tasks and seeds of :func:`gains`; NaN where the member has no loss."""
    return float(gains(row, control, tasks, test=test).mean())


@lru_cache(maxsize=64)  # a cohort's candidates are compared with the same controls
def chosen_rate(row: MemberResult, name: str) -> int | None:
    """Number of the learning rate that was best in validation; None where the task was not finished."""
    return None if row.reason or name not in row.losses else best_rate(row.comparison(name).costs(row.final(name)))


def _losses_at(row: MemberResult, name: str, rate: int, test: bool) -> Array:
    """Losses of each seed at one learning rate."""
    table = row.tests[name] if test else row.final(name)
    losses: Array = table[:, rate]
    return losses


def aggregated(tables: Sequence[Array], how: Aggregate) -> list[float]:
    """One gain for each member of a cohort.

    Args:
        tables: gains over the reference of each member, tasks x seeds; NaN where a member failed.
        how: ``"mean"`` over tasks and seeds; ``"minimum"`` over the tasks of the mean over seeds; ``"rank"``: mean
            over the tasks of the share of the other members that it beats, a tie counting half. A rank says nothing
            outside of its run: it depends on who was in the cohort.

    Returns:
        In the unit of the gains, or for ranks from 0 (worst) to 1 (best); NaN for members that failed.
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
