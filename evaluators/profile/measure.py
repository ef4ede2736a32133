"""Measure functions from several sides: the learning rate by seeds of its own, then the values block by block.

A block is one seed, or two where an objective compares models. Blocks divide the examples anew, share no seed, and are
the same for all functions, so that differences are paired.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import isnan, nan

import numpy as np

from evaluators.cohort import CohortRequest, run_cohort
from evaluators.controls import CONTROLS
from evaluators.errors import EvaluationError
from evaluators.objectives import Objective, Trained, gains, measured_names, measured_objectives
from evaluators.objectives.gain import chosen_losses, chosen_rate
from evaluators.profile.sides import SIDES, Side
from evaluators.results.control_labels import RELU
from evaluators.results.reasons import Reason, code_of
from evaluators.results.records import MemberResult
from evaluators.seeds import derive
from evaluators.statistics import interval
from evaluators.tasks import task as find_task
from evaluators.tasks.base import Task
from evaluators.tasks.fresh_data import shared_ratio
from primitives.expression.parsing import parse

REFERENCE = CONTROLS[RELU]
TUNING = 2  # seeds by which a function's learning rate is chosen; its values are taken on others

Array = np.ndarray[tuple[int], np.dtype[np.float64]]


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """What one function shows on one side.

    Args:
        side: the task and the objective.
        expression: the function's text.
        values: of the objective, one a block; NaN where it failed. The gain is over ReLU.
        over: what it is better by than ReLU on the same block, in the objective's unit; above 0 is better.
        loss: mean loss over the blocks, geometric where the task compares ratios; NaN where it failed.
        rate: its learning rate.
        ratio: for :func:`evaluators.statistics.interval`: blocks divide the same examples anew.
        unit: of ``values`` and ``over``.
        reason: why it failed, or "".
    """

    side: Side
    expression: str
    values: tuple[float, ...]
    over: tuple[float, ...]
    loss: float
    rate: float
    ratio: float
    unit: str
    reason: str = ""

    @property
    def mean(self) -> float:
        """Mean of ``values``."""
        return float(np.mean(self.values))

    @property
    def mean_over(self) -> float:
        """Mean of ``over``."""
        return float(np.mean(self.over))

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of ``over``, NaN where it failed."""
        ends = None if np.isnan(self.over).any() else interval(self.over, ratio=self.ratio)
        return ends or (nan, nan)

    @property
    def verdict(self) -> str:
        """``"better"`` or ``"worse"`` than ReLU where the interval excludes 0, ``"failed"``, or ``""``."""
        low, high = self.interval
        if np.isnan(low):
            return "failed"
        return "better" if low > 0 else "worse" if high < 0 else ""


def profile(
    expressions: Sequence[str],
    sides: Sequence[Side] = SIDES,
    *,
    seeds: int = 8,
    seed: int = 0,
    watch: Callable[[str], object] | None = None,
) -> list[Profile]:
    """Profiles of functions, with ReLU's first, side by side.

    Args:
        expressions: their texts; ReLU is added where it is missing.
        sides: what to look at.
        seeds: blocks, at least 2.
        seed: what all seeds are derived from.
        watch: is told each task before it is trained.

    Returns:
        By side in order, then by function in order.

    Raises:
        ExpressionError, TaskError: a text is no expression, a task cannot be trained.
        EvaluationError: fewer than 2 seeds, or ReLU fails on a task.
    """
    texts = tuple(dict.fromkeys(parse(text).text for text in (REFERENCE, *expressions)))
    found: list[Profile] = []
    for name in dict.fromkeys(side.task for side in sides):
        if watch is not None:
            watch(name)
        found += measure_task(name, texts, [side for side in sides if side.task == name], seeds=seeds, seed=seed)
    order = {side: number for number, side in enumerate(sides)}
    return sorted(found, key=lambda each: order[each.side])


