"""Neighbours of an expression: shorter ones, and ones with another constant."""

from __future__ import annotations

import math
from collections.abc import Iterator

from evaluators.controls import CONTROLS
from evaluators.rejection.screens import screen
from primitives.equivalence.builtin import as_builtin
from primitives.equivalence.canonical import canonical
from primitives.equivalence.classes import class_of
from primitives.equivalence.moments import with_moments
from primitives.expression.expression import Expression, at_place, constant, make_node, parameter
from primitives.expression.parameters import Parameter
from primitives.expression.parsing import parse
from primitives.expression.traversal import postorder, rewrite
from primitives.operators.operator import LAYERS

MOST = 16  # neighbours of one expression, the shortest first
_FACTORS = (0.5, 0.8, 1.25, 2.0)
_DIGITS = 2  # of a moved constant


def length(expression: Expression) -> tuple[int, int]:
    """Nodes, then characters."""
    return expression.size, len(expression.text)


def shorter(expression: Expression, *, exact: bool = False) -> list[Expression]:
    """Functions in the neighbourhood with a shorter text, shortest first; with ``exact`` a factor makes another one.

    An operator is left out, so that one of its inputs stands in its place: of a quotient by ``rms_c(x)`` that is what
    was divided, of ``layers(f, g)`` f or g alone; a function of a place is replaced by that of the place before or
    behind; a parameter is held at its initial value or learned once a layer instead of once a channel; a number is
    rounded to fewer digits. What took z in a place goes on to take it.
    """
    usable = _usable(expression, _simpler(expression), exact)
    return [each for each in usable if length(each) < length(expression)][:MOST]


def plain(expression: Expression, *, exact: bool = False) -> Expression:
    """The shortest form of the same class that leaving out operators and rounding numbers leads to.

    A built-in of torch is its own plainest form. A positive factor of the output goes unless ``exact``: where the
    scale is unit it does not change how a function trains. What makes no difference but in rounding stays, such as the
    maximum that softmax takes away: no form fails a screen that the expression passes.
    """
    form, key, reason = as_builtin(expression), class_of(expression, exact=exact), screen(expression)
    while True:
        same = [each for each in map(_written, _simpler(form)) if length(each) < length(form)]
        same = [each for each in same if class_of(each, exact=exact) == key and (reason or not screen(each))]
        if not same:
            return form
        form = min(same, key=length)


def moved(expression: Expression, *, exact: bool = False) -> list[Expression]:
    """The functions with one constant, or one parameter's initial value, times 1/2, 4/5, 5/4 or 2, to two digits.

    With ``exact`` a constant that is a factor of the output counts.
    """
    changed = []
    for leaf in _leaves(expression):
        value = leaf.value.initial if isinstance(leaf.value, Parameter) else leaf.value
        assert isinstance(value, float)
        moves = {_rounded(value * factor, _DIGITS) for factor in _FACTORS} - {value, 0.0}
        changed += [_replaced(expression, leaf, _with_value(leaf, move)) for move in sorted(moves)]
    return _usable(expression, changed, exact)[:MOST]


def _simpler(expression: Expression) -> list[Expression]:
    return [
        *_without_operator(expression),
        *_with_a_neighbour_s_function(expression),
        *_with_simpler_parameter(expression),
        *_with_rounded_number(expression),
    ]


def _without_operator(expression: Expression) -> Iterator[Expression]:
    for node in postorder((expression,)):
        for arg in dict.fromkeys(node.args):
            yield _replaced(expression, node, arg)


def _with_a_neighbour_s_function(expression: Expression) -> Iterator[Expression]:
    """Of ``layers(...)`` one function in the place of the one beside it."""
    parts = expression.parts
    for number in range(len(parts) - 1):
        for kept in parts[number : number + 2]:
            yield make_node(LAYERS, *parts[:number], kept, kept, *parts[number + 2 :])


def _with_simpler_parameter(expression: Expression) -> Iterator[Expression]:
    for leaf in _leaves(expression):
        if isinstance(leaf.value, Parameter):
            yield _replaced(expression, leaf, constant(leaf.value.initial))
            if leaf.value.per == "channel":
                yield _replaced(expression, leaf, parameter(leaf.value.name, leaf.value.initial))


def _with_rounded_number(expression: Expression) -> Iterator[Expression]:
    for leaf in _leaves(expression):
        if isinstance(leaf.value, float):
            yield from (_replaced(expression, leaf, constant(_rounded(leaf.value, digits))) for digits in (1, 2, 3))


def _leaves(expression: Expression) -> list[Expression]:
    return [node for node in postorder((expression,)) if node.value is not None]


def _with_value(leaf: Expression, value: float) -> Expression:
    old = leaf.value
    if isinstance(old, Parameter):
        return parameter(old.name, value, per=old.per)
    return constant(value)


def _rounded(value: float, digits: int) -> float:
    return float(f"{value:.{digits}g}")


def _replaced(root: Expression, old: Expression, new: Expression) -> Expression:
    """The expression with a node replaced wherever it occurs."""

    def change(node: Expression, args: tuple[Expression, ...]) -> Expression:
        return new if node is old else make_node(node.op, *args) if node.args else node

    return rewrite(root, change)


def _usable(expression: Expression, changed: list[Expression], exact: bool) -> list[Expression]:
    """Canonical forms that pass the screens, each class once, without the controls and the expression's own class."""
    known = {class_of(each, exact=exact) for each in (*map(parse, CONTROLS.values()), expression)}
    usable = []
    fitting = (each for each in {_written(each) for each in changed} if _takes_the_same(each, expression))
    for each in sorted(fitting, key=lambda each: (length(each), each.text)):
        if (key := class_of(each, exact=exact)) not in known and not screen(each):
            known.add(key)
            usable.append(each)
    return usable


def _written(expression: Expression) -> Expression:
    """The canonical form, as short as people write it."""
    return with_moments(canonical(expression))


def _takes_the_same(expression: Expression, original: Expression) -> bool:
    """True if z occurs in the places in which it did."""
    count = math.lcm(len(expression.parts), len(original.parts))
    pairs = ((at_place(expression, number, count), at_place(original, number, count)) for number in range(count))
    return all(("z" in mine.inputs) == ("z" in theirs.inputs) for mine, theirs in pairs)
