"""The objectives by name; docs/objectives.md says more of each."""

from __future__ import annotations

from collections.abc import Iterable

from evaluators.errors import EvaluationError
from evaluators.objectives.cost import cost
from evaluators.objectives.formula import complexity, network_lipschitz, saved_bytes
from evaluators.objectives.objective import Objective
from primitives.errors import nearest

DEFAULT = ("gain", "cost")

OBJECTIVES: dict[str, Objective] = {
    o.name: o
    for o in (
        Objective(
            "gain", "nats", "maximize", "mean over seeds and tasks of log(loss of ReLU / loss of the candidate)",
            "paired by seed, Bouthillier et al. 2021, arXiv:2103.03098", "training",
        ),
        Objective(
            "cost", "ReLUs", "minimize", "operator costs of value and derivative / the same of ReLU",
            "operator table, benchmarks/operator_costs.py", "formula", cost,
        ),
        Objective(
            "complexity", "nodes", "minimize", "nodes of the canonical form written as a tree",
            "Cranmer 2023, arXiv:2305.01582", "formula", complexity,
        ),
        Objective(
            "saved_bytes", "bytes", "minimize", "bytes kept for the backward pass / elements of a float32 input",
            "Novikov et al. 2022, arXiv:2202.00441", "formula", saved_bytes,
        ),
        Objective(
            "lipschitz", "slope", "minimize", "sup |f'(x)| / sqrt(E f(z)^2), at most 1e6",
            "Szegedy et al. 2014, arXiv:1312.6199, section 4.3", "formula", network_lipschitz,
        ),
        Objective(
            "reproducibility", "share", "minimize", "total variation of the seeds' predictions from their mean; "
            "without classes: share of the predictions' variance between seeds",
            "Shamir et al. 2020, arXiv:2010.09931", "measured",
        ),
        Objective(
            "sparsity", "share", "maximize", "share of activations with |a| <= 1e-3 of their root mean square",
            "Li et al. 2022, arXiv:2210.06313", "measured",
        ),
        Objective(
            "robustness", "nats", "maximize", "log(loss of ReLU / loss of the candidate) under 10 steps of PGD, "
            "|d| <= 0.1 of the inputs' standard deviation",
            "Madry et al. 2018, arXiv:1706.06083", "measured", relative=True,
        ),
        Objective(
            "noise", "nats", "maximize", "log(loss of ReLU / loss of the candidate), activations rounded to 15 levels",
            "Shah and Youngblood 2024, arXiv:2402.02593", "measured", relative=True,
        ),
    )
}  # fmt: skip


def check_names(names: Iterable[str]) -> None:
    """Refuse names that are no objectives.

    Raises:
        EvaluationError: the message has the nearest name.
    """
    for name in names:
        if name not in OBJECTIVES:
            raise EvaluationError(
                f"unknown objective {name!r}{nearest(name, OBJECTIVES)}; there are {', '.join(OBJECTIVES)}"
            )


def measured_names(names: Iterable[str]) -> tuple[str, ...]:
    """Those of the objectives that a cohort must measure on its trained models."""
    return tuple(name for name in names if OBJECTIVES[name].kind == "measured")
