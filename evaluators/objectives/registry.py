"""The objectives by name. A new one is a file beside the others and an entry here; docs/objectives.md says more."""

from __future__ import annotations

from collections.abc import Iterable

from evaluators.errors import EvaluationError
from evaluators.objectives.complexity import Complexity
from evaluators.objectives.cost import Cost
from evaluators.objectives.gain import Gain
from evaluators.objectives.lipschitz import Lipschitz
from evaluators.objectives.measured import MeasuredObjective
from evaluators.objectives.noise import Noise
from evaluators.objectives.objective import Objective
from evaluators.objectives.reproducibility import Reproducibility
from evaluators.objectives.robustness import Robustness
from evaluators.objectives.saved_bytes import SavedBytes
from evaluators.objectives.sparsity import Sparsity
from primitives.errors import nearest

DEFAULT = ("gain", "cost")

OBJECTIVES: dict[str, Objective] = {
    objective.name: objective
    for objective in (
        Gain(),
        Cost(),
        Complexity(),
        SavedBytes(),
        Lipschitz(),
        Reproducibility(),
        Sparsity(),
        Robustness(),
        Noise(),
    )
}


def check_names(names: Iterable[str]) -> None:
    """Refuse names that are no objectives.

    Raises:
        EvaluationError: the message has the nearest name.
    """
    for name in names:
        if name not in OBJECTIVES:
            raise EvaluationError(
                f"unknown objective {name!r}{nearest(name, OBJECTIVES)}; available: {', '.join(OBJECTIVES)}"
            )


def measured_objectives(names: Iterable[str]) -> tuple[MeasuredObjective, ...]:
    """Those of the objectives that a cohort must measure on its trained models."""
    named = (OBJECTIVES[name] for name in names)
    return tuple(objective for objective in named if isinstance(objective, MeasuredObjective))


def measured_names(names: Iterable[str]) -> tuple[str, ...]:
    """The names of :func:`measured_objectives`."""
    return tuple(objective.name for objective in measured_objectives(names))
