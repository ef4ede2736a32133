"""The rejections at the rungs of one task: failures, and those of the job's rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from evaluators.comparison import comparison_of
from evaluators.rejection.accuracy import below
from evaluators.rejection.base import RungRule, Thresholds
from evaluators.rejection.failure_checks import failure
from evaluators.rejection.failures import Failures
from evaluators.rejection.relative_loss import relative_loss
from evaluators.tasks.base import Task
from evaluators.training.member import Array, CohortMember, Outcome


@dataclass(frozen=True, slots=True)
class Judge:
    """Writes the reasons of rejection into outcomes.

    Args:
        task_name: of the task, as the thresholds name it.
        rule: the job's.
        thresholds: what the rule has learnt.
        accuracy: the smallest that goes on, see :func:`evaluators.rejection.accuracy.below`; it takes the place of the
            failures that compare with the reference. None: these.
    """

    task_name: str = ""
    rule: RungRule = field(default_factory=Failures)
    thresholds: Thresholds = field(default_factory=dict)
    accuracy: float | None = None

    def at(
        self, step: int, task: Task, members: Sequence[CohortMember], outcomes: Sequence[Outcome],
        accuracies: Sequence[Array | None] = (),
    ) -> None:  # fmt: skip
        """Judge all that have losses at a step; the reference is the first member.

        Args:
            step: of the rung.
            task: that is trained.
            members: the reference first.
            outcomes: theirs.
            accuracies: theirs on validation examples, seeds x learning rates, where the judge has a floor.
        """
        comparison = comparison_of(task)
        reference = comparison.counted(outcomes[0].at(step))
        read = accuracies or [None] * len(members)
        for member, outcome, accuracy in zip(members, outcomes, read, strict=True):
            if not member.protected and step in outcome.losses:
                losses = comparison.counted(outcome.at(step))
                if self.accuracy is None or accuracy is None:
                    outcome.reason = failure(losses, reference, task.chance, comparison)
                else:
                    outcome.reason = below(self.accuracy, accuracy, losses, comparison)
                if not (outcome.reason or member.exempt):
                    rung, relative = (self.task_name, step), relative_loss(losses, reference, comparison)
                    outcome.reason = self.rule.decide(self.thresholds, rung, relative)


#: Where no rule has learnt anything.
FAILURES_ONLY = Judge()
