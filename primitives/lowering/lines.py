"""Straight-line code: one visitor for every target whose code is lines of text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import final

from primitives.expression.evaluation import constants
from primitives.expression.expression import Expression
from primitives.expression.parameters import Parameter
from primitives.expression.traversal import postorder
from primitives.lowering.column import Column
from primitives.operators.kernels import COMPARISONS


def same_number(node: Expression, position: int, text: str) -> str:
    """A number is written as it is in every place."""
    return text


@final
@dataclass(frozen=True, slots=True)
class Language:
    """How a target writes lines.

    Args:
        column: its operators.
        number: writes a float, which may be infinite or NaN, so that it reads back to the same float.
        as_number: makes a number of a truth value ``{0}``.
        truth: makes a truth value of a number ``{0}``.
        line: gives a subexpression a name: ``{name}`` and ``{text}``.
        longest: characters of a subexpression that is written inside its only user; 0 for a line each but for
            comparisons.
        number_in: text of the number that is an argument of a node, for targets whose functions do not take any.
    """

    column: Column
    number: Callable[[float], str]
    as_number: str
    truth: str = "{0} != 0"
    line: str = "{name} = {text}"
    longest: int = 48
    number_in: Callable[[Expression, int, str], str] = same_number

    def more(self, templates: Mapping[str, str]) -> Language:
        """The same with more operators."""
        return replace(self, column=self.column.more(templates))


@final
class Lines:
    """Code for some roots: shared subexpressions get a line and a name, short ones with one user are written in it.

    Args:
        roots: expressions over the same parameters.
        language: how they are written.
        names: ``"z"`` and parameters -> their names in the code; the input is ``x``, lines are ``t1``, ``t2``, ...

    Attributes:
        roots: written out over the target's operators.
        lines: to be run in this order.
        results: text of each root.
    """

    def __init__(self, roots: Sequence[Expression], language: Language, names: Mapping[str, str]) -> None:
        self.lines: list[str] = []
        self._language, self._names = language, names
        self.roots = roots = [language.column.expand(root) for root in roots]
        self._constants = constants(roots)
        nodes = postorder(roots, stop=self._constants)
        self._uses = Counter(arg for node in nodes if node not in self._constants for arg in node.args)
        self._uses.update(roots)
        self._text: dict[Expression, str] = {}
        for node in nodes:
            self._text[node] = self._leaf(node) if node in self._constants or not node.args else self._step(node)
        self.results = [self._result(root) for root in roots]

    def _leaf(self, node: Expression) -> str:
        if node in self._constants:
            return self._language.number(self._constants[node])
        if isinstance(node.value, Parameter):
            return self._names[node.value.name]
        return "x" if node.op == "x" else self._names[node.op]

    def _step(self, node: Expression) -> str:
        template = self._language.column.template(node.op)
        text = template.format(*(self._argument(node, position, template) for position in range(len(node.args))))
        longest = self._language.longest
        short = len(text) <= longest or (longest == 0 and self._is_truth(node))
        return text if self._uses[node] == 1 and short else self._named(text)

    def _named(self, text: str) -> str:
        name = f"t{len(self.lines) + 1}"
        self.lines.append(self._language.line.format(name=name, text=text))
        return name

    def _argument(self, node: Expression, position: int, template: str) -> str:
        """Text of an input that is safe in its place."""
        arg, mark = node.args[position], f"{{{position}}}"
        number = arg in self._constants
        text = self._language.number_in(node, position, self._text[arg]) if number else self._text[arg]
        if node.op == "where" and position == 0:
            text = text if self._is_truth(arg) else self._language.truth.format(_tight(text))
        elif self._is_truth(arg):
            text = self._language.as_number.format(_tight(text))
        if template.count(mark) > 1 and not (number or text.isidentifier()):
            return self._named(text)
        delimited = re.search(rf"[(,] ?{re.escape(mark)}[,)]", template)
        return text if delimited else _tight(text)

    def _result(self, root: Expression) -> str:
        text = self._text[root]
        return self._language.as_number.format(_tight(text)) if self._is_truth(root) else text

    def _is_truth(self, node: Expression) -> bool:
        return node.op in COMPARISONS and node not in self._constants


def _tight(text: str) -> str:
    """The text, in brackets where an operator beside it could take a part of it."""
    return text if _is_tight(text) else f"({text})"


def _is_tight(text: str) -> bool:
    """True for a name, a number without sign, and one call or bracket with nothing behind it but ``.to(x.dtype)``."""
    if re.fullmatch(r"\w[\w.]*", text):
        return True
    depth = 0
    rest = re.sub(r"^[\w.]*(?=\()", "", text)
    for at, letter in enumerate(rest):
        depth += (letter == "(") - (letter == ")")
        if depth == 0:
            return rest[0] == "(" and re.fullmatch(r"(\.\w+\([\w.]*\))?", rest[at + 1 :]) is not None
    return False
