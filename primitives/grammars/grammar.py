"""A grammar: a weighted choice of templates over one set of rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar, final

from primitives.errors import GrammarError, nearest
from primitives.expressions import Expression
from primitives.grammars.declaration import Declaration, declaration
from primitives.grammars.template import Rng, Template

_TRIES = 50  # changes that leave the expression as it was are drawn again
_SCANNED = 1000
_CHILDREN = 8  # children that equal a parent are drawn again

#: A template with its weight, and a derivation of it.
Weighted = tuple[Template[Any], float]
Reading = tuple[Weighted, Any]
T = TypeVar("T")


@final
@dataclass(frozen=True, slots=True)
class Grammar:
    """A declared set of expressions; make one with :func:`grammar`.

    An expression is a member if some derivation writes exactly it, up to the names of its parameters.

    Args:
        name: as declared.
        description: as declared.
        templates: its parts with their weights in sampling; at least one.
    """

    name: str
    description: str
    templates: tuple[Weighted, ...]

    def count(self) -> int:
        """Number of derivations; different derivations may write one expression."""
        return sum(template.count() for template, _ in self.templates)

    def enumerate(self) -> Iterator[Expression]:
        """The expression of every derivation, lazily, in a fixed order."""
        for template, _ in self.templates:
            for derivation in template.enumerate():
                yield template.write(derivation)

    def sample(self, rng: Rng) -> Expression:
        """A random member: a template by weight, then a derivation of it.

        Uniform over the derivations of a chain of units; for trees uniform over sizes from 3, then over the
        trees of the size.
        """
        template, _ = _drawn(self.templates, self.templates, rng)
        return template.write(template.sample(rng))

    def mutate(self, f: Expression, rng: Rng) -> Expression:
        """A random neighbour of a member, different from it unless the grammar has nothing else.

        Raises:
            GrammarError: ``f`` is not a member.
        """
        readings = self._readings(f)
        same = [f, *(template.write(derivation) for (template, _), derivation in readings)]
        for _ in range(_TRIES):
            (template, _), derivation = _drawn(readings, [part for part, _ in readings], rng)
            changed = template.write(template.vary(derivation, rng))
            if changed not in same:
                return changed
        return next((g for g in islice(self.enumerate(), _SCANNED) if g not in same), f)

    def crossover(self, f: Expression, g: Expression, rng: Rng) -> Expression:
        """A child of two members; where no template has both, a mutation of ``f``.

        Raises:
            GrammarError: ``f`` or ``g`` is not a member.
        """
        first, second = self._readings(f), self._readings(g)
        shared = [(part, one, other) for part, one in first for part2, other in second if part is part2]
        if not shared:
            return self.mutate(f, rng)
        (template, _), one, other = _drawn(shared, [part for part, *_ in shared], rng)
        for _ in range(_CHILDREN):
            child = template.write(template.cross(one, other, rng))
            if child not in (f, g):
                break
        return child

    def __contains__(self, f: object) -> bool:
        return isinstance(f, Expression) and any(template.read(f) is not None for template, _ in self.templates)

    def _readings(self, f: Expression) -> list[Reading]:
        """The templates that have the expression, each with a derivation of it."""
        tried = [(part, part[0].read(f)) for part in self.templates]
        readings = [(part, derivation) for part, derivation in tried if derivation is not None]
        if not readings:
            raise GrammarError(f"{f.text!r} is not in the grammar {self.name!r}; only its members can be varied")
        return readings


def _drawn(options: Sequence[T], parts: Sequence[Weighted], rng: Rng) -> T:
    """One of the options, with probability in proportion to the weight of its part of the grammar."""
    drawn = rng.random() * sum(weight for _, weight in parts)
    for option, (_, weight) in zip(options, parts, strict=True):
        drawn -= weight
        if drawn < 0:
            return option
    return options[-1]


def grammar(name_or_path: str | Path) -> Grammar:
    """Load a preset by name, or a YAML file by its path (one with a ``/`` or ending in ``.yaml`` or ``.yml``).

    Raises:
        GrammarError: there is no such preset or file, or its declaration is wrong; the message names the place,
            what was expected and the nearest valid name.
    """
    name = str(name_or_path)
    if isinstance(name_or_path, Path) or "/" in name or "\\" in name or name.endswith((".yaml", ".yml")):
        return _assembled(declaration(_file_text(Path(name)), name))
    if name not in grammar_names():
        known = ", ".join(grammar_names())
        raise GrammarError(f"unknown grammar {name!r}{nearest(name, grammar_names())}; there are {known}, or a file")
    return _preset(name)


@cache
def _preset(name: str) -> Grammar:
    source = files("primitives.grammars") / "presets" / f"{name}.yaml"
    return _assembled(declaration(source.read_text(encoding="utf-8"), f"{name}.yaml"))


def grammar_names() -> tuple[str, ...]:
    """The names of the presets, sorted."""
    presets = (files("primitives.grammars") / "presets").iterdir()
    return tuple(sorted(entry.name.removesuffix(".yaml") for entry in presets if entry.name.endswith(".yaml")))


def _assembled(declared: Declaration) -> Grammar:
    return Grammar(declared.name, declared.description, declared.templates)


def _file_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise GrammarError(f"{path}: there is no such file; presets are {', '.join(grammar_names())}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise GrammarError(f"{path}: cannot be read as text: {error}") from None
