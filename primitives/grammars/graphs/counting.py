"""Counting: how many graphs of a space vary over all axes.

Over which axes a node varies follows from how many earlier nodes vary over which, so that graphs are counted by these
numbers, one node after the other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import lru_cache, reduce
from itertools import product
from math import prod
from operator import or_

from primitives.grammars.graphs.space import Space
from primitives.grammars.patterns import INPUTS, Rule
from primitives.operators.axes import ALL_AXES, lost
from primitives.operators.table import reduces

#: How many nodes vary over which axes: a number for each mask.
_State = tuple[int, ...]
_MASKS = range(ALL_AXES + 1)


@lru_cache(maxsize=64)
def count(space: Space) -> int:
    """Number of graphs whose output varies over all axes; those above the limits of an expression are among them."""
    table = _table(space)
    initial = Counter(rule.pattern.axes for rule in space.initial)
    ways: dict[_State, int] = {tuple(initial[mask] for mask in _MASKS): 1}
    for _ in range(space.nodes - 1):
        longer: dict[_State, int] = {}
        for state, number in ways.items():
            for mask, choices in _next(state, table).items():
                grown = (*state[:mask], state[mask] + 1, *state[mask + 1 :])
                longer[grown] = longer.get(grown, 0) + number * choices
        ways = longer
    return sum(number * _next(state, table)[ALL_AXES] for state, number in ways.items())


def _next(state: _State, table: Mapping[tuple[int, ...], Counter[int]]) -> Counter[int]:
    """How many nodes may come next, by the axes over which they vary."""
    found = Counter[int]()
    for given, rules in table.items():
        inputs = prod(state[mask] for mask in given)
        if inputs:
            for mask, number in rules.items():
                found[mask] += number * inputs
    return found


def _table(space: Space) -> dict[tuple[int, ...], Counter[int]]:
    """For the axes of the inputs of a rule: how many rules make which axes of them."""
    table: dict[tuple[int, ...], Counter[int]] = {}
    for rule in space.rules:
        for given in product(_MASKS, repeat=rule.arity):
            table.setdefault(given, Counter())[_axes(rule, given)] += 1
    return table


def _axes(rule: Rule, given: tuple[int, ...]) -> int:
    """The axes over which a rule varies, by those of its inputs."""
    made = dict(zip(INPUTS, given, strict=False))
    for node in rule.order:
        if node not in made:
            made[node] = (
                lost(reduce(or_, [made[arg] for arg in node.args]), reduces(node.op)) if node.args else node.axes
            )
    return made[rule.pattern]
