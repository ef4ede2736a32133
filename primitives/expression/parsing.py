"""Parsing: the text of an expression with its parameters; :mod:`primitives.expression.printing` reverses it.

    x*sigmoid(beta*x); beta=1.0:channel
    max(relu(x),cosh(elu(x)))
    x/std_np(x)
    silu(x)*z
    layers(sin(x),relu(x))

Before ``;`` stands what :mod:`primitives.expression.precedence` reads. After it come the learnable parameters,
``name=initial``, ``name=initial:channel`` or ``name=initial:network``, separated by commas.
"""

from __future__ import annotations

from collections.abc import Mapping

from primitives.errors import ExpressionError
from primitives.expression.application import apply
from primitives.expression.expression import INPUT_NAMES, MAX_SIZE, Expression, parameter
from primitives.expression.parameters import GRANULARITIES, Granularity
from primitives.expression.precedence import NUMBERS, number_of, read
from primitives.expression.tokens import Token, Tokens, short

MAX_LENGTH = 10_000


def parse(text: str) -> Expression:
    """Read an expression from text.

    Args:
        text: infix or function-call form, see the module's docstring; at most 10,000 characters.

    Raises:
        ExpressionError: the text is no expression; the message names the position, what was expected and,
            for an unknown name, the nearest valid one.
    """
    if not isinstance(text, str):
        raise ExpressionError(f"an expression is a string, got {type(text).__name__}")
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"an expression has at most {MAX_LENGTH} characters, got {len(text)}")
    body, semicolon, _ = text.partition(";")
    declared = _declared(Tokens(text, len(body) + 1)) if semicolon else []
    expression = parse_body(body, {token.text: leaf for token, leaf in declared})
    for token, leaf in declared:
        if leaf.value not in expression.parameters:
            raise token.error(f"parameter {short(token.text)!r} is declared after ';' but not used before it")
    return expression


def parse_body(body: str, symbols: Mapping[str, Expression]) -> Expression:
    """Read the part before ``;`` where the given names stand for the given expressions."""
    return read(body, symbols, apply)


def _declared(tokens: Tokens) -> list[tuple[Token, Expression]]:
    """The parameters after ``;``, each with the token of its name."""
    declared: list[tuple[Token, Expression]] = []
    taken = {*INPUT_NAMES, *NUMBERS}
    while tokens.token.kind != "end":
        name = tokens.token
        if name.kind != "name":
            raise tokens.fail("a parameter, as in beta=1 or beta=1:channel")
        if name.text in taken:
            raise name.error(f"{short(name.text)!r} has a meaning already; choose another name for the parameter")
        if len(declared) == MAX_SIZE:
            raise name.error(f"more than {MAX_SIZE} parameters")
        taken.add(name.text)
        tokens.advance()
        tokens.take("=", f" and the initial value of {short(name.text)!r}")
        initial = _initial(tokens)
        declared.append((name, parameter(name.text, initial, per=_granularity(tokens))))
        if tokens.token.kind != "end" and not tokens.at(",", ";"):
            raise tokens.fail("',' or the end")
        tokens.advance()
    return declared


def _initial(tokens: Tokens) -> float:
    sign = -1.0 if tokens.at("-") else 1.0
    if tokens.at("-", "+"):
        tokens.advance()
    if tokens.token.kind != "number":
        raise tokens.fail("a number")
    return sign * number_of(tokens.advance())


def _granularity(tokens: Tokens) -> Granularity:
    if not tokens.at(":"):
        return "layer"
    tokens.advance()
    for per in GRANULARITIES:
        if tokens.token.text == per:
            tokens.advance()
            return per
    raise tokens.fail("'layer', 'channel' or 'network'")
