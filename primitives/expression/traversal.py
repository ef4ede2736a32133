"""Traversal: the orders in which the nodes of a graph are visited, and its rebuilding bottom-up.

A node shows its inputs; nothing else is asked of it.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator
from typing import Protocol, Self, TypeVar


class Node(Protocol):
    """What has ordered inputs of its own kind."""

    @property
    def args(self) -> tuple[Self, ...]:
        """The ordered inputs; none at a leaf."""


N = TypeVar("N", bound=Node)


def inputs_of(node: N) -> tuple[N, ...]:
    """The inputs of a node."""
    return node.args


def postorder(
    roots: Iterable[N],
    stop: Container[N] = (),
    inputs: Callable[[N], tuple[N, ...]] = inputs_of,
) -> list[N]:
    """The distinct nodes below the roots, inputs before users, left to right; what is below ``stop`` is left out."""
    seen: dict[N, None] = {}
    above: list[N] = []  # the nodes whose inputs are being visited, and where the visits stand
    visits = [iter(roots)]
    while visits:
        for node in visits[-1]:
            if node not in seen:
                below = inputs(node)
                if below and node not in stop:
                    above.append(node)
                    visits.append(iter(below))
                    break
                seen[node] = None
        else:
            visits.pop()
            if above:
                seen[above.pop()] = None
    return list(seen)


def preorder(root: N) -> Iterator[N]:
    """The nodes of the expression written as a tree, each before its inputs."""
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(reversed(node.args))


def rewrite(root: N, change: Callable[[N, tuple[N, ...]], N]) -> N:
    """Rebuild bottom-up: ``change(node, new_args)`` gives the new node; each distinct node is visited once."""
    new: dict[N, N] = {}
    for node in postorder((root,)):
        new[node] = change(node, tuple([new[arg] for arg in node.args]))
    return new[root]