def measure_task(
    name: str, texts: Sequence[str], sides: Sequence[Side], *, seeds: int = 8, seed: int = 0
) -> list[Profile]:  # fmt: skip
    """Profiles of functions on one task, by side, then by function.

    A function has the same values in any company: each is trained as if it was alone.

    Args:
        name: of the task.
        texts: of expressions as they are written by the package, ReLU among them.
        sides: of this task.
        seeds, seed: see :func:`profile`.

    Raises:
        EvaluationError: fewer than 2 seeds, or ReLU fails.
    """
    if seeds < 2:
        raise EvaluationError(f"seeds: expected at least 2, for an interval, got {seeds}")
    chosen = find_task(name)
    rates = _tuned(chosen, name, texts, seed)
    by_block = [_block(chosen, name, rates, [side.measure for side in sides], derive(seed, "block", block))
                for block in range(seeds)]  # fmt: skip
    if any(block[REFERENCE].reason for block in by_block):
        raise EvaluationError(f"{REFERENCE} failed on {name}, so that nothing can be compared with it")
    ratio = shared_ratio(chosen, "search")
    return [_profile(chosen, side, text, by_block, rates[text], ratio) for side in sides for text in texts]


def _tuned(chosen: Task, name: str, texts: Sequence[str], seed: int) -> dict[str, float]:
    """The learning rate of each function: the best in the mean over seeds that no block has."""
    grid = chosen.learning_rates
    if len(grid) == 1:
        return dict.fromkeys(texts, grid[0])
    rows = _trained(chosen, name, texts, seed=derive(seed, "rates"), seeds=TUNING)
    numbers = {text: chosen_rate(row, name) for text, row in rows.items()}
    return {text: grid[number or 0] for text, number in numbers.items()}


def _block(
    chosen: Task, name: str, rates: Mapping[str, float], measures: Sequence[str], seed: int
) -> dict[str, MemberResult]:  # fmt: skip
    """What came of each function at its rate."""
    own = measured_objectives(measures)
    train = partial(_trained, chosen, name, seed=seed, measured=measured_names(measures))
    seeds = max((each.fewest_seeds for each in own), default=1)
    rows: dict[str, MemberResult] = {}
    for rate in dict.fromkeys(rates.values()):
        rows |= train([text for text, its in rates.items() if its == rate], seeds=seeds, rates=(rate,))
    return rows


def _trained(
    chosen: Task, name: str, texts: Sequence[str], *, seed: int, seeds: int, rates: tuple[float, ...] = (),
    measured: tuple[str, ...] = (),
) -> dict[str, MemberResult]:  # fmt: skip
    request = CohortRequest(
        tuple(texts), (name,), seed, seeds, chosen.steps, rates=rates, nulls=0, measured=measured, alone=True,
        current=False,
    )  # fmt: skip
    return dict(zip(texts, run_cohort(request, lambda _: chosen).candidates, strict=True))


def _profile(
    chosen: Task, side: Side, text: str, by_block: Sequence[Mapping[str, MemberResult]], rate: float, ratio: float
) -> Profile:  # fmt: skip
    rows = [block[text] for block in by_block]
    pairs = list(zip(rows, (block[REFERENCE] for block in by_block), strict=True))
    values = list(_values(chosen, side, text, pairs))
    of_reference = list(_values(chosen, side, REFERENCE, [(relu, relu) for _, relu in pairs]))
    sign = 1.0 if side.objective.direction == "maximize" else -1.0
    over = tuple(sign * (value - known) for value, known in zip(values, of_reference, strict=True))
    reasons = [code_of(row.reason or Reason.DIVERGED) for row, value in zip(rows, values, strict=True) if isnan(value)]
    unit = side.objective.unit if side.objective.kind == "measured" else rows[0].comparison(side.task).unit_of_gain
    return Profile(side, text, tuple(values), over, _loss(side.task, rows), rate, ratio, unit, *reasons[:1])


def _values(
    chosen: Task, side: Side, text: str, pairs: Sequence[tuple[MemberResult, MemberResult]]
) -> Iterator[float]:  # fmt: skip
    """Of the objective, block by block; NaN where the function failed."""
    own: Objective = side.objective
    for row, relu in pairs:
        if row.reason:
            yield nan
            continue
        gain = float(gains(row, relu, (side.task,)).mean())
        yield own.value(Trained(parse(text), row, gain, relu, (side.task,), chosen.scale))


def _loss(name: str, rows: Sequence[MemberResult]) -> float:
    """Mean over the blocks, such that gains of means are means of gains."""
    losses = [chosen_losses(row, name) for row in rows]
    if any(each is None for each in losses):
        return nan
    values = np.concatenate([each for each in losses if each is not None])
    return float(np.exp(np.log(values).mean()) if rows[0].comparison(name).is_ratio else values.mean())
