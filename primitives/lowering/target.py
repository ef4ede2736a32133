"""A target: what ``lower`` and ``files`` need to know about a language."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, final

from primitives.expression.expression import Expression

#: What functions a language can write: f(x), gates f(x, z), and those with statistics, which need a whole tensor.
Kind = Literal["pointwise", "gate", "statistics"]
POINTWISE: tuple[Kind, ...] = ("pointwise",)
ELEMENTWISE: tuple[Kind, ...] = ("pointwise", "gate")
ALL_KINDS: tuple[Kind, ...] = ("pointwise", "gate", "statistics")


def kind_of(expression: Expression) -> Kind:
    """The kind of a function that is not ``layers(...)``; a gate with statistics counts with these."""
    if expression.has_statistics:
        return "statistics"
    return "gate" if "z" in expression.inputs else "pointwise"


_Joined = Callable[[Sequence[Expression], str], Mapping[str, str | bytes]]
_SelfTest = Callable[[Expression, str, float], Mapping[str, str | bytes]]


@final
@dataclass(frozen=True, slots=True)
class Target:
    """A language that expressions are written in; its functions take the expression, a name and the output's factor.

    Args:
        suffix: what follows the name in the name of the code's file.
        write: the code.
        self_test: files that test the code, by name; none for a language that nobody runs.
        kinds: of functions that it can write.
        joined: of the parts of ``layers(...)`` and a name, files that put the parts' own files together.
    """

    suffix: str
    write: Callable[[Expression, str, float], str | bytes]
    self_test: _SelfTest | None = None
    kinds: tuple[Kind, ...] = POINTWISE
    joined: _Joined | None = None
