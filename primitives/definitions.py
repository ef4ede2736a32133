"""Defined operators, written out: the formula of each with its inputs in place."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from primitives.expressions import Expression, join, parameter, postorder
from primitives.operators import INPUTS, Definition
from primitives.text import parse_body

#: The leaves that stand for the inputs of a formula.
PLACES = tuple(parameter(name) for name in INPUTS)


def write_out(row: Definition, args: Sequence[Expression]) -> Expression:
    """The formula of a defined operator at some inputs, over primitive operators if the inputs are."""
    formula = _formula(row)
    new = dict(zip(PLACES, args, strict=False))
    for node in postorder((formula,)):
        if node not in new:
            new[node] = join(node.op, *(new[arg] for arg in node.args)) if node.args else node
    return new[formula]


@lru_cache(maxsize=1024)
def _formula(row: Definition) -> Expression:
    return parse_body(row.formula, dict(zip(INPUTS[: row.arity], PLACES, strict=False))).primitive
