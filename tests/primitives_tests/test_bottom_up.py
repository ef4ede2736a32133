"""What is computed from the leaves up is the same however much of it is kept."""

from __future__ import annotations

import numpy as np
import pytest

from primitives import grammar, parse
from primitives.expression.bottom_up import BottomUp
from primitives.expression.expression import Expression, make_node
from primitives.expression.traversal import rewrite


def _smooth(node: Expression, args: tuple[Expression, ...]) -> Expression:
    return make_node("softplus" if node.op == "relu" else node.op, *args) if args else node


@pytest.mark.parametrize("kept", [1, 8, 8192])
def test_results_do_not_depend_on_how_much_is_kept(kept: int) -> None:
    smooth, rng = BottomUp(_smooth, kept), np.random.default_rng(0)
    for _ in range(200):
        f = grammar("default").sample(rng)
        assert smooth(f) is rewrite(f, _smooth)
        assert len(smooth) <= kept


def test_a_node_is_computed_once() -> None:
    seen: list[Expression] = []

    def measured(node: Expression, sizes: tuple[int, ...]) -> int:
        seen.append(node)
        return 1 + sum(sizes)

    size = BottomUp(measured)
    assert size(parse("relu(x)+tanh(relu(x))")) == 6
    assert size(parse("tanh(relu(x))*x")) == 5
    assert len(seen) == len(set(seen)) == 5


def test_a_rule_may_ask_for_other_results_while_the_oldest_are_forgotten() -> None:
    def depth(node: Expression, depths: tuple[int, ...]) -> int:
        if node.op == "tanh":
            found(parse("exp(sin(cos(x)))"))
        return 1 + max(depths, default=0)

    found = BottomUp(depth, kept=2)
    assert found(parse("relu(x)*tanh(relu(abs(x)+1))+relu(x)")) == 7
