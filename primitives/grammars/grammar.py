"""A grammar: a weighted choice of templates over one set of rules."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from primitives.errors import GrammarError, nearest
from primitives.expression.expression import Expression
from primitives.grammars.constraint import CHANGES, COUNTED, SAMPLES, Constraint
from primitives.grammars.decisions import Coder, Decision
from primitives.grammars.declaration import declaration
from primitives.grammars.parts.template_reader import Weighted
from primitives.grammars.template import Rng
from primitives.plain_file import read_text
from primitives.quoting import quoted
from primitives.user_file import pin_of

_TRIES = 50  # changes that leave the expression as it was are drawn again
_CHILDREN = 8  # children that equal a parent are drawn again
_PINNED = re.compile(r"(?P<path>.+)@(?P<pin>[0-9a-f]{12})", re.DOTALL)

#: A weighted template and how it derives an expression.
Read = tuple[Weighted, Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Grammar:
    """A declared set of expressions; make one with :func:`grammar`.

    An expression is a member if some derivation writes exactly it, up to the names of its parameters, and the
    constraint allows it: every expression that comes out of a grammar is a member. The size of a derivation is its
    number of rules, leaves counted; that of a graph its number of intermediate nodes.

    Args:
        name: as declared.
        description: as declared.
        source: as declared: where the grammar comes from.
        templates: its parts with their weights in sampling; at least one weight is above 0.
        mutations: weight of each kind of mutation.
        coder: makes vectors of derivations.
        constraint: what is proved of every member.
    """

    name: str
    description: str
    source: str
    templates: tuple[Weighted, ...]
    mutations: Mapping[str, float]
    coder: Coder
    constraint: Constraint

    def count(self) -> int:
        """Number of derivations without factors whose expression is a member; several may write one expression.

        Graphs are counted by the axes over which they vary, those above the limits of an expression among them.

        Raises:
            GrammarError: there is a constraint, and more than 50,000 derivations would have to be looked at.
        """
        number = sum(template.count() for template, _ in self.templates)
        if self.constraint.is_none:
            return number
        if number > COUNTED:
            message = f"it has {number:,} derivations; they are counted up to {COUNTED:,}"
            raise GrammarError(f"how many members the grammar {quoted(self.name)} has is not known: {message}")
        return sum(1 for _ in self.enumerate())

    def sizes(self) -> tuple[int, ...]:
        """The sizes of its derivations, ascending; with a constraint there may be no member of some."""
        return tuple(sorted({size for template, _ in self.templates for size in template.sizes()}))

    def enumerate(self) -> Iterator[Expression]:
        """The expression of every derivation without factors that is a member, lazily, in a fixed order."""
        for template, _ in self.templates:
            yield from filter(self.constraint.allows, template.enumerate())

    def sample(self, rng: Rng, size: int | None = None) -> Expression:
        """A random member: a template by weight, then a derivation of it, then factors.

        A derivation of a form is uniform; one of trees is uniform among those of its size, and the size is uniform
        from 3. The number of factors is uniform from 0 to the greatest, and so are their places. The nodes of a graph
        are drawn one after the other, and again until it is a member. With a constraint all this is drawn again until
        it is a member.

        Args:
            rng: the only source of randomness.
            size: of the derivation; only templates that have such are drawn from.

        Raises:
            GrammarError: no derivation has the size, or none of 2,000 draws is a member.
        """
        parts = [part for part in self.templates if size is None or size in part[0].sizes()]
        if not parts:
            known = ", ".join(str(n) for n in self.sizes())
            raise GrammarError(
                f"the grammar {quoted(self.name)} has no expressions of size {size}; it has sizes {known}"
            )
        for _ in range(SAMPLES):
            template, _ = _drawn(parts, [weight for _, weight in parts], rng)
            drawn = template.sample(rng, size)
            if self.constraint.allows(drawn):
                return drawn
        raise self.constraint.too_few(self.name, "" if size is None else f" of size {size}")

    def kinds(self, f: Expression) -> dict[str, float]:
        """The weight of each kind of mutation of a member, 0 for one that is impossible.

        Raises:
            GrammarError: ``f`` is not a member.
        """
        readings, rng = self._readings(f), np.random.Generator(np.random.PCG64(0))
        return {k: w if w and self._changed(readings, k, rng) else 0.0 for k, w in self.mutations.items()}

    def mutate(self, f: Expression, rng: Rng, kind: str | None = None) -> Expression:
        """A random neighbour of a member, different from it unless 50 draws, with a constraint 200, found nothing else.

        Args:
            f: a member.
            rng: the only source of randomness.
            kind: of mutation; drawn by weight among the possible ones if it is not given.

        Raises:
            GrammarError: ``f`` is not a member, or the kind is unknown or impossible for it.
        """
        if kind is not None and kind not in self.mutations:
            known = f"{nearest(kind, self.mutations)}; available: {', '.join(self.mutations)}"
            raise GrammarError(f"unknown mutation {quoted(kind)}{known}")
        readings = self._readings(f)
        weights = self._weights() if kind is None else {kind: 1.0}
        (template, _), reading = readings[0]
        same = (f, template.written(reading, rng))
        for _ in range(_TRIES if self.constraint.is_none else CHANGES):
            changed = self._change(readings, weights, rng)
            if changed is None:
                break
            if changed not in same and self.constraint.allows(changed):
                return changed
        if kind is not None and changed is None:
            raise GrammarError(
                f"mutation {quoted(kind)} is impossible for {quoted(f.text)} in the grammar {quoted(self.name)}"
            )
        return f

    def _weights(self) -> dict[str, float]:
        """The kinds of mutation that are drawn, with their weights."""
        return {name: weight for name, weight in self.mutations.items() if weight}

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
        left = [each for each in readings if kind in each[0][0].kinds]
        while left:
            drawn = _drawn(left, [weight for (_, weight), _ in left], rng)
            (template, _), reading = drawn
            changed = template.changed(reading, kind, rng)
            if changed is not None:
                return changed
            left.remove(drawn)
        return None

    def crossover(self, f: Expression, g: Expression, rng: Rng) -> Expression:
        """A child of two members; where no template has both, or no child is a member, a mutation of ``f``.

        Raises:
            GrammarError: ``f`` or ``g`` is not a member.
        """
        first, second = self._readings(f), self._readings(g)
        shared = [(part, one, other) for part, one in first for part2, other in second if part is part2]
        if not shared:
            return self.mutate(f, rng)
        (template, _), one, other = _drawn(shared, [weight for (_, weight), *_ in shared], rng)
        for _ in range(_CHILDREN if self.constraint.is_none else CHANGES):
            child = template.crossed(one, other, rng)
            if child not in (f, g) and self.constraint.allows(child):
                return child
        return child if self.constraint.is_none else self.mutate(f, rng)

    def __contains__(self, f: object) -> bool:
        return isinstance(f, Expression) and bool(_read(self, f)) and self.constraint.allows(f)

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

        With a constraint a vector whose own expression is no member stands for the first of 200 mutations of that which
        is one, else for a sample; which, the expression alone decides.

        Raises:
            GrammarError: a decision is missing, unknown, or not one of its choices.
        """
        decoded = self.coder.decode(vector)
        return decoded if self.constraint.allows(decoded) else self._instead_of(decoded)

    def _instead_of(self, f: Expression) -> Expression:
        """A member near an expression that the constraint does not allow."""
        rng = np.random.Generator(np.random.PCG64(int.from_bytes(sha256(f.text.encode()).digest()[:8], "little")))
        readings, weights = _read(self, f), self._weights()
        for _ in range(CHANGES):
            changed = self._change(readings, weights, rng) if readings else None
            if changed is None:
                break
            if self.constraint.allows(changed):
                return changed
        return self.sample(rng)

    def _readings(self, f: Expression) -> tuple[Read, ...]:
        """The templates that have the expression, each with a derivation of it."""
        readings = _read(self, f)
        if readings and not self.constraint.allows(f):
            raise GrammarError(
                f"{quoted(f.text)} is not proved {self.constraint.monotone}, as the members of the grammar "
                f"{quoted(self.name)} are; only these can be varied"
            )
        if not readings:
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

    A path may be pinned, see :func:`pinned_grammar`.

    Raises:
        GrammarError: there is no such preset or file, its declaration is wrong, or it is not the file that was pinned;
            the message names the place, what was expected and the nearest valid name.
    """
    name = str(name_or_path)
    if isinstance(name_or_path, Path) or _is_file(name):
        path, pin = (name, "") if isinstance(name_or_path, Path) else _parts(name)
        return _assembled(_file_text(Path(path), pin), path)
    if name not in grammar_names():
        known = ", ".join(grammar_names())
        raise GrammarError(
            f"unknown grammar {quoted(name)}{nearest(name, grammar_names())}; available: {known}, or a file"
        )
    return _preset(name)


def pinned_grammar(name: str) -> str:
    """The absolute path of a grammar's file with the beginning of its SHA-256, as ``/home/me/mine.yaml@0123456789ab``.

    A pin that is there already is checked; the name of a preset stays as it is.

    Raises:
        GrammarError: the file cannot be read, or is not the one that was pinned.
    """
    if not _is_file(name):
        return name
    path, pin = _parts(name)
    return f"{Path(path).resolve()}@{pin_of(_file_text(Path(path), pin).encode())}"


def is_pinned(name: str) -> bool:
    """True for the path of a grammar's file with a pin."""
    return _is_file(name) and bool(_parts(name)[1])


