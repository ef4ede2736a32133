"""Tables: values of many expressions at the same points, each node computed once.

Expressions are hash-consed, and the candidates of a search share most of their nodes: with their parents, with their
derivatives, with each other. What was computed of a node is kept, so that a new candidate costs its new nodes alone,
and no program is compiled for it. The numbers are those of :func:`primitives.expression.evaluation.evaluate`: the same
kernels at the same inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from torch import Tensor

from primitives.expression.bottom_up import forget
from primitives.expression.evaluation import forward, leaf_value, shaped, shown_inputs
from primitives.expression.expression import Expression
from primitives.expression.traversal import postorder
from primitives.operators.formulas import expand
from primitives.operators.kernels import Value

KEPT = 2048  # nodes of a table: 16 MB at 1,001 points of float64 or 2,008 of float32


class Table:
    """Values at fixed points.

    Args:
        points: where they are computed; called once, at the first use.
        kept: how many nodes are kept at most, about; the oldest go first.
    """

    def __init__(self, points: Callable[[], Tensor], kept: int = KEPT) -> None:
        self._points, self._kept = points, kept
        self._x: Tensor | None = None
        self._known: dict[Expression, Value] = {}

    def __len__(self) -> int:
        """How many nodes are kept."""
        return len(self._known)

    def values(self, roots: Sequence[Expression], parameters: Mapping[str, Value] | None = None) -> list[Tensor]:
        """Values of functions of one number, (points,), in the points' dtype; not to be changed.

        Args:
            roots: the expressions, over the same parameters.
            parameters: values of these by name, numbers or tensors that broadcast with the points; None: their initial
                ones, at which nodes with parameters are kept, too.
        """
        x = self._at()
        known, own = self._known, dict[Expression, Value]()
        expanded = [expand(root, "forward") for root in roots]
        for node in postorder(expanded, known, shown_inputs):
            if node in known:
                continue
            inputs = shown_inputs(node)
            if inputs:
                value = forward(node, inputs)(*[own[arg] if arg in own else known[arg] for arg in inputs])
            else:
                value = leaf_value(node, x, node.initial_values if parameters is None else parameters)
            (own if parameters is not None and node.is_learnable else known)[node] = value
        made = [shaped(own[root] if root in own else known[root], x) for root in expanded]
        if len(known) > self._kept:
            forget(known, self._kept)
        return made

    def _at(self) -> Tensor:
        if self._x is None:
            self._x = self._points()
        return self._x
