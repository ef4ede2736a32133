"""Strategies: which candidates to try next. One strategy a file, one contract."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Mapping
from typing import TypeGuard

from primitives.errors import nearest
from primitives.grammars import Grammar, grammar
from primitives.quoting import quoted
from primitives.user_file import Wanted, is_reference, load, made
from primitives.yaml_text import YamlError, loaded
from search.errors import ConfigError
from search.strategies.base import Proposal, Result, Settings, Strategy
from search.strategies.controller import Controller
from search.strategies.evolution import Evolution
from search.strategies.exhaustive import Exhaustive
from search.strategies.gradient import Gradient
from search.strategies.late_acceptance import LateAcceptance
from search.strategies.nsga2 import NSGA2
from search.strategies.optuna_strategy import OptunaStrategy
from search.strategies.random import Random
from search.strategies.surrogate import Surrogate

__all__ = ["STRATEGIES", "Proposal", "Result", "Settings", "Strategy", "settings_of", "strategy"]

STRATEGIES: dict[str, type[Strategy]] = {
    "controller": Controller,
    "evolution": Evolution,
    "exhaustive": Exhaustive,
    "gradient": Gradient,
    "late_acceptance": LateAcceptance,
    "nsga2": NSGA2,
    "optuna": OptunaStrategy,
    "random": Random,
    "surrogate": Surrogate,
}


def settings_of(value: object) -> dict[str, object]:
    """A strategy's settings from its name, or from a mapping or its YAML text with ``name`` and settings.

    Raises:
        ConfigError: it is neither.
    """
    with contextlib.suppress(YamlError):
        value = loaded(value, "strategy") if isinstance(value, str) else value
    settings = {"name": value} if isinstance(value, str) else value
    if not isinstance(settings, Mapping) or not isinstance(settings.get("name"), str):
        raise ConfigError("expected a strategy's name, or a section with 'name' and its settings")
    return dict(settings)


def strategy(settings: Settings, source: Grammar | None = None, *, exact: bool = False) -> Strategy:
    """Make a strategy of its config section: ``name`` and its keyword arguments.

    A name may be a reference to a class in a file, ``path/to/file.py:Name``.

    Args:
        settings: the section.
        source: the grammar; the default one if None.
        exact: of the strategy, see :class:`search.strategies.base.Strategy`.

    Raises:
        ConfigError: the name or a setting is unknown, or a setting has the wrong type.
        UserFileError: see :func:`primitives.user_file.load`.
    """
    arguments = dict(settings)
    name = str(arguments.pop("name"))
    kind = _kind(name)
    parameters = inspect.signature(kind).parameters.values()
    known = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
    for key, value in arguments.items():
        if key not in known:
            raise ConfigError(f"strategy {quoted(name)}: unknown setting {quoted(key)}{nearest(key, known)}")
        _check(name, key, value, known[key], kind)
    make: Callable[..., Strategy] = kind
    own = source or grammar("default")
    chosen = made(name, "strategy", lambda: make(own, **arguments)) if is_reference(name) else make(own, **arguments)
    chosen.exact = exact
    return chosen


def _is_strategy(found: object) -> TypeGuard[type[Strategy]]:
    return isinstance(found, type) and issubclass(found, Strategy)


_WANTED = Wanted("strategy", "a subclass of search.strategies.Strategy", _is_strategy)


def _kind(name: str) -> type[Strategy]:
    if is_reference(name):
        return load(name, _WANTED)
    if name not in STRATEGIES:
        raise ConfigError(
            f"unknown strategy {quoted(name)}{nearest(name, STRATEGIES)}; available: {', '.join(STRATEGIES)}"
        )
    return STRATEGIES[name]


def _check(name: str, key: str, value: object, default: object, kind: type[Strategy]) -> None:
    """A setting is one of its choices, or of its default's kind: a probability, a number above 0, a name, a section."""
    if choices := kind.choices.get(key, ()):
        near = nearest(value, choices)
        fits, expected = value in choices, f"one of {', '.join(choices)}{near}"
    elif key in kind.shares:
        fits = value >= 1 if isinstance(value, int) else isinstance(value, float) and 0 < value < 1
        expected = "a whole number from 1, or a share above 0 and below 1"
    elif isinstance(default, float):
        fits, expected = isinstance(value, int | float) and 0 <= value <= 1, "a number from 0 to 1"
    elif isinstance(default, str):
        fits, expected = isinstance(value, str), "a name"
    elif isinstance(default, Mapping):
        fits, expected = isinstance(value, Mapping), "a section of names and values"
    else:
        fits, expected = isinstance(value, int) and value >= 1, "a whole number from 1"
    if isinstance(value, bool) or not fits:
        raise ConfigError(f"strategy {quoted(name)}: {quoted(key)[1:-1]}: expected {expected}, got {quoted(value)}")
