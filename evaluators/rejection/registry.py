"""The rung rules by name, and those of users' files. docs/rejection.md says how one is added."""

from __future__ import annotations

from typing import TypeGuard

from evaluators.errors import EvaluationError
from evaluators.rejection.base import RungRule
from evaluators.rejection.failures import Failures
from evaluators.rejection.median import Median
from evaluators.rejection.recall import Recall
from primitives.errors import nearest
from primitives.quoting import quoted
from primitives.user_file import Wanted, is_reference, load, made

RULES: dict[str, RungRule] = {rule.name: rule for rule in (Recall(), Median(), Failures())}


def _is_rule(found: object) -> TypeGuard[type[RungRule]]:
    return isinstance(found, type) and issubclass(found, RungRule)


_WANTED = Wanted("rung rule", "a subclass of evaluators.rejection.RungRule", _is_rule)


def rung_rule(name: str) -> RungRule:
    """A rule by name, or by reference to a class in a file, ``path/to/file.py:Name``.

    Raises:
        EvaluationError: there is none of that name; the message has the nearest one.
        UserFileError: see :func:`primitives.user_file.load`.
    """
    if is_reference(name):
        return made(name, "rung rule", load(name, _WANTED))
    if name not in RULES:
        raise EvaluationError(f"unknown rung rule {quoted(name)}{nearest(name, RULES)}; available: {', '.join(RULES)}")
    return RULES[name]
