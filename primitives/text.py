"""Text: a bounded parser for infix and function-call form, and the printer that it reverses.

    x*sigmoid(beta*x); beta=1.0:channel
    max(relu(x),cosh(elu(x)))

Grammar, loosest binding first: comparisons, ``+ -``, ``* /``, unary ``-``, ``**`` (right to left), calls.
After ``;`` come the learnable parameters, ``name=initial`` or ``name=initial:channel``, separated by commas.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import reduce

from primitives.errors import ExpressionError, OperatorError, nearest
from primitives.expressions import (
    MAX_DEPTH,
    MAX_SIZE,
    Expression,
    Parameter,
    apply,
    constant,
    parameter,
    postorder,
    variable,
)
from primitives.operators import ALIASES, CHAINS, find_operator, operators
from primitives.tokens import Token, Tokens, short

MAX_LENGTH = 10_000
MAX_PRINTED = 100_000  # nodes; derivatives share so much that written as a tree they can have billions
MAX_NESTING = 60  # of brackets and signs: 60 levels use about 400 Python frames

_INFIX = {
    ">": ("gt", 1), ">=": ("ge", 1), "<": ("lt", 1), "<=": ("le", 1),
    "+": ("add", 2), "-": ("sub", 2), "*": ("mul", 3), "/": ("div", 3), "**": ("pow", 5),
}  # fmt: skip
_SIGN_LEVEL, _POWER_LEVEL, _ATOM_LEVEL = 4, 5, 6
_SYMBOL = {op: (symbol, level) for symbol, (op, level) in _INFIX.items()}
_NUMBERS = {"pi": math.pi}


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
    return _Parser(body, symbols).read()


def _declared(tokens: Tokens) -> list[tuple[Token, Expression]]:
    """The parameters after ``;``, each with the token of its name."""
    found: list[tuple[Token, Expression]] = []
    taken = {"x", *_NUMBERS}
    while tokens.token.kind != "end":
        name = tokens.token
        if name.kind != "name":
            raise tokens.fail("a parameter, as in beta=1 or beta=1:channel")
        if name.text in taken:
            raise name.error(f"{short(name.text)!r} has a meaning already; choose another name for the parameter")
        if len(found) == MAX_SIZE:
            raise name.error(f"more than {MAX_SIZE} parameters")
        taken.add(name.text)
        tokens.advance()
        tokens.take("=", f" and the initial value of {short(name.text)!r}")
        initial = _initial(tokens)
        found.append((name, parameter(name.text, initial, per_channel=_per_channel(tokens))))
        if tokens.token.kind != "end" and not tokens.at(",", ";"):
            raise tokens.fail("',' or the end")
        tokens.advance()
    return found


def _initial(tokens: Tokens) -> float:
    sign = -1.0 if tokens.at("-") else 1.0
    if tokens.at("-", "+"):
        tokens.advance()
    if tokens.token.kind != "number":
        raise tokens.fail("a number")
    return sign * _number(tokens.advance())


def _per_channel(tokens: Tokens) -> bool:
    if not tokens.at(":"):
        return False
    tokens.advance()
    if tokens.token.text not in {"channel", "layer"}:
        raise tokens.fail("'layer' or 'channel'")
    return tokens.advance().text == "channel"


def _number(token: Token) -> float:
    value = float(token.text)
    if not math.isfinite(value):
        raise token.error(f"{short(token.text)!r} is not finite")
    return value


class _Parser:
    """Precedence climbing over the tokens of one text."""

    def __init__(self, text: str, symbols: Mapping[str, Expression]) -> None:
        self.symbols = {"x": variable()} | dict(symbols)
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
        while self.tokens.token.text in _INFIX:
            op, level = _INFIX[self.tokens.token.text]
            if level < lowest:
                break
            token = self.tokens.advance()
            # the exponent may carry a sign and binds to the right
            right = self.level(_SIGN_LEVEL if op == "pow" else level + 1)
            left = _applied(token, op, left, right)
        self.nesting -= 1
        return left

    def operand(self) -> Expression:
        token = self.tokens.token
        if token.kind == "name":
            return self.name()
        if token.kind == "number":
            return constant(_number(self.tokens.advance()))
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
        inner = self.level(_SIGN_LEVEL + 1)
        if sign.text == "+":
            return inner
        # -2 is a number, -(2) the operator neg at a number: both survive a round trip
        if literal and isinstance(inner.value, float):
            return constant(-inner.value)
        return _applied(sign, "neg", inner)

    def name(self) -> Expression:
        token = self.tokens.advance()
        if self.tokens.at("("):
            return self.call(token)
        if token.text in self.symbols:
            return self.symbols[token.text]
        if token.text in _NUMBERS:
            return constant(_NUMBERS[token.text])
        if token.text in _operator_names():
            raise token.error(f"{token.text!r} is an operator; write {token.text}(...)")
        name, hint = short(token.text), nearest(token.text.lower(), [*self.symbols, *_NUMBERS])
        raise token.error(f"unknown name {name!r}{hint}; declare a parameter after ';', as in '; {name}=1.0'")

    def call(self, name: Token) -> Expression:
        if name.text in CHAINS:
            first, *others = self.inputs(name, MAX_DEPTH)
            return reduce(lambda left, right: _applied(name, CHAINS[name.text], left, right), others, first)
        try:
            row = find_operator(name.text)
        except OperatorError:
            product = f"; write {short(name.text)}*(...) for a product" if name.text in self.symbols else ""
            hint = product or nearest(name.text.lower(), _operator_names())
            raise name.error(f"unknown operator {short(name.text)!r}{hint}") from None
        return _applied(name, row.name, *self.inputs(name, row.arity))

    def inputs(self, name: Token, most: int) -> list[Expression]:
        """The inputs of a call, at least one, from its ``(`` to its ``)``."""
        opening = self.tokens.advance()
        found = [self.level(1)]
        while len(found) < most and self.tokens.at(","):
            self.tokens.advance()
            found.append(self.level(1))
        if not self.tokens.at(")"):
            expected = "')'" if len(found) == most else "',' or ')'"
            hint = f"; {name.text} takes at most {most} argument(s)"
            raise self.tokens.fail(f"{expected} for the '(' at position {opening.position}", hint)
        self.tokens.advance()
        return found


def _operator_names() -> list[str]:
    return [*operators(), *ALIASES, *CHAINS]


def _applied(token: Token, op: str, *args: Expression) -> Expression:
    """The operator that a token stands for, applied; its errors get the token's place."""
    try:
        return apply(op, *args)
    except ExpressionError as error:
        raise token.error(str(error)) from None