def _is_file(name: str) -> bool:
    return "/" in name or "\\" in name or _parts(name)[0].endswith((".yaml", ".yml"))


def _parts(name: str) -> tuple[str, str]:
    """Path and pin, which may be ""."""
    match = _PINNED.fullmatch(name)
    return (match["path"], match["pin"]) if match else (name, "")


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
    made = Grammar(
        declared.name, declared.description, declared.source, declared.templates, declared.mutations, coder,
        declared.constraint,
    )  # fmt: skip
    if not declared.constraint.is_none:
        _try_out(made, source)
    return made


def _try_out(made: Grammar, source: str) -> None:
    """Refuse a grammar whose constraint leaves hardly anything, before a job begins."""
    try:
        made.sample(np.random.Generator(np.random.PCG64(0)))
    except GrammarError as error:
        raise GrammarError(f"{source}: monotone: {error}") from None


def _file_text(path: Path, pin: str) -> str:
    try:
        text = read_text(path)
    except FileNotFoundError:
        raise GrammarError(f"{path}: no such file; presets: {', '.join(grammar_names())}") from None
    except OSError as error:
        raise GrammarError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise GrammarError(f"{path}: cannot be read as text: {error.reason} at byte {error.start}") from None
    if pin and (found := pin_of(text.encode())) != pin:
        raise GrammarError(
            f"{path} was changed: expected a SHA-256 that begins with {pin}, got {found}; put the old file back, or "
            "launch a new run with this one"
        )
    return text
