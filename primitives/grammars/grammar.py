"""A grammar: a weighted choice of templates over one set of rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

import numpy as np

from primitives.errors import GrammarError, nearest
from primitives.expression.expression import Expression
from primitives.grammars.decisions import Coder, Decision
from primitives.grammars.declaration import Weighted, declaration
from primitives.grammars.derivation import Derivation, Reading, write
from primitives.grammars.mutation import KINDS
from primitives.grammars.template import Rng, with_factors
from primitives.plain_file import read_text
from primitives.quoting import quoted

_TRIES = 50  # changes that leave the expression as it was are drawn again
_CHILDREN = 8  # children that equal a parent are drawn again

#: A weighted template and a derivation of it.
Read = tuple[Weighted, Reading]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Grammar:
    """A declared set of expressions; make one with :func:`grammar`.

    An expression is a member if some derivation writes exactly it, up to the names of its parameters. The size of a
    derivation is its number of rules, leaves counted.

    Args:
        name: as declared.
        description: as declared.
        source: as declared: where the grammar comes from.
        templates: its parts with their weights in sampling; at least one weight is above 0.
        mutations: weight of each kind of mutation.
        coder: makes vectors of derivations.
    """

    name: str
    description: str
    source: str
    templates: tuple[Weighted, ...]
    mutations: Mapping[str, float]
    coder: Coder

    def count(self) -> int:
        """Number of derivations without factors; different derivations may write one expression."""
        return sum(template.count() for template, _ in self.templates)

    def sizes(self) -> tuple[int, ...]:
        """The sizes of its derivations, ascending."""
        return tuple(sorted({size for template, _ in self.templates for size in template.sizes()}))

    def enumerate(self) -> Iterator[Expression]:
        """The expression of every derivation without factors, lazily, in a fixed order."""
        for template, _ in self.templates:
            for derivation in template.enumerate():
                yield write(derivation)

    def sample(self, rng: Rng, size: int | None = None) -> Expression:
        """A random member: a template by weight, then a derivation of it, then factors.

        A derivation of a form is uniform; one of trees is uniform among those of its size, and the size is uniform
        from 3. The number of factors is uniform from 0 to the greatest, and so are their places.

        Args:
            rng: the only source of randomness.
            size: of the derivation; only templates that have such are drawn from.

        Raises:
            GrammarError: no derivation has the size.
        """
        parts = [part for part in self.templates if size is None or size in part[0].sizes()]
        if not parts:
            known = ", ".join(str(n) for n in self.sizes())
            raise GrammarError(
                f"the grammar {quoted(self.name)} has no expressions of size {size}; it has sizes {known}"
            )
        template, _ = _drawn(parts, [weight for _, weight in parts], rng)
        return write(with_factors(template.sample(rng, size), template.factors, rng))

    def kinds(self, f: Expression) -> dict[str, float]:
        """The weight of each kind of mutation of a member, 0 for one that is impossible.

        Raises:
            GrammarError: ``f`` is not a member.
        """
        readings, rng = self._readings(f), np.random.Generator(np.random.PCG64(0))
        return {k: w if w and self._changed(readings, k, rng) else 0.0 for k, w in self.mutations.items()}

    def mutate(self, f: Expression, rng: Rng, kind: str | None = None) -> Expression:
        """A random neighbour of a member, different from it unless 50 draws found nothing else.

        Args:
            f: a member.
            rng: the only source of randomness.
            kind: of mutation; drawn by weight among the possible ones if it is not given.

        Raises:
            GrammarError: ``f`` is not a member, or the kind is unknown or impossible for it.
        """
        if kind is not None and kind not in KINDS:
            raise GrammarError(f"unknown mutation {quoted(kind)}{nearest(kind, KINDS)}; available: {', '.join(KINDS)}")
        readings = self._readings(f)
        weights = {name: weight for name, weight in self.mutations.items() if weight} if kind is None else {kind: 1.0}
        same = (f, write(self._filled(readings[0], rng)))
        for _ in range(_TRIES):
            changed = self._change(readings, weights, rng)
            if changed is None:
                break
            if changed not in same:
                return changed
        if kind is not None and changed is None:
            raise GrammarError(
                f"mutation {quoted(kind)} is impossible for {quoted(f.text)} in the grammar {quoted(self.name)}"
            )
        return f

    def _change(self, readings: Sequence[Read], weights: Mapping[str, float], rng: Rng) -> Expression | None:
        """A mutation of a kind drawn among those that are possible; None if none is."""
        left = dict(weights)
        while left:
            kind = _drawn(list(left), list(left.values()), rng)
            changed = self._changed(readings, kind, rng)
            if changed is not None:
                return changed
            del left[kind]
        return None

    def _changed(self, readings: Sequence[Read], kind: str, rng: Rng) -> Expression | None:
        """A mutation of a kind, in a template drawn by weight among those where it is possible; None if none is."""
        make, left = KINDS[kind][0], list(readings)
        while left:
            reading = _drawn(left, [weight for (_, weight), _ in left], rng)
            shown = [at for at, rule in enumerate(reading[1]) if rule]
            changed = make(reading[0][0], self._filled(reading, rng), shown, rng)
            if changed is not None:
                return write(changed)
            left.remove(reading)
        return None

    def crossover(self, f: Expression, g: Expression, rng: Rng) -> Expression:
        """A child of two members; where no template has both, a mutation of ``f``.

        Raises:
            GrammarError: ``f`` or ``g`` is not a member.
        """
        first, second = self._readings(f), self._readings(g)
        shared = [(part, one, other) for part, one in first for part2, other in second if part is part2]
        if not shared:
            return self.mutate(f, rng)
        (template, _), one, other = _drawn(shared, [weight for (_, weight), *_ in shared], rng)
        for _ in range(_CHILDREN):
            child = write(template.cross(one, other, rng))
            if child not in (f, g):
                break
        return child

    def __contains__(self, f: object) -> bool:
        return isinstance(f, Expression) and bool(_read(self, f))

    def decisions(self) -> tuple[Decision, ...]:
        """What a vector of this grammar consists of; see :mod:`primitives.grammars.decisions`."""
        return self.coder.decisions

    def encode(self, f: Expression) -> dict[str, str] | None:
        """The vector of a member, or None if it has more rules than a vector; ``decode`` gives it back.

        Raises:
            GrammarError: ``f`` is not a member.
        """
        vectors = (self.coder.encode(template, reading) for (template, _), reading in self._readings(f))
        return next((vector for vector in vectors if vector), None)

    def decode(self, vector: Mapping[str, str]) -> Expression:
        """The member that a vector stands for; every vector stands for one.

        Raises:
            GrammarError: a decision is missing, unknown, or not one of its choices.
        """
        return write(self.coder.decode(vector))

    def _filled(self, reading: Read, rng: Rng) -> Derivation:
        (template, _), rules = reading
        return template.filled(rules, rng)

    def _readings(self, f: Expression) -> tuple[Read, ...]:
        """The templates that have the expression, each with a derivation of it."""
        if not (readings := _read(self, f)):
            raise GrammarError(
                f"{quoted(f.text)} is not in the grammar {quoted(self.name)}; only its members can be varied"
            )
        return readings


@lru_cache(maxsize=1024)  # a parent has many children: a third of the time of a mutation
def _read(source: Grammar, f: Expression) -> tuple[Read, ...]:
    tried = [(part, part[0].read(f)) for part in source.templates]
    return tuple((part, reading) for part, reading in tried if reading is not None)


def _drawn(options: Sequence[T], weights: Sequence[float], rng: Rng) -> T:
    """One of the options with probability in proportion to its weight; uniformly if all weights are 0."""
    if not any(weights):
        return options[int(rng.integers(len(options)))]
    drawn = rng.random() * sum(weights)
    for option, weight in zip(options, weights, strict=True):
        drawn -= weight
        if drawn < 0:
            return option
    return next(option for option, weight in zip(reversed(options), reversed(weights), strict=True) if weight)


def grammar(name_or_path: str | Path) -> Grammar:
    """Load a preset by name, or a YAML file by its path (one with a ``/`` or ending in ``.yaml`` or ``.yml``).

    Raises:
        GrammarError: there is no such preset or file, or its declaration is wrong; the message names the place,
            what was expected and the nearest valid name.
    """
    name = str(name_or_path)
    if isinstance(name_or_path, Path) or "/" in name or "\\" in name or name.endswith((".yaml", ".yml")):
        return _assembled(_file_text(Path(name)), name)
    if name not in grammar_names():
        known = ", ".join(grammar_names())
        raise GrammarError(
            f"unknown grammar {quoted(name)}{nearest(name, grammar_names())}; available: {known}, or a file"
        )
    return _preset(name)


@cache
def _preset(name: str) -> Grammar:
    source = files("primitives.grammars") / "presets" / f"{name}.yaml"
    return _assembled(source.read_text(encoding="utf-8"), f"{name}.yaml")


def grammar_names() -> tuple[str, ...]:
    """The names of the presets, sorted."""
    presets = (files("primitives.grammars") / "presets").iterdir()
    return tuple(sorted(entry.name.removesuffix(".yaml") for entry in presets if entry.name.endswith(".yaml")))


def _assembled(text: str, source: str) -> Grammar:
    declared = declaration(text, source)
    coder = Coder([template for template, _ in declared.templates])
    return Grammar(declared.name, declared.description, declared.source, declared.templates, declared.mutations, coder)


def _file_text(path: Path) -> str:
    try:
        return read_text(path)
    except FileNotFoundError:
        raise GrammarError(f"{path}: no such file; presets: {', '.join(grammar_names())}") from None
    except OSError as error:
        raise GrammarError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise GrammarError(f"{path}: cannot be read as text: {error.reason} at byte {error.start}") from None
