"""Reasons: why a candidate has no result, each with its code in files, its kind and its meaning."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, StrEnum


class Kind(StrEnum):
    """What happened to a candidate that has a reason."""

    SCREENED = "screened"  #: stopped without training
    FAILED = "failed"  #: could not be trained, measured or compared
    REJECTED = "rejected"  #: trained, and given up as not good enough


class Reason(Enum):
    """A code as it stands in files, its kind, and its meaning for people.

    ``non-finite`` is the code of a screen and of a training: in files the place tells which is meant.
    """

    NO_INPUT = ("no-input", Kind.SCREENED, "the input x does not occur")
    CONSTANT = ("constant", Kind.SCREENED, "all outputs are equal")
    LOST_AXIS = ("lost-axis", Kind.SCREENED, "the output is the same for all examples, all channels or all positions")
    AFFINE = ("affine", Kind.SCREENED, "the outputs lie on a straight line; of layers and gates, the map is affine")
    OVERFLOW = (
        "non-finite", Kind.SCREENED,
        "value or derivative is not finite in float32 for some |x| <= 50, or at the fixed tensors",
    )  # fmt: skip
    NAN = ("nan", Kind.SCREENED, "value or derivative is NaN in float32 for some 50 < |x| <= 100")
    FLAT = ("flat", Kind.SCREENED, "E f'(z)^2 is below 1e-4 of E f(z)^2: no gradient reaches the layer below")
    STEEP = ("steep", Kind.SCREENED, "E f'(z)^2 is above 1e4 of E f(z)^2")
    MISFIT = ("misfit", Kind.SCREENED, "a place of a task's network takes another kind of function")
    UNPROMISING = ("unpromising", Kind.REJECTED, "above an early-rejection threshold at a rung")
    DIVERGED = ("non-finite", Kind.FAILED, "no learning rate kept its loss finite on every seed")
    STUCK = ("stuck-at-chance", Kind.REJECTED, "learnt nothing where the reference did")
    FAR_BELOW = ("far-below-relu", Kind.REJECTED, "its loss was far above the reference's at a rung")
    WORKER_DIED = ("worker-died", Kind.FAILED, "the worker that trained it died, twice")
    TIMEOUT = ("timeout", Kind.FAILED, "the worker that trained it fell silent, twice")
    NODE_LOST = ("node-lost", Kind.FAILED, "the machine that trained it was lost")
    RAISED = ("raised", Kind.FAILED, "training it raised an error")
    NO_REFERENCE = ("no-reference", Kind.FAILED, "the reference itself had no finite loss to compare with")
    INACCURATE = ("inaccurate", Kind.REJECTED, "its accuracy on validation examples was below the floor at a rung")
    UNSTABLE = ("unstable", Kind.REJECTED, "its gradients can be made to explode")

    def __init__(self, code: str, kind: Kind, meaning: str) -> None:
        self.code = code
        self.kind = kind
        self.meaning = meaning


@dataclass(frozen=True, slots=True)
class Unmeasured:
    """The reason of a class that was trained to the end and has no finite value of an objective."""

    objective: str

    @property
    def code(self) -> str:
        """As in files, such as ``no-noise``."""
        return f"no-{self.objective}"

    @property
    def kind(self) -> Kind:
        """A failure: it has no place among classes that have all numbers."""
        return Kind.FAILED

    @property
    def meaning(self) -> str:
        """For people."""
        return f"the objective {self.objective!r} has no finite value"


@dataclass(frozen=True, slots=True)
class Infeasible:
    """The reason of a class that was trained to the end and does not meet a constraint of the job."""

    objective: str

    @property
    def code(self) -> str:
        """As in files, such as ``infeasible-churn``."""
        return f"infeasible-{self.objective}"

    @property
    def kind(self) -> Kind:
        """It was given up as not good enough."""
        return Kind.REJECTED

    @property
    def meaning(self) -> str:
        """For people."""
        return f"it does not meet the job's constraint on {self.objective!r}"


#: Of a class that was trained, or begun.
AnyReason = Reason | Unmeasured | Infeasible

#: Reasons of screens that say that a function trains badly, not that it cannot: an audit may pass such candidates on.
SOFT = frozenset({Reason.LOST_AXIS, Reason.AFFINE, Reason.NAN, Reason.FLAT, Reason.STEEP})

#: By code: the reasons of the screens, and those of training and comparison.
SCREENS = {reason.code: reason for reason in Reason if reason.kind is Kind.SCREENED}
TRAINED = {reason.code: reason for reason in Reason if reason.kind is not Kind.SCREENED}


def of_objectives(names: Iterable[str], constrained: Iterable[str]) -> dict[str, Unmeasured | Infeasible]:
    """By code: the reasons that a class can have where these objectives are asked for, and those have bounds."""
    found: list[Unmeasured | Infeasible] = [*map(Unmeasured, names), *map(Infeasible, constrained)]
    return {reason.code: reason for reason in found}


def code_of(reason: AnyReason | None) -> str:
    """The code as it stands in files, "" without a reason."""
    return "" if reason is None else reason.code
