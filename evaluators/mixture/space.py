"""The space of a mixture: a shape with the rules that may stand in its slots, as texts that travel to workers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from evaluators.errors import EvaluationError
from primitives.expression.expression import Expression
from primitives.expression.parsing import parse
from primitives.grammars.derivation import write
from primitives.grammars.form import Form, shape_of
from primitives.grammars.parts.derived import Derived
from primitives.grammars.parts.part import Part
from primitives.grammars.patterns import Rule
from primitives.quoting import quoted


@dataclass(frozen=True, slots=True)
class Space:
    """One shape with a choice of the rule in each slot; a slot is a place that is no input.

    Args:
        form: the shape, such as ``"binary(unary(x),unary(x))"``.
        unary: the patterns of the rules over ``a``, as texts with their parameters.
        binary: those over ``a`` and ``b``.
    """

    form: str
    unary: tuple[str, ...]
    binary: tuple[str, ...]

    @property
    def slots(self) -> tuple[tuple[str, ...], ...]:
        """The rules of each slot in prefix order, as a grammar writes them."""
        return tuple(tuple(rule.text for rule in rules) for rules in form_of(self).choices if rules[0].arity)


def form_in(part: Part[Any]) -> Form | None:
    """The form that a part of a grammar derives its expressions from, or None."""
    template = part.template if isinstance(part, Derived) else None
    return template if isinstance(template, Form) else None


def space_of(form: Form) -> Space:
    """The space of a form; its factors, which only some derivations have, are left out."""
    texts = {arity: _texts(form, arity) for arity in (1, 2)}
    return Space(form.text, texts[1], texts[2])


def why_not(form: Form) -> str:
    """Why no mixture can be made of a form's rules; "" if one can."""
    if "z" in form.text:
        return f"its form {form.text} has a second input z, and a mixture is a function of one number"
    for rule in (rule for rules in form.choices for rule in rules):
        if rule.pattern.has_statistics:
            return f"its rule {quoted(rule.text)} is a statistic, and a mixture is a function of one number"
    return ""


@lru_cache(maxsize=64)
def form_of(space: Space) -> Form:
    """The form that a space was made of.

    Raises:
        EvaluationError: its text is no shape.
    """
    shape = shape_of(space.form)
    if shape is None:
        raise EvaluationError(f"expected a form such as binary(unary(x),unary(x)), got {quoted(space.form)}")
    return Form(space.form, shape, _rules(space.unary, 1), _rules(space.binary, 2))


def expression_of(space: Space, chosen: Sequence[int]) -> Expression:
    """The expression of the grammar with one rule in each slot.

    Args:
        space: the choice.
        chosen: for each slot, in prefix order, the number of its rule.
    """
    form, numbers = form_of(space), iter(chosen)
    return write(tuple(rules[next(numbers) if rules[0].arity else 0] for rules in form.choices))


def _texts(form: Form, arity: int) -> tuple[str, ...]:
    rules = next((rules for rules in form.choices if rules[0].arity == arity), ())
    return tuple(rule.pattern.text for rule in rules)


def _rules(texts: Sequence[str], arity: int) -> list[Rule]:
    """Rules of their patterns' texts; what stands behind the semicolon declares the parameters."""
    return [Rule(text.partition(";")[0], parse(text), arity) for text in texts]
