"""Objectives: a named dict; each has a unit, a direction and a formula."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from evaluators.member import Array, best_rate
from primitives.builtin import as_builtin
from primitives.derivative import derivative
from primitives.evaluation import constants
from primitives.expressions import Expression, postorder
from primitives.formulas import written_out
from primitives.operators import find_operator
from primitives.text import parse


@dataclass(frozen=True, slots=True)
class Objective:
    """What an objective is: its direction is ``"maximize"`` or ``"minimize"``."""

    name: str
    unit: str
    direction: Literal["maximize", "minimize"]
    formula: str


OBJECTIVES: dict[str, Objective] = {
    o.name: o
    for o in (
        Objective("gain", "nats", "maximize", "mean over seeds and tasks of log(loss of ReLU / loss of the candidate)"),
        Objective("cost", "ReLUs", "minimize", "operator costs of value and derivative / the same of ReLU"),
    )
}

_POWERS: dict[object, str] = {2.0: "mul", 3.0: "mul", 0.5: "sqrt", -1.0: "reciprocal"}


def cost(expression: Expression) -> float:
    """Forward and backward time per element relative to ReLU, from the operator table's constants.

    A formula that equals a built-in of torch costs what that costs, as it is computed by it.

    The forward pass applies the operators of f, the backward pass those of f' (which recomputes what it shares with
    f) and one product with the incoming gradient.
    """
    return round(_time(as_builtin(expression)) / _time(parse("relu(x)")), 4)


def _time(expression: Expression) -> float:
    slopes = [derivative(expression, by) for by in ("x", *(p.name for p in expression.parameters))]
    return _operators([expression]) + _operators(slopes) + len(slopes) * find_operator("mul").cost


def _operators(roots: Sequence[Expression]) -> float:
    roots = [written_out(root, "forward") for root in roots]
    folded = constants(roots)
    return sum(find_operator(_charged(n)).cost for n in postorder(roots) if n.args and n not in folded)


def _charged(node: Expression) -> str:
    """The operator whose cost a node has: torch computes some powers, such as squares, by other means."""
    return _POWERS.get(node.args[1].value, "pow") if node.op == "pow" else node.op


def chosen_losses(row: Mapping[str, Any], name: str, *, test: bool = False) -> Array | None:
    """Losses of each seed at the best learning rate of a task, or None where the task was not finished.

    Args:
        row: one member of a cohort's result.
        name: the task.
        test: the test losses, at the learning rate that was best in validation.
    """
    if row["reason"] or name not in row["losses"]:
        return None
    marks = row["losses"][name]
    final = np.array(marks[max(marks, key=int)], dtype=np.float64)
    chosen = best_rate(final)
    losses: Array = np.array(row["tests"][name], dtype=np.float64)[:, chosen] if test else final[:, chosen]
    return losses


def gains(row: Mapping[str, Any], control: Mapping[str, Any], tasks: Sequence[str], *, test: bool = False) -> Array:
    """Gain over a control for each task and seed, in nats: log(loss of the control / loss of the member).

    Returns:
        Array (tasks, seeds), NaN where the member has no loss.
    """
    table = []
    for name in tasks:
        own, reference = chosen_losses(row, name, test=test), chosen_losses(control, name, test=test)
        assert reference is not None
        table.append(np.full_like(reference, np.nan) if own is None else np.log(reference / own))
    return np.array(table)
