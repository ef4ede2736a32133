r"""LaTeX as a mathematician reads it: the tree of a formula; it knows nothing of the code that writes formulas.

Braces that only group are not seen: ``{x+1}^2`` is x + 1^2, and ``{-x}^2`` is -(x^2). A function without brackets takes
the product behind it, up to the next function: ``\sin x y`` is sin(xy). The letter e is Euler's number. What can be
read in two ways is refused: ``3 \, 2``, ``3 \, \frac{1}{2}``, ``x + -x``, ``\sin(x)^2``, ``x^{a}^{b}``, ``2^10``, a
condition that compares nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

_TOKEN = re.compile(
    r"\\(?:left|right) *(?:\\[{}]|[()|\[\]])|\\(?:operatorname|mathrm|mathsf|text)\{[^{}]*\}|\\[A-Za-z]+|\\,"
    r"|\d+(?:\.\d+)?|[A-Za-z]|[-+(){}\[\],<>^_']|(?P<space>\s+)|(?P<unknown>.)"
)
_ROUND = {"(": ")", r"\left(": r"\right)"}
_BRACKETS = {**_ROUND, r"\left|": r"\right|", r"\lfloor": r"\rfloor"}
GREEK = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho varsigma tau upsilon phi chi psi "
    "omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega"
)
_FUNCTIONS = r"\exp \log \sin \cos \arctan \sinh \cosh \tanh \sigma \max \min"
_BEGIN_FACTORS = ["(", "[", r"\frac", r"\sqrt", r"\lfloor"]


class Unreadable(ValueError):
    """The formula has no meaning or more than one."""


@dataclass(frozen=True, slots=True)
class Node:
    """Head: what is done to the parts; without parts a number, or what is seen of a symbol: ``a_2,c``, ``sans e``."""

    head: str
    parts: tuple[Node, ...] = ()


def read(text: str) -> Node:
    """The tree of a formula.

    Raises:
        Unreadable: it has no meaning or more than one.
    """
    reader = _Reader(_seen(_tokens(text)))
    node = reader.sum()
    reader.take("")
    return node


def _tokens(text: str) -> list[str]:
    found = []
    for match in _TOKEN.finditer(text):
        if match["unknown"]:
            raise Unreadable(f"{match[0]!r} at {match.start()}")
        if not match["space"] and match[0] != r"\,":
            found.append(match[0].replace(" ", "") if match[0].startswith((r"\left", r"\right")) else match[0])
    return found


def _seen(tokens: list[str]) -> list[str]:
    """Without the braces that only group."""
    kept: list[str] = []
    owners: list[str] = []
    second = ""
    for token in tokens:
        owner = ""
        if token == "{":
            owner = kept[-1] if kept and kept[-1] in {"^", "_", r"\frac", r"\sqrt"} else second
            owners.append(owner)
        elif token == "}":
            if not owners:
                raise Unreadable("a brace closes that none opens")
            owner = owners.pop()
        second = "second" if token == "}" and owner == r"\frac" else ""
        if owner or token not in {"{", "}"}:
            kept.append(token)
    if owners:
        raise Unreadable("a brace is open")
    return kept


class _Reader:
    """Descends through sum, product, power and atom; ``""`` is the end."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = [*tokens, ""]
        self._at = 0

    @property
    def next(self) -> str:
        return self._tokens[self._at]

    def take(self, *expected: str) -> str:
        token = self.next
        if expected and token not in expected:
            behind = " ".join(self._tokens[: self._at])
            raise Unreadable(f"{token!r} behind {behind!r}, expected {' or '.join(map(repr, expected))}")
        self._at += 1
        return token

    def sum(self) -> Node:
        terms = [self._term(self.take() if self.next == "-" else "+")]
        while self.next in {"+", "-"}:
            terms.append(self._term(self.take()))
        return terms[0] if len(terms) == 1 else Node("sum", tuple(terms))

    def _term(self, sign: str) -> Node:
        product = self._product()  # a second sign is no factor
        return Node("minus", (product,)) if sign == "-" else product

    def _product(self, *, up_to_function: bool = False) -> Node:
        factors = [self._power()]
        while self.next == r"\cdot" or self._starts_factor():
            if up_to_function and self._is_function():
                break
            if self.next == r"\cdot":
                self.take()
            elif self.next[0].isdigit() or (self.next == r"\frac" and self._tokens[self._at - 1][-1].isdigit()):
                raise Unreadable(f"a number before {self.next!r}")
            factors.append(self._power())
        return factors[0] if len(factors) == 1 else Node("product", tuple(factors))

    def _starts_factor(self) -> bool:
        letters = re.fullmatch(r"\d.*|[A-Za-z]|\\left.*|\\math.*", self.next) or self.next[1:] in GREEK.split()
        return bool(letters) or self.next in _BEGIN_FACTORS or self._is_function()

    def _is_function(self) -> bool:
        begin = self._tokens[self._at : self._at + 4]
        bessel = begin[:2] == ["I", "_"] and begin[-1] in _ROUND
        return bessel or self.next in _FUNCTIONS.split() or self.next.startswith(r"\operatorname")

    def _power(self) -> Node:
        closed = not self._is_function() and self.next not in {r"\frac", r"\sqrt"}
        base = self._atom()
        if self.next != "^":
            return base
        if not closed:
            raise Unreadable(f"power of {base.head!r} without brackets")
        self.take()
        power = Node("power", (base, self._script()))
        if self.next == "^":
            raise Unreadable("two exponents")
        return power

    def _script(self) -> Node:
        if self.next == "{":
            return self._group()
        if not re.fullmatch(r"\d|[a-z]|\\[a-z]+", self.next):
            raise Unreadable(f"{self.next!r} as an exponent")
        return self._atom()

    def _group(self) -> Node:
        self.take("{")
        node = self.sum()
        self.take("}")
        return node

    def _atom(self) -> Node:
        token = self.next
        if self._is_function():
            return self._call()
        if token == r"\left\{":
            return self._cases()
        if token == "[":
            return self._between("[", "]", self._condition)
        if token in _BRACKETS:
            inner = self._between(token, _BRACKETS[token], self.sum)
            return inner if token in _ROUND else Node(token, (inner,))
        self.take()
        if token == r"\frac":
            return Node(token, (self._group(), self._group()))
        if token == r"\sqrt":
            return Node(token, (self._group(),))
        return Node(token) if token[:1].isdigit() else self._symbol(token)

    def _symbol(self, token: str) -> Node:
        named = re.fullmatch(r"\\math(rm|sf)\{(.+)\}", token)
        if not (named or re.fullmatch("[A-Za-z]", token) or token[1:] in GREEK.split()):
            raise Unreadable(f"{token!r} where a symbol, a number or a bracket is expected")
        name = f"{'sans ' if named[1] == 'sf' else ''}{named[2]}".replace(r"\_", "_") if named else token
        return Node(f"{name}{self.take()}{self._index()}" if self.next == "_" else name)

    def _index(self) -> str:
        if self.next != "{":
            if len(self.next) != 1:
                raise Unreadable(f"{self.next!r} as an index")
            return self.take()
        end = self._tokens.index("}", self._at)
        index = "".join(self._tokens[self._at + 1 : end])
        self._at = end + 1
        return index

    def _call(self) -> Node:
        name = self.take().removeprefix(r"\operatorname{").removesuffix("}")
        name += self.take() if self.next == "'" else ""
        if name == "I":
            name = self.take("_") and f"I_{self._index()}"
        if self.next not in _ROUND:
            return Node(name, (self._product(up_to_function=True),))
        opened = self.next
        inner = self._between(opened, _ROUND[opened], self._inputs)
        if len(inner.parts) != (2 if name in {r"\max", r"\min", "paired"} else 1):
            raise Unreadable(f"{len(inner.parts)} inputs of {name!r}")
        return Node(name, inner.parts)

    def _inputs(self) -> Node:
        inputs = [self.sum()]
        while self.next == ",":
            self.take()
            inputs.append(self.sum())
        return Node("inputs", tuple(inputs))

    def _between(self, opened: str, closed: str, inner: Callable[[], Node]) -> Node:
        self.take(opened)
        node = inner()
        self.take(closed)
        return node

    def _condition(self) -> Node:
        left = self.sum()
        return Node(self.take(">", "<", r"\ge", r"\le", r"\ne"), (left, self.sum()))

    def _cases(self) -> Node:
        self.take(r"\left\{")
        one = self.sum()
        self.take(r"\text{ if }")
        bracket = self.next == "["
        condition = self._between("[", "]", self._condition) if bracket else self._condition()
        self.take(",")
        self.take(r"\text{ else }")
        other = self.sum()
        self.take(r"\right\}")
        return Node("cases", (condition, one, other))
