"""Mutations: the kinds of small change by name.

Each takes a template, a derivation, the places that show in its expression and a generator, and gives a derivation
of the same template, or None where it is impossible. A rule that takes another's place takes over its factor.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain, combinations

from primitives.grammars.derivation import Derivation, extents, inputs
from primitives.grammars.factors import bare, placed, plain
from primitives.grammars.insertions import Insertion, inserted
from primitives.grammars.patterns import Rule
from primitives.grammars.template import Rng, Template, pick
from primitives.operators.operator import LAYERS

Kind = Callable[[Template, Derivation, Sequence[int], Rng], Derivation | None]


def _point(template: Template, rules: Derivation, shown: Sequence[int], rng: Rng) -> Derivation | None:
    """Another rule in one place."""
    sites = [at for at in shown if len(template.alternatives(rules, at)) > 1]
    if not sites:
        return None
    at = pick(sites, rng)
    others = [rule for rule in template.alternatives(rules, at) if rule is not plain(rules[at])]
    return _put(rules, at, template.factors.like(rules[at], pick(others, rng)))


def _regenerate(template: Template, rules: Derivation, shown: Sequence[int], rng: Rng) -> Derivation | None:
    """Rules drawn anew in all places."""
    if all(len(template.alternatives(rules, at)) == 1 for at in shown):
        return None
    drawn = template.redrawn(rules, rng)
    return tuple(template.factors.like(old, new) for old, new in zip(rules, drawn, strict=True))


def _subtree(template: Template, rules: Derivation, shown: Sequence[int], rng: Rng) -> Derivation | None:
    """One part drawn anew."""
    for at in rng.permutation(shown).tolist():
        changed = template.regrown(rules, at, rng)
        if changed is not None:
            return changed
    return None


def _grow(template: Template, rules: Derivation, shown: Sequence[int], rng: Rng) -> Derivation | None:
    """A rule put in above a part; a binary one takes ``x`` beside it."""
    return _wider(template, rules, template.insertions(neutral=False), rng)


def _insert(template: Template, rules: Derivation, shown: Sequence[int], rng: Rng) -> Derivation | None:
    """A rule put in above a part so that the function stays as it is while parameters are at their initial values."""
    return _wider(template, rules, template.insertions(neutral=True), rng)


def _wider(template: Template, rules: Derivation, ways: Sequence[Insertion], rng: Rng) -> Derivation | None:
    """The derivation with one of these insertions somewhere, uniformly among those that fit."""
    room = template.max_size - len(rules)
    stops, few = extents(rules), [way for way in ways if len(inserted(way, ())) <= room]
    for number in rng.permutation(len(few) * len(rules)):
        way, at = divmod(int(number), len(rules))
        grown = rules[:at] + inserted(few[way], rules[at : stops[at]]) + rules[stops[at] :]
        if template.accepts(grown):
            return grown
    return None


def _hoist(template: Template, rules: Derivation, shown: Sequence[int], rng: Rng) -> Derivation | None:
    """A part in the place of a larger one that it is in."""
    stops = extents(rules)
    return _lifted(template, rules, [(at, low) for at, stop in enumerate(stops) for low in range(at + 1, stop)], rng)


def _remove(template: Template, rules: Derivation, shown: Sequence[int], rng: Rng) -> Derivation | None:
    """A rule taken out; one of its inputs takes its place."""
    stops = extents(rules)
    return _lifted(template, rules, [(at, low) for at in range(len(rules)) for low in inputs(rules, at, stops)], rng)


def _lifted(template: Template, rules: Derivation, ways: Sequence[tuple[int, int]], rng: Rng) -> Derivation | None:
    """The derivation with a part at a place moved up to another; the template must have it."""
    if template.fixed or not ways:
        return None
    stops = extents(rules)
    for number in rng.permutation(len(ways)):
        at, low = ways[number]
        lifted = rules[:at] + rules[low : stops[low]] + rules[stops[at] :]
        if template.accepts(lifted):
            return lifted
    return None


def _add_parameter(template: Template, rules: Derivation, shown: Sequence[int], rng: Rng) -> Derivation | None:
    """A factor on one more edge."""
    sites = bare(rules, shown)
    if len(placed(rules)) >= template.factors.most or not sites:
        return None
    at = pick(sites, rng)
    return _put(rules, at, template.factors.before(rules[at]))


def _remove_parameter(template: Template, rules: Derivation, shown: Sequence[int], rng: Rng) -> Derivation | None:
    """A factor taken away."""
    sites = [at for at in shown if rules[at].plain]
    if not sites:
        return None
    at = pick(sites, rng)
    return _put(rules, at, plain(rules[at]))


def _move_parameter(template: Template, rules: Derivation, shown: Sequence[int], rng: Rng) -> Derivation | None:
    """A factor moved to another edge."""
    removed = _remove_parameter(template, rules, shown, rng)
    sites = bare(rules, shown)
    if removed is None or not sites:
        return None
    at = pick(sites, rng)
    return _put(removed, at, template.factors.before(removed[at]))


def _jitter(template: Template, rules: Derivation, shown: Sequence[int], rng: Rng) -> Derivation | None:
    """A constant replaced by the next larger or smaller one that the grammar has."""
    constants = template.constants
    sites = [at for at in shown if plain(rules[at]) in constants]
    if not sites or len(constants) == 1:
        return None
    at = pick(sites, rng)
    number = constants.index(plain(rules[at]))
    beside = [*constants[max(0, number - 1) : number], *constants[number + 1 : number + 2]]
    return _put(rules, at, template.factors.like(rules[at], pick(beside, rng)))


def _swap(template: Template, rules: Derivation, shown: Sequence[int], rng: Rng) -> Derivation | None:
    """The functions of two runs of places exchanged, as SAFS does (arXiv 2305.10964)."""
    if rules[0].pattern.op != LAYERS:
        return None
    stops = extents(rules)
    parts = [rules[start : stops[start]] for start in inputs(rules, 0, stops)]
    pairs = [(a, b) for a, b in combinations(range(len(parts)), 2) if parts[a] != parts[b]]
    if not pairs:
        return None
    one, other = pick(pairs, rng)
    parts[one], parts[other] = parts[other], parts[one]
    return (rules[0], *chain(*parts))


def _put(rules: Derivation, at: int, rule: Rule) -> Derivation:
    return (*rules[:at], rule, *rules[at + 1 :])


#: The kinds by name, and how often each is drawn where a grammar does not say otherwise. A fresh member and a neutral
#: insertion are rarely worth a training: the one is what sampling gives, the other is of a class that is known.
KINDS: dict[str, tuple[Kind, float]] = {
    "point": (_point, 3.0),
    "subtree": (_subtree, 1.0),
    "grow": (_grow, 1.0),
    "insert": (_insert, 0.25),
    "hoist": (_hoist, 1.0),
    "remove": (_remove, 0.5),
    "regenerate": (_regenerate, 0.25),
    "jitter": (_jitter, 1.0),
    "add_parameter": (_add_parameter, 1.0),
    "remove_parameter": (_remove_parameter, 1.0),
    "move_parameter": (_move_parameter, 1.0),
    "swap": (_swap, 0.0),  # for grammars of layers(...) that ask for it: others draw what they always drew
}
