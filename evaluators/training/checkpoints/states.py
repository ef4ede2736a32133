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
class SinglesState:
    """What the training has made of models that are trained one at a time: tensors on the CPU, one mapping a model.

    Args:
        step: number of steps taken.
        tensors: parameters and buffers by name.
        optimisers: state of the optimiser, by the parameter's number and the name there.
    """

    step: int
    tensors: tuple[Mapping[str, Tensor], ...]
    optimisers: tuple[Mapping[int, Mapping[str, Tensor]], ...]


ModelsState = StackState | SinglesState


@dataclass(frozen=True, slots=True, eq=False)
class SavedModels:
    """Models with the members' numbers and, for each, the indices of the learning rates that it still has."""

    members: tuple[int, ...]
    rates: tuple[tuple[int, ...], ...]
    state: ModelsState


@dataclass(frozen=True, slots=True, eq=False)
class TrainingState:
    """The training on one task.

    Args:
        outcomes: of the members that are done or under way, in order.
        step: that those under way are at.
        models: of those under way; none between two members that are trained one after the other.
    """

    outcomes: tuple[Outcome, ...]
    step: int = 0
    models: tuple[SavedModels, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class CohortState:
    """A cohort: what its members did in the trainings that are done, the seconds these took, the one under way.

    Args:
        rows: of the members.
        seconds: by task.
        training: the one under way.
        done: how many trainings are: one for each task on the first seeds, and for each of a lap.
    """

    rows: tuple[MemberResult, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    training: TrainingState | None = None
    done: int = 0
