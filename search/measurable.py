"""Objectives that have no number for a kind of function are refused before a job begins."""

from __future__ import annotations

from evaluators.errors import EvaluationError
from evaluators.objectives import check_kinds
from evaluators.seeds import numpy_generator
from primitives.expression.parsing import parse
from primitives.grammars import grammar
from search.errors import ConfigError

_DRAWN = 64


def check_measurable(objectives: tuple[str, ...], start: tuple[str, ...], source: str) -> None:
    """Look at the start list and at 64 samples of a grammar; a rarer kind has NaN, and the candidate fails.

    Raises:
        ConfigError: an objective has no number for one of them.
        GrammarError: there is no such grammar.
    """
    rng, rules = numpy_generator(0, "kinds"), grammar(source)
    try:
        check_kinds(objectives, map(parse, start))
        check_kinds(objectives, (rules.sample(rng) for _ in range(_DRAWN)))
    except EvaluationError as error:
        raise ConfigError(f"objectives: {error}") from None
