"""Printing: infix text that :func:`primitives.parse` reads back to the same expression."""

from __future__ import annotations

from typing import Protocol

from primitives.errors import ExpressionError
from primitives.expression.infix import ATOM_LEVEL, INFIX, SIGN_LEVEL
from primitives.expression.parameters import Parameter
from primitives.expression.traversal import Node, postorder

MAX_PRINTED = 100_000  # nodes; derivatives share so much that written as a tree they can have billions

_SYMBOL = {op: (symbol, level) for symbol, (op, level) in INFIX.items()}


class Printable(Node, Protocol):
    """What printing reads of a node; see :class:`primitives.expression.expression.Expression`."""

    @property
    def op(self) -> str:
        """Operator name, or the kind of a leaf."""

    @property
    def value(self) -> float | Parameter | None:
        """What a leaf holds."""

    @property
    def size(self) -> int:
        """Number of nodes written as a tree."""

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters below, in the order of their first use."""


def to_text(root: Printable) -> str:
    """Infix text of an expression with its parameter declarations.

    Raises:
        ExpressionError: written as a tree the expression has more than 100,000 nodes, as higher derivatives can.
    """
    if root.size > MAX_PRINTED:
        raise ExpressionError(f"the text would have {root.size} operators and names; at most {MAX_PRINTED} are written")
    body = _body(root)
    declared = [f"{p.name}={_decimal(p.initial)}{'' if p.per == 'layer' else f':{p.per}'}" for p in root.parameters]
    return f"{body}; {', '.join(declared)}" if declared else body


def _decimal(value: float) -> str:
    """Shortest text that reads back to the same float; integers without a point."""
    return repr(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def _body(root: Printable) -> str:
    text: dict[Printable, tuple[str, int]] = {}
    for node in postorder((root,)):
        text[node] = _piece(node, [text[arg] for arg in node.args])
    return text[root][0]


def _piece(node: Printable, args: list[tuple[str, int]]) -> tuple[str, int]:
    """Text of a node and how tightly it binds."""

    def bracketed(index: int, lowest: int) -> str:
        inner, level = args[index]
        return inner if level >= lowest else f"({inner})"

    if isinstance(node.value, Parameter):
        return node.value.name, ATOM_LEVEL
    if isinstance(node.value, float):
        return _decimal(node.value), ATOM_LEVEL if node.value >= 0 else SIGN_LEVEL
    if not node.args:
        return node.op, ATOM_LEVEL
    if node.op == "neg":
        number = isinstance(node.args[0].value, float)
        return f"-({args[0][0]})" if number else f"-{bracketed(0, SIGN_LEVEL + 1)}", SIGN_LEVEL
    if node.op in _SYMBOL:
        symbol, level = _SYMBOL[node.op]
        left = bracketed(0, level + 1 if node.op == "pow" else level)
        return f"{left}{symbol}{bracketed(1, level if node.op == 'pow' else level + 1)}", level
    return f"{node.op}({','.join(inner for inner, _ in args)})", ATOM_LEVEL
