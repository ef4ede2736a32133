"""Records of a cohort's results, one a member. A number that is not finite is NaN."""

from __future__ import annotations

import math
from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from evaluators.comparison import NATS, Comparison
from evaluators.results.control_labels import CURRENT, family_of
from evaluators.results.reasons import Reason
from evaluators.tasks.fresh_data import FreshData
from evaluators.training.member import Array, Outcome


@dataclass(frozen=True, slots=True, eq=False)
class MemberResult:
    """What one member of a cohort did.

    Args:
        losses: by task and step of a rung or the end: validation losses, or values of the task's metric, seeds x
            learning rates; NaN where one is not finite or cannot be compared, or a learning rate was dropped, and of a
            ratio not below the task's ``loss_floor``. Members of a race have more or fewer seeds.
        tests: by task: test losses at the end, in confirmation.
        reason: why it was rejected or failed, or None.
        failed_on: the task on which it did, or "".
        overflows_in: half-precision types, see :func:`evaluators.rejection.screens.flags`; None where no worker has
            told.
        measured: by task and name: objectives taken from the trained models.
        error: a worker's last words, or "".
        comparisons: by task, of those that compare by difference.
        readings: by task and name, seeds x learning rates: numbers that readers know, in confirmation on the test
            examples; NaN where one is not finite. See :meth:`evaluators.tasks.base.Task.readings`.
    """

    losses: Mapping[str, Mapping[int, Array]] = field(default_factory=dict)
    tests: Mapping[str, Array] = field(default_factory=dict)
    reason: Reason | None = None
    failed_on: str = ""
    overflows_in: tuple[str, ...] | None = ()
    measured: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    error: str = ""
    comparisons: Mapping[str, Comparison] = field(default_factory=dict)
    readings: Mapping[str, Mapping[str, Array]] = field(default_factory=dict)

    def comparison(self, task: str) -> Comparison:
        """How the values of a task are compared."""
        return self.comparisons.get(task, NATS)

    @property
    def seeds(self) -> int:
        """The number of seeds that it was trained on to the end of every task so far."""
        return min((len(self.final(task)) for task, by_step in self.losses.items() if by_step), default=0)

    def final(self, task: str) -> Array:
        """Validation losses at the end, seeds x learning rates."""
        by_step = self.losses[task]
        return by_step[max(by_step)]

    def first(self, seeds: int) -> MemberResult:
        """What it did on the first seeds; itself where there are no more."""
        tables = [*self.tests.values(), *(table for by_step in self.losses.values() for table in by_step.values())]
        if all(len(table) <= seeds for table in tables):
            return self
        losses = {
            task: {step: table[:seeds] for step, table in by_step.items()} for task, by_step in self.losses.items()
        }
        return replace(self, losses=losses, tests={task: table[:seeds] for task, table in self.tests.items()})

    def after(self, task: str, outcome: Outcome, comparison: Comparison) -> MemberResult:
        """With what came of one more task, or of more seeds on one.

        Args:
            task: its name.
            outcome: of the training.
            comparison: the task's.
        """
        losses = {step: comparison.counted(np.array(table, np.float64)) for step, table in outcome.losses.items()}
        before = self.losses.get(task, {})
        more = {step: np.concatenate([table, losses[step]]) for step, table in before.items() if step in losses}
        tests = {} if outcome.tests is None else {task: comparison.counted(np.array(outcome.tests, np.float64))}
        readings = {name: _finite(np.array(table, np.float64)) for name, table in outcome.readings.items()}
        values = {name: value if math.isfinite(value) else math.nan for name, value in outcome.measured.items()}
        return replace(
            self,
            losses={**self.losses, task: {**losses, **before, **more}},
            tests={**self.tests, **tests},
            reason=outcome.reason,
            failed_on=task if outcome.reason else "",
            measured={**self.measured, task: values} if values else self.measured,
            error=outcome.error,
            comparisons=self.comparisons if comparison.is_ratio else {**self.comparisons, task: comparison},
            readings={**self.readings, task: readings} if readings else self.readings,
        )


def _finite(values: Array) -> Array:
    return np.where(np.isfinite(values), values, np.nan)


@dataclass(frozen=True, slots=True, eq=False)
class CohortResult:
    """What a cohort did.

    Args:
        candidates: in the order of the request.
        controls: by name. A user's network as it stands is ``"current"``, with losses on the tasks that have one.
        nulls: the null controls.
        seconds: by task.
        tested: by task, in confirmation.
        by_torch: on how many tasks the candidates were trained by torch instead of the native engine, by reason.
    """

    candidates: tuple[MemberResult, ...]
    controls: Mapping[str, MemberResult]
    nulls: tuple[MemberResult, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    tested: Mapping[str, FreshData] = field(default_factory=dict)
    by_torch: Mapping[str, int] = field(default_factory=dict)

    @property
    def reference(self) -> MemberResult:
        """The reference of all gains."""
        return reference_of(self.controls)

    @property
    def seeds(self) -> int:
        """The number of seeds that all were trained on; the reference and some candidates may have more."""
        return min((row.seeds for row in self.controls.values() if row.losses), default=0)


def reference_of(controls: Mapping[str, MemberResult]) -> MemberResult:
    """What candidates are compared with, task by task: the network as it stands, or the first control."""
    first, current = controls[family_of(controls)[0]], controls.get(CURRENT)
    if current is None:
        return first
    return replace(
        current,
        losses={**first.losses, **current.losses},
        tests={**first.tests, **current.tests},
        measured={**first.measured, **current.measured},
        comparisons={**first.comparisons, **current.comparisons},
        readings={**first.readings, **current.readings},
    )


def rivals(controls: Mapping[str, MemberResult]) -> dict[str, MemberResult]:
    """All that candidates are compared with, by name, each with a result on every task: the reference is whole."""
    return {name: reference_of(controls) if name == CURRENT else row for name, row in controls.items()}


def reference_name(names: Container[str]) -> str:
    """The name of the reference among those of controls; runs of older versions have ReLU alone."""
    return CURRENT if CURRENT in names else family_of(names)[0]
