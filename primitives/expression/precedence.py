"""Precedence climbing: text in infix and function-call form becomes an expression.

Grammar, loosest binding first: comparisons, ``+ -``, ``* /``, unary ``-``, ``**`` (right to left), calls.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import reduce

from primitives.errors import ExpressionError, OperatorError, nearest
from primitives.expression.expression import INPUT_NAMES, MAX_DEPTH, Expression, constant, variable
from primitives.expression.infix import INFIX, SIGN_LEVEL
from primitives.expression.tokens import Token, Tokens, short
from primitives.operators.operator import LAYERS
from primitives.operators.table import ALIASES, CHAINS, find_operator, operators

MAX_NESTING = 60  # of brackets and signs: 60 levels use about 400 Python frames
NUMBERS = {"pi": math.pi}

#: Applies an operator, given by its name, to expressions.
Build = Callable[..., Expression]


def read(body: str, symbols: Mapping[str, Expression], build: Build) -> Expression:
    """Read an expression over ``x``, ``z`` and the given names; ``build`` decides which nodes are allowed.

    Raises:
        ExpressionError: the text is no expression, or ``build`` refused a node; the message names the position.
    """
    return _Parser(body, symbols, build).read()


class _Parser:
    """Precedence climbing over the tokens of one text."""

    def __init__(self, text: str, symbols: Mapping[str, Expression], build: Build) -> None:
        self.build = build
        self.symbols = {name: variable(name) for name in INPUT_NAMES} | dict(symbols)
        self.tokens = Tokens(text)
        self.nesting = 0

    def read(self) -> Expression:
        result = self.level(1)
        token = self.tokens.token
        if token.kind == "end":
            return result
        hint = ""
        if token.kind in {"number", "name"} or token.text == "(":
            hint = "; a product is written with *"
        elif token.text == "=":
            hint = "; only parameters have an '=', after the ';', as in 'beta*x; beta=1'"
        raise self.tokens.fail("an operator or the end", hint)

    def level(self, lowest: int) -> Expression:
        """An operand and all infix operators that bind at least as tightly as ``lowest``."""
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            raise self.tokens.token.error(f"more than {MAX_NESTING} levels of nesting")
        left = self.operand()
        while self.tokens.token.text in INFIX:
            op, level = INFIX[self.tokens.token.text]
            if level < lowest:
                break
            token = self.tokens.advance()
            # the exponent may carry a sign and binds to the right
            right = self.level(SIGN_LEVEL if op == "pow" else level + 1)
            left = self.applied(token, op, left, right)
        self.nesting -= 1
        return left

    def operand(self) -> Expression:
        token = self.tokens.token
        if token.kind == "name":
            return self.name()
        if token.kind == "number":
            return constant(number_of(self.tokens.advance()))
        if self.tokens.at("+", "-"):
            return self.signed()
        if self.tokens.at("("):
            self.tokens.advance()
            inner = self.level(1)
            self.tokens.take(")", f" for the '(' at position {token.position}")
            return inner
        raise self.tokens.fail("a number, a name, '-' or '('")

    def signed(self) -> Expression:
        sign = self.tokens.advance()
        literal = self.tokens.token.kind == "number"
        inner = self.level(SIGN_LEVEL + 1)
        if sign.text == "+":
            return inner
        # -2 is a number, -(2) the operator neg at a number: both survive a round trip
        if literal and isinstance(inner.value, float):
            return constant(-inner.value)
        return self.applied(sign, "neg", inner)

    def name(self) -> Expression:
        token = self.tokens.advance()
        if self.tokens.at("("):
            return self.call(token)
        if token.text in self.symbols:
            return self.symbols[token.text]
        if token.text in NUMBERS:
            return constant(NUMBERS[token.text])
        if token.text in _operator_names():
            raise token.error(f"{token.text!r} is an operator; write {token.text}(...)")
        name, hint = short(token.text), nearest(token.text.lower(), [*self.symbols, *NUMBERS])
        raise token.error(f"unknown name {name!r}{hint}; declare a parameter after ';', as in '; {name}=1.0'")

    def call(self, name: Token) -> Expression:
        if name.text in CHAINS:
            first, *others = self.inputs(name, MAX_DEPTH)
            return reduce(lambda left, right: self.applied(name, CHAINS[name.text], left, right), others, first)
        if name.text == LAYERS:
            return self.applied(name, LAYERS, *self.inputs(name, MAX_DEPTH))
        try:
            row = find_operator(name.text)
        except OperatorError:
            product = f"; write {short(name.text)}*(...) for a product" if name.text in self.symbols else ""
            hint = product or nearest(name.text.lower(), _operator_names())
            raise name.error(f"unknown operator {short(name.text)!r}{hint}") from None
        return self.applied(name, row.name, *self.inputs(name, row.arity))

    def inputs(self, name: Token, most: int) -> list[Expression]:
        """The inputs of a call, at least one, from its ``(`` to its ``)``."""
        opening = self.tokens.advance()
        inputs = [self.level(1)]
        while len(inputs) < most and self.tokens.at(","):
            self.tokens.advance()
            inputs.append(self.level(1))
        if not self.tokens.at(")"):
            expected = "')'" if len(inputs) == most else "',' or ')'"
            hint = f"; {name.text} takes at most {most} argument(s)"
            raise self.tokens.fail(f"{expected} for the '(' at position {opening.position}", hint)
        self.tokens.advance()
        return inputs

    def applied(self, token: Token, op: str, *args: Expression) -> Expression:
        """The operator that a token stands for, applied; its errors get the token's place."""
        try:
            return self.build(op, *args)
        except ExpressionError as error:
            raise token.error(str(error)) from None


def number_of(token: Token) -> float:
    """The finite number that a token stands for."""
    value = float(token.text)
    if not math.isfinite(value):
        raise token.error(f"{short(token.text)!r} is not finite")
    return value


def _operator_names() -> list[str]:
    return [*operators(), *ALIASES, *CHAINS, LAYERS]
