"""The rung rules by name. A new one is a file beside the others and an entry here."""

from __future__ import annotations

from evaluators.errors import EvaluationError
from evaluators.rejection.base import RungRule
from evaluators.rejection.failures import Failures
from evaluators.rejection.median import Median
from evaluators.rejection.recall import Recall
from primitives.errors import nearest

RULES: dict[str, RungRule] = {rule.name: rule for rule in (Recall(), Median(), Failures())}


def rung_rule(name: str) -> RungRule:
    """A rule by name.

    Raises:
        EvaluationError: there is none of that name; the message has the nearest one.
    """
    if name not in RULES:
        raise EvaluationError(f"unknown rung rule {name!r}{nearest(name, RULES)}; available: {', '.join(RULES)}")
    return RULES[name]
