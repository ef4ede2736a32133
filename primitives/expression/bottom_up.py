"""Bottom up: what follows for a node from its inputs' results, computed once for each node.

Expressions are hash-consed, and the candidates of a search share most of their nodes with their parents and with each
other. What was computed of a node is kept, so that a new candidate costs its new nodes alone.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Generic, TypeVar, final

from primitives.expression.expression import Expression
from primitives.expression.traversal import postorder

KEPT = 8192  # nodes

V = TypeVar("V")


@final
class BottomUp(Generic[V]):
    """A function of expressions that is defined from the leaves up.

    Args:
        rule: ``rule(node, results of its inputs)``; it must follow from these alone.
        kept: how many results are kept at most, about; the oldest go first.
    """

    def __init__(self, rule: Callable[[Expression, tuple[V, ...]], V], kept: int = KEPT) -> None:
        self._rule, self._kept = rule, kept
        self._known: dict[Expression, V] = {}

    def __len__(self) -> int:
        """How many results are kept."""
        return len(self._known)

    def __call__(self, root: Expression) -> V:
        """The result at the root."""
        known, rule = self._known, self._rule
        if root in known:
            return known[root]
        nodes = postorder((root,), known)
        # a rule may come back here, and what is known be forgotten meanwhile
        found = {node: known[node] for node in nodes if node in known}
        for node in nodes:
            if node not in found:
                found[node] = rule(node, tuple([found[arg] for arg in node.args]))
        known.update(found)
        if len(known) > self._kept:
            forget(known, self._kept)
        return found[root]


def forget(known: dict[Expression, V], kept: int) -> None:
    """Take the oldest of more than ``kept`` entries away, so that three quarters of ``kept`` are left."""
    for node in list(islice(known, len(known) - 3 * kept // 4)):
        known.pop(node, None)
