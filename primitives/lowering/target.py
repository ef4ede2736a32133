"""A target: what ``lower`` and ``files`` need to know about a language."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import final

from primitives.expression.expression import Expression

_SelfTest = Callable[[Expression, str, float], Mapping[str, str | bytes]]


@final
@dataclass(frozen=True, slots=True)
class Target:
    """A language that expressions are written in; its functions take the expression, a name and the output's factor.

    Args:
        suffix: what follows the name in the name of the code's file.
        write: the code.
        self_test: files that test the code, by name; none for a language that nobody runs.
    """

    suffix: str
    write: Callable[[Expression, str, float], str | bytes]
    self_test: _SelfTest | None = None
