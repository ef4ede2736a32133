"""Registration: an operator of one's own is probed at once, and refused with the reason."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, count

from primitives.errors import ExpressionError, OperatorError, nearest
from primitives.expression.expression import parameter
from primitives.expression.parsing import parse_body
from primitives.lowering import targets
from primitives.operators.claimed import unreadable_claims, wrong_claims
from primitives.operators.operator import INPUTS, Operator
from primitives.operators.probing import wrong_behaviour
from primitives.operators.table import ALIASES, CHAINS, add_operator, operators, remove_operator
from primitives.quoting import quoted

_RESERVED = ("x", "pi", "constant", "parameter", "y", *INPUTS, *(f"d{name}" for name in INPUTS))
_attempts = count()


def register(row: Operator) -> Operator:
    """Add an operator to the table, for all of this process.

    It needs a formula, or a forward function with a tangent; see :class:`Operator`. It is probed at zeros, both
    signs, large values and NaN, in float64, float32, bfloat16 and float16: it must not fail or change its inputs,
    must keep shape and dtype, must be elementwise and repeatable and somewhere finite; the formula, where there is
    one beside a forward function, must have its values, and the derivative must agree with finite differences, at a
    kink with one of the one-sided ones. What it says of directions, curvature and image must hold at 2,000 pairs of
    points. A job names operators of a file by its key ``operators``.

    Returns:
        The row.

    Raises:
        OperatorError: the operator is refused; the message says why, and at which input.
    """
    for reason in chain(_wrong_row(row), _wrong_when_used(row)):
        raise OperatorError(f"operator {quoted(row.name)} is refused: {reason}")
    add_operator(row)
    return row


def _wrong_when_used(row: Operator) -> Iterator[str]:
    """Probe the row under a name that no cache has seen, so that a refused operator leaves nothing behind."""
    probed = replace(row, name=f"{row.name} {next(_attempts)}")
    add_operator(probed)
    try:
        yield from wrong_behaviour(probed)
        yield from wrong_claims(probed)
    finally:
        remove_operator(probed.name)


def _wrong_row(row: Operator) -> Iterator[str]:
    """What is wrong with the row as it is written."""
    if not re.fullmatch(r"[A-Za-z_]\w*", row.name, re.ASCII):
        yield "a name has letters, digits and underscores and does not begin with a digit"
    if row.name in (*operators(), *ALIASES, *CHAINS, *_RESERVED):
        yield "the name is taken; choose another one"
    if not 1 <= row.arity <= len(INPUTS):
        yield f"expected 1 to {len(INPUTS)} inputs, got {row.arity}"
    if not row.formula and (row.forward is None or not row.tangent):
        yield "expected a formula, or a forward function and its tangent"
    if row.forward is not None and not row.cost > 0:
        yield f"expected a cost above 0 (time relative to ReLU), got {row.cost}"
    inputs = INPUTS[: row.arity]
    yield from _unreadable("formula", row.formula, inputs)
    yield from _unreadable("tangent", row.tangent, (*inputs, *(f"d{name}" for name in inputs), "y"))
    yield from unreadable_claims(row)
    for target, template in row.code.items():
        if target not in targets():
            known = ", ".join(targets())
            yield f"code: unknown target {quoted(target)}{nearest(target, targets())}; available: {known}"
        try:
            template.format(*inputs)
        except (IndexError, KeyError, ValueError) as error:
            yield f"{target}: expected a template over {{0}} to {{{row.arity - 1}}}: {error}"


def _unreadable(column: str, text: str, names: tuple[str, ...]) -> Iterator[str]:
    try:
        if text and parse_body(text, {name: parameter(name) for name in names}).is_paired:
            yield f"{column} {text!r}: paired(f, g) is for expressions and grammars, an operator has one derivative"
    except ExpressionError as error:
        yield f"{column} {quoted(text)} over {', '.join(names)}: {error}"
