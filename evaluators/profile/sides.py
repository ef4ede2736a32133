"""The sides of a profile: pairs of a task and an objective, in groups."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import starmap

from evaluators.errors import EvaluationError
from evaluators.objectives import Objective, objective
from primitives.errors import nearest
from primitives.quoting import quoted


@dataclass(frozen=True, slots=True)
class Side:
    """What is looked at.

    Args:
        group: what it belongs to, such as ``"depth"``.
        task: a task's name.
        measure: an objective's name.
    """

    group: str
    task: str
    measure: str = "gain"

    @property
    def name(self) -> str:
        """The task, with the objective where that is not the gain: ``"digits:churn"``."""
        return self.task if self.measure == "gain" else f"{self.task}:{self.measure}"

    @property
    def objective(self) -> Objective:
        """Of its values."""
        return objective(self.measure)


SIDES: tuple[Side, ...] = tuple(
    starmap(
        Side,
        (
            ("images", "digits"),
            ("images", "digits-cnn"),
            ("images", "digits-resnet"),
            ("tables", "tabular-cancer"),
            ("text", "bytes-lm"),
            ("depth", "digits-deep-narrow"),
            ("depth", "digits-residual"),
            ("repeats", "digits", "reproducibility"),
            ("repeats", "digits", "churn"),
            ("calibration", "digits", "ece"),
            ("attacks", "digits", "robustness"),
            ("attacks", "digits", "lipschitz_lower"),
            ("few bits", "digits", "noise"),
            ("few bits", "digits", "int8"),
            ("few bits", "digits", "int4"),
            ("few bits", "digits", "analogue_noise"),
            ("sparsity", "bytes-lm", "sparsity"),
            ("sparsity", "bytes-lm", "cett_sparsity"),
            ("pruning", "digits-pruned"),
            ("pruning", "digits-pruned", "dead_neurons"),
            ("signals", "image-inr"),
            ("signals", "image-superres"),
            ("signals", "audio-inr"),
            ("physics", "pinn-infinite-well"),
            ("physics", "pinn-poisson"),
            ("physics", "pinn-burgers"),
            ("periods", "periodic-extrapolation"),
            ("formulas", "kan-exp-sin"),
            ("generation", "denoising-score"),
            ("forgetting", "split-digits"),
            ("strangers", "ood-digits"),
            ("graphs", "gcn-sbm"),
            ("decisions", "bandit"),
        ),
    )
)


def chosen_sides(names: Sequence[str], sides: Iterable[Side] = SIDES) -> tuple[Side, ...]:
    """The sides of these names or groups, in the order of the table; all for no names.

    Raises:
        EvaluationError: there is no such side or group; the message has the nearest one.
    """
    known = tuple(sides)
    options = {each.name for each in known} | {each.group for each in known}
    for name in names:
        if name not in options:
            groups = ", ".join(dict.fromkeys(each.group for each in known))
            raise EvaluationError(
                f"unknown side {quoted(name)}{nearest(name, options)}; available: a side, such as "
                f"{quoted(known[0].name)}, or a group: {groups}"
            )
    return tuple(each for each in known if not names or each.name in names or each.group in names)
