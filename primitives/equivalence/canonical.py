"""Canonical form: one bottom-up pass of cheap identities; it never makes an expression larger."""

from __future__ import annotations

import math
from collections import Counter
from functools import lru_cache

from primitives.expression.bottom_up import BottomUp
from primitives.expression.expression import MAX_SIZE, Expression, constant, make_node, parameter, with_args
from primitives.expression.parameters import GRANULARITIES, Parameter
from primitives.expression.traversal import rewrite
from primitives.operators.axes import mask
from primitives.operators.formulas import expand
from primitives.operators.operator import LAYERS, PAIR
from primitives.operators.table import find_operator, fold, reduces

_IDEMPOTENT = {"relu", "abs", "relu6", "hardtanh", "floor", "sign"}
_SIMPLIFIED = {"neg", "add", "sub", "mul", "div", "pow", "max", "min", *_IDEMPOTENT}


@lru_cache(maxsize=1024)
def canonical(root: Expression) -> Expression:
    """Write out defined operators, order arguments, fold constants, apply identities of neg, + - * / ** max min paired.

    A statistic over axes that its argument lacks goes; ``layers(f, f, g, g)`` is ``layers(f, g)``. The
    result equals the expression wherever that is finite. Each distinct node is visited once.
    """
    return _with_numbered_parameters(_reduced_form(expand(root, "canonical")))


def _reduce(node: Expression, args: tuple[Expression, ...]) -> Expression:
    """The node with its new inputs, simplified."""
    if not args:
        return node
    if node.op == PAIR:
        return _pair(*args)
    if node.op == LAYERS:
        return _layers(args)
    if (letters := reduces(node.op)) and not args[0].axes & mask(letters):
        return constant(0.0) if node.op.startswith("var") else args[0]
    numbers = [arg.value for arg in args if isinstance(arg.value, float)]
    if len(numbers) == len(args):
        value = fold(node.op, numbers)
        return constant(value) if math.isfinite(value) else make_node(node.op, *args)
    if find_operator(node.op).commutative and _in_order(args[1], args[0]):
        args = args[::-1]
    simpler = _identity(node.op, args) if node.op in _SIMPLIFIED else None
    return simpler or (node if args == node.args else make_node(node.op, *args))


_reduced_form = BottomUp(_reduce)


def _pair(value: Expression, slope: Expression) -> Expression:
    """Of a pair the value counts, or the derivative; a number added to the latter does not."""
    value = value.args[0] if value.op == PAIR else value
    while slope.op == PAIR or (slope.op in {"add", "sub"} and isinstance(slope.args[1].value, float)):
        slope = slope.args[1 if slope.op == PAIR else 0]
    numbers = isinstance(value.value, float) and isinstance(slope.value, float)
    return value if value is slope or numbers else make_node(PAIR, value, slope)


def _layers(parts: tuple[Expression, ...]) -> Expression:
    """As few functions as give every place the same: equal runs of equal functions become one each."""
    count = len(parts)
    fewest = next(k for k in range(1, count + 1) if count % k == 0 and _runs(parts, count // k))
    return parts[0] if fewest == 1 else make_node(LAYERS, *parts[:: count // fewest])


def _runs(parts: tuple[Expression, ...], length: int) -> bool:
    return all(part is parts[number // length * length] for number, part in enumerate(parts))


def _in_order(left: Expression, right: Expression) -> bool:
    """True if ``left`` comes before ``right`` and not the other way: numbers last, smaller first, then by operator.

    Of two nodes that are alike so far the first inputs that differ decide. Names of parameters do not count: they must
    not decide which parameter is the first one. ``MAX_SIZE`` steps are enough for what :func:`apply` can build; beyond
    them, as in a derivative, two nodes count as alike.
    """
    pairs = [(left, right)]
    for _ in range(MAX_SIZE):
        if not pairs:
            break
        first, last = pairs.pop()
        if first is last:
            continue
        keys = _key(first), _key(last)
        if keys[0] != keys[1]:
            return keys[0] < keys[1]
        pairs.extend(zip(first.args[::-1], last.args[::-1], strict=True))
    return False


def _key(node: Expression) -> tuple[bool, int, str, float, int]:
    if isinstance(node.value, Parameter):
        return False, 1, node.op, node.value.initial, GRANULARITIES.index(node.value.per)
    return isinstance(node.value, float), node.size, node.op, node.value or 0.0, 0


def _identity(op: str, args: tuple[Expression, ...]) -> Expression | None:
    """The simpler equal of an operator at these inputs, or None."""
    first, last = args[0], args[-1]
    if op in _IDEMPOTENT and first.op == op:
        return first
    if op == "neg" and first.op == "neg":
        return first.args[0]
    if (op in {"add", "sub"} and last.value == 0.0) or (op in {"mul", "div", "pow"} and last.value == 1.0):
        return first
    if op in {"max", "min"} and first is last:
        return first
    if op == "add" and first.op == "neg":
        return make_node("sub", last, first.args[0])
    if op in {"add", "sub"} and last.op == "neg":
        return _reduced("sub" if op == "add" else "add", first, last.args[0])
    return _power(op, first, last)


def _power(op: str, first: Expression, last: Expression) -> Expression | None:
    """``u*u`` is ``u**2``; an even power does not see the sign."""
    if op == "mul" and first is last:
        return _reduced("pow", first, constant(2.0))
    if op == "pow" and first.op in {"neg", "abs"} and isinstance(last.value, float) and last.value % 2 == 0:
        return _reduced("pow", first.args[0], last)
    return None


def _reduced(op: str, *args: Expression) -> Expression:
    return _reduce(make_node(op, *args), args)


def _with_numbered_parameters(root: Expression) -> Expression:
    """Give every parameter leaf of the tree a name of its own where one name stands for different parameters.

    Names keep their stem: ``beta``, ``beta2``, ``beta3`` in the order of first use.
    """
    names: dict[Parameter, str] = {}
    uses: Counter[str] = Counter()
    for p in root.parameters:
        stem = p.name.rstrip("0123456789") or p.name
        uses[stem] += 1
        names[p] = stem if uses[stem] == 1 else f"{stem}{uses[stem]}"
    if all(p.name == name for p, name in names.items()):
        return root

    def change(node: Expression, args: tuple[Expression, ...]) -> Expression:
        if isinstance(node.value, Parameter):
            old = node.value
            return parameter(names[old], old.initial, per=old.per)
        return with_args(node, args)

    return rewrite(root, change)
