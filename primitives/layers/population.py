"""The form of inference: statistics over examples become numbers that belong to the layer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from primitives.expression.expression import Expression, make_node, parameter
from primitives.expression.parameters import Parameter
from primitives.expression.traversal import rewrite
from primitives.operators.axes import mask
from primitives.operators.formulas import expand
from primitives.operators.table import reduces


@dataclass(frozen=True, slots=True)
class Population:
    """A function whose outputs depend on no other example.

    Args:
        form: the function, with a parameter in the place of each statistic over examples that stands in no other.
        statistics: these statistics, functions of a batch.
        running: the parameters, in the same order; per channel where the statistic varies over channels.
    """

    form: Expression
    statistics: tuple[Expression, ...]
    running: tuple[Parameter, ...]


@lru_cache(maxsize=1024)
def population(expression: Expression) -> Population:
    """The form of inference of an expression: of ``x/std_np(x)`` it is ``x/sqrt(running1+1e-5)``."""
    root = expand(expression, "canonical" if expression.is_paired else "forward")  # forward drops the pair's slope
    taken = {p.name for p in root.parameters}
    names = (name for number in range(1, root.size + 2) if (name := f"running{number}") not in taken)
    leaves = {node: _running(node, next(names)) for node in _outermost(root)}
    if not leaves:
        return Population(expression, (), ())
    form = rewrite(root, lambda node, args: leaves.get(node) or (make_node(node.op, *args) if args else node))
    running = tuple(leaf.value for leaf in leaves.values() if isinstance(leaf.value, Parameter))
    return Population(form, tuple(leaves), running)


def _running(node: Expression, name: str) -> Expression:
    return parameter(
        name, 1.0 if node.op.startswith("var") else 0.0, per="channel" if node.axes & mask("c") else "layer"
    )


def _outermost(root: Expression) -> Iterator[Expression]:
    """The distinct statistics over examples that stand in no other, in the order of reading."""
    above, seen = [root], set[Expression]()
    while above:
        node = above.pop()
        if node in seen:
            continue
        seen.add(node)
        if "n" in reduces(node.op) and node.args[0].axes & mask("n"):
            yield node
        else:
            above.extend(reversed(node.args))