def to_text(root: Expression) -> str:
    """Infix text of an expression with its parameter declarations.

    Raises:
        ExpressionError: written as a tree the expression has more than 100,000 nodes, as higher derivatives can.
    """
    if root.size > MAX_PRINTED:
        raise ExpressionError(f"the text would have {root.size} operators and names; at most {MAX_PRINTED} are written")
    body = _body(root)
    declared = [f"{p.name}={_decimal(p.initial)}{':channel' if p.per_channel else ''}" for p in root.parameters]
    return f"{body}; {', '.join(declared)}" if declared else body


def _decimal(value: float) -> str:
    """Shortest text that reads back to the same float; integers without a point."""
    return repr(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def _body(root: Expression) -> str:
    text: dict[Expression, tuple[str, int]] = {}
    for node in postorder((root,)):
        text[node] = _piece(node, [text[arg] for arg in node.args])
    return text[root][0]


def _piece(node: Expression, args: list[tuple[str, int]]) -> tuple[str, int]:
    """Text of a node and how tightly it binds."""

    def bracketed(index: int, lowest: int) -> str:
        inner, level = args[index]
        return inner if level >= lowest else f"({inner})"

    if isinstance(node.value, Parameter):
        return node.value.name, _ATOM_LEVEL
    if isinstance(node.value, float):
        return _decimal(node.value), _ATOM_LEVEL if node.value >= 0 else _SIGN_LEVEL
    if node.op == "x":
        return "x", _ATOM_LEVEL
    if node.op == "neg":
        number = isinstance(node.args[0].value, float)
        return f"-({args[0][0]})" if number else f"-{bracketed(0, _SIGN_LEVEL + 1)}", _SIGN_LEVEL
    if node.op in _SYMBOL:
        symbol, level = _SYMBOL[node.op]
        left = bracketed(0, level + 1 if node.op == "pow" else level)
        return f"{left}{symbol}{bracketed(1, level if node.op == 'pow' else level + 1)}", level
    return f"{node.op}({','.join(inner for inner, _ in args)})", _ATOM_LEVEL
