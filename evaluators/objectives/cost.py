"""Cost: forward and backward time, reckoned from the operator table."""

from __future__ import annotations

from collections.abc import Sequence

from evaluators.objectives.formula import FormulaObjective
from primitives.equivalence.builtin import as_builtin
from primitives.expression.derivative import derivative
from primitives.expression.evaluation import constants
from primitives.expression.expression import Expression
from primitives.expression.parsing import parse
from primitives.expression.traversal import postorder
from primitives.operators.formulas import expand
from primitives.operators.table import find_operator

_POWERS: dict[object, str] = {2.0: "mul", 3.0: "mul", 0.5: "sqrt", -1.0: "reciprocal"}


def cost(expression: Expression) -> float:
    """Forward and backward time per element relative to ReLU, from the operator table's constants.

    A formula that equals a built-in of torch costs what that costs, as it is computed by it.

    The forward pass applies the operators of f, the backward pass those of f' (which recomputes what it shares with
    f) and one product with the incoming gradient.
    """
    return round(_time(as_builtin(expression)) / _time(parse("relu(x)")), 4)


class Cost(FormulaObjective):
    """:func:`cost` of the candidate."""

    name = "cost"
    unit = "ReLUs"
    direction = "minimize"
    formula = "operator costs of value and derivative / the same of ReLU"
    source = "operator table, benchmarks/operator_costs.py"

    def of(self, expression: Expression) -> float:
        return cost(expression)


def _time(expression: Expression) -> float:
    slopes = [derivative(expression, wrt) for wrt in ("x", *(p.name for p in expression.parameters))]
    return _operators([expression]) + _operators(slopes) + len(slopes) * find_operator("mul").cost


def _operators(roots: Sequence[Expression]) -> float:
    roots = [expand(root, "forward") for root in roots]
    folded = constants(roots)
    return sum(find_operator(_charged(n)).cost for n in postorder(roots) if n.args and n not in folded)


def _charged(node: Expression) -> str:
    """The operator whose cost a node has: torch computes some powers, such as squares, by other means."""
    return _POWERS.get(node.args[1].value, "pow") if node.op == "pow" else node.op
