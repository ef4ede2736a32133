"""The settings of a mixture's training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from evaluators.errors import EvaluationError

#: ``"dirichlet"``: drawn for each call from Dirichlet(elu(alpha) + 1) (DrNAS, arXiv 2006.10355); ``"softmax"``: of
#: alpha over a temperature that falls.
Weights = Literal["dirichlet", "softmax"]
WEIGHTS: tuple[str, ...] = get_args(Weights)

FEWEST_STEPS = 10
COLDEST = 0.1  # temperature of the softmax at the end; it begins at 1


@dataclass(frozen=True, slots=True)
class MixtureSettings:
    """How long a mixture is trained, and how.

    Args:
        steps: of the network's weights.
        warm: share of them that is taken with ReLU in place of the mixture.
        shrink: share after which operators are dropped; from ``warm`` to there the mixture has all of them.
        rate: learning rate of the mixture's own parameters.
        weights: how the weights of the sums follow from these.

    Raises:
        EvaluationError: a setting makes no sense; the message names it.
    """

    steps: int = 400
    warm: float = 0.1
    shrink: float = 0.2
    rate: float = 0.03
    weights: str = "dirichlet"

    def __post_init__(self) -> None:
        if self.steps < FEWEST_STEPS:
            raise EvaluationError(f"steps: expected at least {FEWEST_STEPS} for a mixture, got {self.steps}")
        if not 0 <= self.warm <= self.shrink < 1:
            raise EvaluationError(
                f"expected warm from 0 to shrink, and shrink below 1, got warm {self.warm} and shrink {self.shrink}"
            )
        if self.first_drop >= self.steps:
            raise EvaluationError(
                f"expected warm and shrink to leave a step for the mixture before its first operator is dropped, got "
                f"warm {self.warm} and shrink {self.shrink} of {self.steps} steps"
            )
        if not self.rate > 0:
            raise EvaluationError(f"rate: expected above 0 for a mixture to learn, got {self.rate}")
        if self.weights not in WEIGHTS:
            raise EvaluationError(f"weights: expected {' or '.join(WEIGHTS)}, got {self.weights!r}")

    @property
    def warm_steps(self) -> int:
        """Steps that are taken with ReLU."""
        return round(self.warm * self.steps)

    @property
    def first_drop(self) -> int:
        """The step before which the first operator is dropped: not before the mixture was trained for one."""
        return max(round(self.shrink * self.steps), self.warm_steps + 1)

    @property
    def both_steps(self) -> int:
        """Steps of the weights and of the mixture together."""
        return 2 * self.steps - self.warm_steps

    def temperature(self, step: int) -> float:
        """Of the softmax at a step: from 1 down to :data:`COLDEST`, in equal ratios, from the warm start on."""
        share = (step - self.warm_steps) / max(1, self.steps - self.warm_steps)
        return float(COLDEST ** min(1.0, max(0.0, share)))
