"""What a worker is asked to do with a mixture, and what it answers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from evaluators.machine.backend import AUTOCAST, Backend
from evaluators.mixture.settings import MixtureSettings
from evaluators.mixture.space import Space
from evaluators.tasks.conditions import OWN, Conditions


@dataclass(frozen=True, slots=True)
class MixtureRequest:
    """What a worker is asked to do.

    Args:
        space: the form with its rules.
        task: name of the task.
        seed: of weights, split, data order and the mixture's own draws.
        rate: learning rate of the network's weights.
        settings: of the training.
        device: ``"cpu"``, or ``"cuda"`` with or without a number.
        autocast: ``"bfloat16"`` or ``"float16"`` for the network's matrix products, or None.
        operators: references to the rows of users' files that the rules are written with.
        conditions: what is asked of the weights and the scale.
    """

    space: Space
    task: str
    seed: int
    rate: float
    settings: MixtureSettings = field(default_factory=MixtureSettings)
    device: str = "cpu"
    autocast: str | None = None
    operators: tuple[str, ...] = ()
    conditions: Conditions = OWN

    @property
    def backend(self) -> Backend:
        """Where and in which types to train."""
        return Backend(self.device, autocast=AUTOCAST[self.autocast] if self.autocast else None)

    @property
    def tasks(self) -> tuple[str, ...]:
        """The task, as a cohort has several."""
        return (self.task,)

    def digest(self) -> str:
        """Beginning of a SHA-256 that tells this request from all others."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Mark:
    """A mixture at a step.

    Args:
        step: steps of the weights taken.
        weights: for each slot the mean weight of each rule, 0 for one that was dropped.
        loss: mean training loss of the weights' steps since the mark before, NaN where there were none.
        held_out: mean loss of the mixture's steps on the other half since then, NaN where there were none.
    """

    step: int
    weights: tuple[tuple[float, ...], ...]
    loss: float
    held_out: float


@dataclass(frozen=True, slots=True)
class Dropped:
    """An operator that was dropped.

    Args:
        step: before which step of the weights.
        slot: number of the slot, in prefix order.
        rule: as the grammar writes it.
        seconds: since the beginning, by the clock.
    """

    step: int
    slot: int
    rule: str
    seconds: float = field(compare=False)


@dataclass(frozen=True, slots=True)
class MixtureResult:
    """What came of a mixture.

    Args:
        expression: its text, one rule in each slot; "" if the training failed.
        reason: why it failed, or "".
        slots: the rules of each slot.
        marks: from the beginning to the end.
        dropped: in order.
        steps: taken, those of the weights and of the mixture together.
        seconds: by task.
    """

    expression: str
    reason: str
    slots: tuple[tuple[str, ...], ...]
    marks: tuple[Mark, ...]
    dropped: tuple[Dropped, ...]
    steps: int
    seconds: Mapping[str, float] = field(compare=False)
