"""Cost: forward and backward time, reckoned from the operator table."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache

from evaluators.objectives.formula.base import FormulaObjective
from primitives.equivalence.builtin import as_builtin
from primitives.expression.derivative import derivative
from primitives.expression.expression import Expression
from primitives.expression.parsing import parse
from primitives.expression.traversal import postorder
from primitives.operators.axes import ALL_AXES
from primitives.operators.formulas import expand
from primitives.operators.operator import PAIR
from primitives.operators.table import find_operator, reduces

_POWERS: dict[object, str] = {2.0: "mul", 3.0: "mul", 0.5: "sqrt", -1.0: "reciprocal"}


def cost(expression: Expression) -> float:
    """Forward and backward time per element relative to ReLU, from the operator table's constants.

    A formula that equals a built-in of torch costs what that costs, as it is computed by it.

    The forward pass applies the operators of f, the backward pass those of f' (which recomputes what it shares with
    f) and one product with the incoming gradient. Of a gate there are two derivatives. Layers with statistics are
    computed by torch's operators and torch's derivatives: each operator counts three times, but those whose results
    lack an axis, which are small. Of ``layers(...)`` it is the mean of its functions, each of which has as many places.
    """
    times = [_time(as_builtin(part)) for part in expression.parts]
    return round(sum(times) / len(times) / _relu(), 4)


@cache
def _relu() -> float:
    return _time(parse("relu(x)"))


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
    if expression.has_statistics:
        return 3.0 * _layer_operators(expression)
    slopes = [derivative(expression, wrt) for wrt in ("x", *expression.operands)]
    return _operators([expression]) + _operators(slopes) + len(slopes) * find_operator("mul").cost


def _operators(roots: Sequence[Expression]) -> float:
    return sum(map(_price, postorder([expand(root, "forward") for root in roots])))


@lru_cache(maxsize=8192)
def _price(node: Expression) -> float:
    """The cost of a node's operator; what is a number costs nothing."""
    return find_operator(_charged(node)).cost if node.args and (node.inputs or node.is_learnable) else 0.0


def _layer_operators(root: Expression) -> float:
    """Forward time of a layer: of operators whose results are as large as the input, and of statistics of such."""
    nodes = [node for node in postorder([expand(root, "canonical")]) if node.args and node.op != PAIR]
    taken = [node for node in nodes if (node.args[0].axes if reduces(node.op) else node.axes) == ALL_AXES]
    return sum(find_operator(_charged(node)).cost for node in taken)


def _charged(node: Expression) -> str:
    """The operator whose cost a node has: torch computes some powers, such as squares, by other means."""
    return _POWERS.get(node.args[1].value, "pow") if node.op == "pow" else node.op
