"""Derivations: the rules that write an expression, in prefix order."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from primitives.expression.expression import Expression, make_node, parameter, variable
from primitives.expression.parameters import Parameter
from primitives.grammars.factors import plain
from primitives.grammars.patterns import Rule
from primitives.operators.operator import LAYERS

#: Rules in prefix order: each is followed by the derivations of its inputs.
Derivation = tuple[Rule, ...]
#: A derivation as found in an expression; None where a rule ignores an input, so that it cannot be seen.
Reading = tuple[Rule | None, ...]

X = Rule("x", variable(), 0)
Z = Rule("z", variable("z"), 0)


def leaves_and_rules(leaves: Sequence[Rule], rules: Sequence[Rule]) -> tuple[tuple[Rule, ...], tuple[Rule, ...]]:
    """The leaves, ``x`` the first of them, and the rules that trees and graphs are made of.

    A unary rule that ignores its input is a leaf. The identity, and binary rules that ignore an input, are left out, as
    they would write the same expression at many sizes.
    """
    more = [Rule(rule.text, rule.pattern, 0) for rule in rules if rule.arity == 1 and not rule.uses[0]]
    first: dict[Expression, Rule] = {}
    for leaf in (X, *leaves, *more):
        first.setdefault(leaf.pattern, leaf)
    return tuple(first.values()), tuple(rule for rule in rules if all(rule.uses) and not rule.is_identity)


def ends(arities: Sequence[int]) -> list[int]:
    """For each place the end of the derivation that starts there."""
    after = [0] * len(arities)
    for at in reversed(range(len(arities))):
        end = at + 1
        for _ in range(arities[at]):
            end = after[end]
        after[at] = end
    return after


def extents(rules: Derivation) -> list[int]:
    """For each place of a derivation the end of the part that starts there."""
    return ends([rule.arity for rule in rules])


def inputs(rules: Derivation, at: int, stops: Sequence[int]) -> list[int]:
    """The places where the inputs of the rule at a place start."""
    starts: list[int] = []
    for _ in range(rules[at].arity):
        starts.append(stops[starts[-1]] if starts else at + 1)
    return starts


def shown(rules: Derivation) -> list[int]:
    """The places that are not below an input that a rule ignores."""
    stops = extents(rules)
    places, stack = [], [0]
    while stack:
        at = stack.pop()
        places.append(at)
        starts = zip(inputs(rules, at, stops), rules[at].uses, strict=True)
        stack.extend(start for start, used in starts if used)
    return sorted(places)


def has_x(rules: Sequence[Rule]) -> bool:
    """True if the leaf ``x`` is among the rules, with or without a factor."""
    return any(plain(rule) is X for rule in rules)


def write(rules: Derivation) -> Expression:
    """The expression of a derivation.

    Each use of a rule has parameters of its own, named ``beta``, ``beta2``, ... in the order of their first use, so
    that all derivations of one function text write one expression. The functions of ``layers(...)`` are written each
    by itself.
    """
    stops = extents(rules)
    if rules[0].pattern.op == LAYERS:
        return make_node(LAYERS, *[write(rules[start : stops[start]]) for start in inputs(rules, 0, stops)])
    used: dict[str, int] = {}

    def build(at: int) -> Expression:
        rule = rules[at]
        starts = inputs(rules, at, stops)
        return rule.write([build(starts[leaf]) if isinstance(leaf, int) else fresh(leaf) for leaf in rule.leaves])

    def fresh(p: Parameter) -> Expression:
        used[p.name] = used.get(p.name, 0) + 1
        return numbered(p, used[p.name])

    return build(0)


@lru_cache(maxsize=4096)
def numbered(p: Parameter, number: int) -> Expression:
    """A declared parameter in its first, second, ... use: ``beta``, ``beta2``, ..."""
    name = p.name if number == 1 else f"{p.name}{number}"
    return parameter(name, p.initial, per=p.per)
