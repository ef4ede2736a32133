"""Learnable factors on the edges of a derivation, as in PANGAEA (Bingham, Miikkulainen 2022, arXiv 2006.03179).

A rule with a factor, ``alpha*tanh(a)``, is a rule itself: written, matched and numbered like any other. Each rule of
a derivation, the leaf ``x`` among them, carries one factor at most, on the edge to its user.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from primitives.expression.expression import Expression, make_node, parameter
from primitives.expression.parameters import Granularity, Parameter
from primitives.grammars.patterns import Rule, same_parameter


@final
class Factors:
    """The factors of a grammar: learnable scalars that start at 1.

    Args:
        most: greatest number in one expression; 0 for a grammar without factors.
        per: what has one of its own.
    """

    def __init__(self, most: int = 0, *, per: Granularity = "layer") -> None:
        self.most = most
        self.parameter = Parameter("alpha", 1.0, per)
        self._leaf = parameter("alpha", 1.0, per=per)
        self._made: dict[Rule, Rule] = {}

    def before(self, rule: Rule) -> Rule:
        """The rule with a factor before it; a root that bears none as it is."""
        if rule.is_root:
            return rule
        if rule not in self._made:
            self._made[rule] = Rule(
                f"alpha*({rule.text})", make_node("mul", self._leaf, rule.pattern), rule.arity, rule
            )
        return self._made[rule]

    def like(self, old: Rule, new: Rule) -> Rule:
        """The new rule, with a factor where the old one has one."""
        return self.before(new) if old.plain else new

    def below(self, node: Expression) -> Expression | None:
        """What a factor stands before, or None if the node is no product with a factor of its own."""
        if not self.most or node.op != "mul":
            return None
        factor, inner = node.args
        leading = factor.value
        if not isinstance(leading, Parameter) or not same_parameter(leading, self.parameter):
            return None
        return None if leading in inner.parameters else inner

    def allow(self, rules: Sequence[Rule | None]) -> bool:
        """True if a derivation has no more factors than it may."""
        return len(placed(rules)) <= self.most


def plain(rule: Rule) -> Rule:
    """The rule without its factor."""
    return rule.plain or rule


def placed(rules: Sequence[Rule | None]) -> list[int]:
    """The places of a derivation that carry a factor."""
    return [at for at, rule in enumerate(rules) if rule and rule.plain]


def bare(rules: Sequence[Rule], places: Sequence[int]) -> list[int]:
    """Those of some places whose rule could bear a factor and has none."""
    return [at for at in places if not rules[at].plain and not rules[at].is_root]
