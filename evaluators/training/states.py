"""The state of an unfinished cohort, from which a worker goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from evaluators.results.records import MemberResult
from evaluators.training.member import Outcome


@dataclass(frozen=True, slots=True, eq=False)
class StackState:
    """What the training has made of a stack: tensors on the CPU, and the number of steps taken.

    Args:
        step: number of steps taken.
        tensors: everything that is trained.
        optimiser: its state.
        fixed: what belongs to a slice and is not trained.
    """

    step: int
    tensors: tuple[Tensor, ...]
    optimiser: tuple[tuple[Tensor, ...], ...]
    fixed: tuple[Tensor, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class SavedStack:
    """A stack with the members' numbers and, for each, the indices of the learning rates that it still has."""

    members: tuple[int, ...]
    rates: tuple[tuple[int, ...], ...]
    state: StackState


@dataclass(frozen=True, slots=True, eq=False)
class TrainingState:
    """The training on one task: outcomes so far and, where there are stacks, those and the step that they are at."""

    outcomes: tuple[Outcome, ...]
    step: int = 0
    stacks: tuple[SavedStack, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class CohortState:
    """A cohort: what its members did on the tasks that are done, the seconds these took, the training under way."""

    rows: tuple[MemberResult, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    training: TrainingState | None = None
