"""Statistics as nodes of ONNX, over tensors (n, c, h, w) of any sizes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from primitives.expression.expression import Expression, make_node
from primitives.lowering.substitutes import Formulas
from primitives.operators.axes import INDEX_SETS, PER_GROUP, mask
from primitives.operators.table import reduces

_KINDS = {"mean": "ReduceMean", "sum": "ReduceSum", "max": "ReduceMax"}
_DIMS = {"n": (0,), "c": (1,), "p": (2, 3)}

#: Statistics that are nodes, and the type of their node.
NODES = {f"{name}_{letters}": kind for name, kind in _KINDS.items() for letters in INDEX_SETS}


def _variance(letters: str) -> Callable[[Expression], Expression]:
    def written(a: Expression) -> Expression:
        difference = make_node("sub", a, make_node(f"mean_{letters}", a))
        return make_node(f"mean_{letters}", make_node("mul", difference, difference))

    return written


#: Those that are not, as formulas.
VARIANCES: Formulas = {f"var_{letters}": _variance(letters) for letters in INDEX_SETS}


class Graph(Protocol):
    """What nodes are appended to."""

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Append a node and return the name of its output."""

    def whole_numbers(self, values: Sequence[int]) -> str:
        """The name of a constant tensor of int64."""


def statistic(graph: Graph, node: Expression, value: str) -> str:
    """Append a statistic of a value of the same four dimensions, or one number; return the name of its output.

    A group has so many channels as the largest divisor of their number that is at most 16, which the model finds out
    from the shape. Parameters per channel are widened to that number first.
    """
    argument, letters = node.args[0], reduces(node.op)
    if not argument.axes:
        return value
    if not argument.inputs:
        value = graph.node("Expand", value, _per_channel(graph))
    if "g" in letters:
        return _of_groups(graph, NODES[node.op], value)
    dims = sorted(dim for letter in letters for dim in _DIMS[letter])
    return graph.node(NODES[node.op], value, axes=dims, keepdims=1)


def varies(root: Expression) -> bool:
    """True if a value has one entry for each of the input's."""
    return root.axes == mask("ncp")


def _part(graph: Graph, shape: str, dim: int) -> str:
    return graph.node("Gather", shape, graph.whole_numbers([dim]))


def _per_channel(graph: Graph) -> str:
    """The shape (1, c, 1, 1)."""
    one = graph.whole_numbers([1])
    return graph.node("Concat", one, _part(graph, graph.node("Shape", "x"), 1), one, one, axis=0)


def _of_groups(graph: Graph, kind: str, value: str) -> str:
    shape, one = graph.node("Shape", value), graph.whole_numbers([1])
    n, c, h, w = (_part(graph, shape, dim) for dim in range(4))
    sizes = graph.whole_numbers(range(1, PER_GROUP + 1))
    divides = graph.node("Equal", graph.node("Mod", c, sizes), graph.whole_numbers([0]))
    size = graph.node("ReduceMax", graph.node("Where", divides, sizes, one), axes=[0], keepdims=1)
    count = graph.node("Div", c, size)
    split = graph.node("Reshape", value, graph.node("Concat", n, count, size, h, w, axis=0))
    found = graph.node(kind, split, axes=[2, 3, 4], keepdims=1)
    wide = graph.node("Expand", found, graph.node("Concat", n, count, size, one, one, axis=0))
    return graph.node("Reshape", wide, graph.node("Concat", n, c, one, one, axis=0))
