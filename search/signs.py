"""The signs of a job: which of f(-x), -f(x) and -f(-x) are of f's class, found out once, at launch."""

from __future__ import annotations

from functools import lru_cache

from evaluators.symmetry import Signs, signs_of
from evaluators.tasks import task
from evaluators.tasks.conditions import Conditions, under
from primitives.equivalence.signs import SIGNS
from primitives.user_file import label
from search.config import Config
from search.errors import ConfigError


def with_signs(config: Config) -> Config:
    """The config with the signs that every task takes for f, for its run to keep.

    Args:
        config: with pinned files. Where it names signs itself, they are tested as well.

    Raises:
        ConfigError: signs are named that do not hold; says on which task, and why.
    """
    asked = config.training.signs
    held = set(SIGNS if asked is None else asked)
    for name, conditions in zip(config.tasks, config.conditions, strict=True):
        if held:
            found = _signs(name, conditions)
            _check(asked or (), found, label(name))
            held.intersection_update(found.held)
    signs = tuple(each for each in SIGNS if each in held)
    return config.model_copy(update={"training": config.training.model_copy(update={"signs": signs})})


def in_words(signs: tuple[str, ...]) -> tuple[str, ...]:
    """A note for people, if there is something to say."""
    if not signs:
        return ()
    return (
        f"signs: {', '.join(signs)} functions train like the function itself on these tasks: one of each is trained",
    )


@lru_cache(maxsize=64)
def _signs(name: str, conditions: Conditions) -> Signs:
    return signs_of(under(task(name), conditions))


def _check(asked: tuple[str, ...], found: Signs, name: str) -> None:
    for sign in asked:
        if sign not in found.held:
            raise ConfigError(
                f"training.signs: {sign} functions are another choice on {name}: {found.why_not[sign]}; "
                f"there hold: {', '.join(found.held) or 'none'}. null finds out what holds"
            )
