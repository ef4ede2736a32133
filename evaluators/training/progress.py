"""How far the training of a cohort is, for people: told as stacks come to a rung, the controls' first."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from evaluators.comparison import comparison_of
from evaluators.tasks.base import Task
from evaluators.training.member import CohortMember, Outcome, Schedule, best_rate


@dataclass(frozen=True, slots=True)
class Told:
    """One member at a rung.

    Args:
        text: of its expression; "" for the network as it stands.
        control: it is one, or a copy of the reference.
        loss: mean over the seeds at its best learning rate, of what the task is judged by.
    """

    text: str
    control: bool
    loss: float


@dataclass(frozen=True, slots=True)
class Reached:
    """Some members have come to a rung.

    Args:
        task: its name.
        step: of the rung.
        steps: of the whole training.
        members: how many are trained to this rung.
        told: those that are there so far, in the cohort's order.
        highest: the task is judged by what is better where it is higher.
    """

    task: str
    step: int
    steps: int
    members: int
    told: tuple[Told, ...]
    highest: bool = False

    @property
    def best(self) -> Told | None:
        """The best of the candidates so far; None without a finite loss of one."""
        sign = -1.0 if self.highest else 1.0
        rows = [each for each in self.told if not each.control and math.isfinite(each.loss)]
        return min(rows, key=lambda each: sign * each.loss, default=None)


@dataclass(frozen=True, slots=True)
class Watch:
    """Who looks at a training. Called in its own thread; what is raised there ends it.

    Args:
        reached: is called as stacks come to a rung.
        stepped: is called every ``span`` steps of a stack.
    """

    reached: Callable[[Reached], object]
    stepped: Callable[[], object]


def reached(
    task: Task, members: Sequence[CohortMember], outcomes: Sequence[Outcome], step: int, schedule: Schedule
) -> Reached:
    """What there is to tell at a rung.

    Args:
        task: that is trained.
        members: of the training.
        outcomes: of the first of them, as far as they were begun.
        step: of the rung.
        schedule: of the training.
    """
    comparison = comparison_of(task)
    told = []
    for member, outcome in zip(members, outcomes, strict=False):
        if not outcome.reason and step in outcome.losses:
            losses = outcome.at(step)
            loss = float(losses[:, best_rate(comparison.costs(losses))].mean())
            told.append(Told(member.expression.text if member.expression else "", member.protected, loss))
    left = len(members) - sum(outcome.reason is not None for outcome in outcomes)
    return Reached(task.name, step, schedule.steps, left, tuple(told), comparison.direction == "maximise")
