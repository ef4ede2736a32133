"""A column: what a target writes for each operator it has; the others are written out by their formulas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from primitives.errors import LoweringError
from primitives.expression.expression import Expression
from primitives.expression.infix import INFIX
from primitives.operators.formulas import expand
from primitives.operators.table import find_operator, operators

#: What most languages write alike: the infix operators, with Python's for powers, and the sign.
INFIX_TEMPLATES = {name: f"{{0}} {symbol} {{1}}" for symbol, (name, _) in INFIX.items()} | {"neg": "-{0}"}


@final
@dataclass(frozen=True, slots=True)
class Column:
    """The operators of a target.

    Args:
        target: its name.
        templates: operator -> text over ``{0}, {1}, ...``. Comparisons are truth values, and so is the first
            argument of ``where``.

    Operators of one's own bring their templates in their row of the table.
    """

    target: str
    templates: Mapping[str, str]

    def more(self, templates: Mapping[str, str]) -> Column:
        """The same with more operators."""
        return Column(self.target, {**self.templates, **templates})

    def expand(self, root: Expression) -> Expression:
        """The same function over operators that the target has.

        Raises:
            LoweringError: an operator has neither a template nor a formula.
        """
        registered = {row.name for row in operators().values() if row.code.get(self.target)}
        return expand(root, self.target, frozenset(self.templates) | registered)

    def template(self, name: str) -> str:
        """What the target writes for an operator.

        Raises:
            LoweringError: it has nothing for it.
        """
        text = find_operator(name).code.get(self.target) or self.templates.get(name)
        if not text:
            raise LoweringError(f"operator {name!r} cannot be written in {self.target}: it has no entry for it")
        return text
