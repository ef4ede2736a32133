"""Text: a bounded parser for infix and function-call form, and the printer that it reverses.

    x*sigmoid(beta*x); beta=1.0:channel
    max(relu(x),cosh(elu(x)))

Grammar, loosest binding first: comparisons, ``+ -``, ``* /``, unary ``-``, ``**`` (right to left), calls.
After ``;`` come the learnable parameters, ``name=initial`` or ``name=initial:channel``, separated by commas.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from primitives.errors import ExpressionError, OperatorError, nearest
from primitives.expressions import (
    Expression,
    Parameter,
    apply,
    check_names,
    constant,
    parameter,
    postorder,
    variable,
)
from primitives.operators import ALIASES, CHAINS, find_operator, operators

MAX_LENGTH = 10_000
MAX_NESTING = 60  # of brackets and signs: 60 levels use about 400 Python frames

_TOKEN = re.compile(
    r"\s*(?:(\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)|([A-Za-z_]\w*)|(\*\*|[<>]=?|[-+*/(),]))"
)
_INFIX = {
    ">": ("gt", 1), ">=": ("ge", 1), "<": ("lt", 1), "<=": ("le", 1),
    "+": ("add", 2), "-": ("sub", 2), "*": ("mul", 3), "/": ("div", 3), "**": ("pow", 5),
}  # fmt: skip
_SIGN_LEVEL, _POWER_LEVEL, _ATOM_LEVEL = 4, 5, 6
_SYMBOL = {op: (symbol, level) for symbol, (op, level) in _INFIX.items()}
_NUMBERS = {"pi": math.pi}


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # "number", "name", "symbol", "end"
    text: str
    position: int


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
    body, _, declarations = text.partition(";")
    symbols = _declared(declarations, len(body) + 1)
    expression = parse_body(body, symbols)
    used = {p.name for p in expression.parameters}
    unused = sorted(set(symbols) - used)
    if unused:
        raise ExpressionError(f"parameter {unused[0]!r} is declared after ';' but not used in {body.strip()!r}")
    return check_names(expression)


def parse_body(body: str, symbols: Mapping[str, Expression]) -> Expression:
    """Read the part before ``;`` where the given names stand for the given expressions."""
    return _Parser(body, symbols).read()


def _declared(text: str, offset: int) -> dict[str, Expression]:
    found: dict[str, Expression] = {}
    if not text.strip():
        return found
    for part in re.split(r"[,;]", text):
        match = re.fullmatch(r"\s*([A-Za-z_]\w*)\s*=\s*([-+]?[\w.]+(?:[eE][-+]?\d+)?)\s*(?::\s*(\w+)\s*)?", part)
        where = f"after ';' (position {offset})"
        if match is None:
            raise ExpressionError(f"{where}: expected name=number or name=number:channel, got {_short(part)!r}")
        name, number, granularity = match.groups()
        if name == "x" or name in _NUMBERS or name in found:
            raise ExpressionError(
                f"{where}: {name!r} cannot be declared {'twice' if name in found else 'as a parameter'}"
            )
        if granularity not in (None, "channel", "layer"):
            raise ExpressionError(f"{where}: {name} is per 'layer' or 'channel', got {_short(granularity)!r}")
        found[name] = parameter(name, _number(number, where), per_channel=granularity == "channel")
    return found


def _number(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ExpressionError(f"{where}: {_short(text)!r} is not a number") from None
    if not math.isfinite(value):
        raise ExpressionError(f"{where}: {_short(text)!r} is not finite")
    return value


def _short(text: str) -> str:
    return text if len(text) <= 30 else text[:27] + "..."


class _Parser:
    """Precedence climbing over the tokens of one text."""

    def __init__(self, text: str, symbols: Mapping[str, Expression]) -> None:
        self.symbols = {"x": variable()} | dict(symbols)
        self.tokens = list(_tokens(text))
        self.at = 0
        self.nesting = 0

    @property
    def token(self) -> _Token:
        return self.tokens[self.at]

    def fail(self, expected: str) -> ExpressionError:
        token = self.token
        got = "the end of the text" if token.kind == "end" else repr(_short(token.text))
        return ExpressionError(f"position {token.position}: expected {expected}, got {got}")

    def take(self, symbol: str) -> None:
        if self.token.text != symbol or self.token.kind != "symbol":
            raise self.fail(repr(symbol))
        self.at += 1

    def read(self) -> Expression:
        result = self.level(1)
        if self.token.kind != "end":
            raise self.fail("an operator or the end")
        return result

    def level(self, lowest: int) -> Expression:
        """An operand and all infix operators that bind at least as tightly as ``lowest``."""
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            raise ExpressionError(f"position {self.token.position}: more than {MAX_NESTING} levels of nesting")
        left = self.operand()
        while self.token.kind == "symbol" and self.token.text in _INFIX:
            op, level = _INFIX[self.token.text]
            if level < lowest:
                break
            self.at += 1
            # the exponent may carry a sign and binds to the right
            right = self.level(_SIGN_LEVEL if op == "pow" else level + 1)
            left = apply(op, left, right)
        self.nesting -= 1
        return left

    def operand(self) -> Expression:
        token = self.token
        if token.kind == "symbol" and token.text in "+-":
            self.at += 1
            literal = self.token.kind == "number"
            inner = self.level(_SIGN_LEVEL + 1)
            if token.text == "+":
                return inner
            # -2 is a number, -(2) the operator neg at a number: both survive a round trip
            return constant(-inner.value) if literal and isinstance(inner.value, float) else apply("neg", inner)
        if token.kind == "number":
            self.at += 1
            return constant(_number(token.text, f"position {token.position}"))
        if token.kind == "name":
            return self.name()
        if token.text == "(":
            self.at += 1
            inner = self.level(1)
            self.take(")")
            return inner
        raise self.fail("a number, a name, '-' or '('")

    def name(self) -> Expression:
        token = self.token
        self.at += 1
        if self.token.text == "(" and self.token.kind == "symbol":
            return self.call(token)
        if token.text in self.symbols:
            return self.symbols[token.text]
        if token.text in _NUMBERS:
            return constant(_NUMBERS[token.text])
        options = [*self.symbols, *_NUMBERS]
        hint = nearest(token.text, options)
        if token.text in operators() or token.text in ALIASES:
            hint = f"; write {token.text}(...) for the operator"
        declare = "" if hint else f"; declare a parameter after ';', as in '; {_short(token.text)}=1.0'"
        raise ExpressionError(f"position {token.position}: unknown name {_short(token.text)!r}{hint}{declare}")

    def call(self, token: _Token) -> Expression:
        self.take("(")
        args = [self.level(1)]
        while self.token.text == "," and self.token.kind == "symbol":
            self.at += 1
            args.append(self.level(1))
        self.take(")")
        try:
            if token.text in CHAINS:
                result = args[0]
                for arg in args[1:]:
                    result = apply(CHAINS[token.text], result, arg)
                return result
            find_operator(token.text)
            return apply(token.text, *args)
        except OperatorError as error:
            hint = nearest(token.text, [*operators(), *ALIASES, *CHAINS])
            message = str(error).partition(";")[0]
            raise ExpressionError(f"position {token.position}: {_short(message)}{hint}") from None
        except ExpressionError as error:
            raise ExpressionError(f"position {token.position}: {error}") from None


def _tokens(text: str) -> list[_Token]:
    found, position = [], 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            rest = text[position:]
            if not rest.strip():
                break
            position += len(rest) - len(rest.lstrip())
            raise ExpressionError(f"position {position}: unexpected character {text[position]!r}")
        kind = ("number", "name", "symbol")[(match.lastindex or 1) - 1]
        found.append(_Token(kind, match.group(match.lastindex or 0), match.start(match.lastindex or 0)))
        position = match.end()
    return [*found, _Token("end", "", len(text))]


def to_text(root: Expression) -> str:
    """Infix text of an expression with its parameter declarations."""
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
