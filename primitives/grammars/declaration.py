"""Declarations: a grammar's YAML, read and checked; nothing in it is executed.

name: mine
description: one line
source: where it comes from
size: 1234                                          # checked: the number of derivations, without factors, constraint
parameters: {beta: {initial: 1.0, per: channel}}    # per: layer, channel or network; leaf: false for rules alone
constants: [0.5, 1, 2]                              # leaves of trees, as x and the parameters are
unary: [a, "-a", "beta*a", "exp(-a**2)"]            # expression text over a
binary: [a+b, "a/(b+1e-7)"]                         # expression text over a and b
factors: {max: 3, per: channel}                     # learnable factors that may stand before rules
templates:
  - {units: 2, weight: 1}                           # chained core units
  - {form: "unary(unary(x))"}                       # any other one shape
  - {tree_size: 9, weight: 0}                       # trees of at most 9 rules; at 0 only mutation gets there
  - {graph: 10}                                     # graphs of 10 intermediate nodes, which can be used twice
  - {tree_size: 9, root: "beta*a"}                  # a rule over a that stands above each of them
  - {form: "unary(x)", layers: 4}                   # layers(f1, ..., f4), one function for each quarter of the places
mutations: {point: 3, insert: 0}                    # weights; those not named keep their defaults
monotone: increasing                                # or decreasing: only what is proved to be so is a member
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from primitives.errors import GrammarError, nearest
from primitives.grammars.checks import Checks, shown
from primitives.grammars.constraint import Constraint
from primitives.grammars.parts.rule_set import RuleReader
from primitives.grammars.parts.template_reader import TemplateReader, Weighted
from primitives.monotone import WANTED
from primitives.yaml_text import YamlError, loaded

_KEYS = (
    *("name", "description", "source", "size", "parameters", "constants", "unary", "binary"),
    *("factors", "templates", "mutations", "monotone"),
)


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a grammar's file says, checked."""

    name: str
    description: str
    source: str
    templates: tuple[Weighted, ...]
    mutations: Mapping[str, float]
    constraint: Constraint


def declaration(text: str, source: str) -> Declaration:
    """Read a declaration.

    Args:
        text: YAML, see the module's docstring.
        source: the name of the file, for messages.

    Raises:
        GrammarError: the declaration is wrong; the message names file, key, what was expected and the nearest name.
    """
    try:
        content = loaded(text, source)
    except YamlError as error:
        raise GrammarError(str(error)) from None
    return _Reader(source).read(content)


class _Reader:
    """Reads one file."""

    def __init__(self, source: str) -> None:
        self.check = Checks(source)

    def read(self, content: object) -> Declaration:
        top = self.check.mapping("", content, _KEYS)
        for key in ("name", "templates"):
            if key not in top:
                raise self.check.fail(key, "is missing")
        name, description, source = (self.check.typed(k, top.get(k, ""), str) for k in _KEYS[:3])
        reader = RuleReader(self.check)
        templates = TemplateReader(self.check, reader, reader.read(top)).read(top["templates"])
        self.size(top, templates)
        mutations, constraint = self.mutations(top.get("mutations", {}), templates), self.constraint(top)
        return Declaration(name, description, source, templates, mutations, constraint)

    def constraint(self, top: Mapping[str, Any]) -> Constraint:
        if "monotone" not in top:
            return Constraint()
        for direction in WANTED:
            if top["monotone"] == direction:
                return Constraint(direction)
        hint = nearest(top["monotone"], WANTED)
        raise self.check.fail("monotone", f"expected {' or '.join(WANTED)}, got {shown(top['monotone'])}{hint}")

    def size(self, top: Mapping[str, Any], templates: Iterable[Weighted]) -> None:
        if "size" not in top:
            return
        number = sum(template.count() for template, _ in templates)
        if self.check.typed("size", top["size"], int) != number:
            raise self.check.fail("size", f"the templates have {number} derivations, not {top['size']}")

    def mutations(self, content: object, templates: Iterable[Weighted]) -> dict[str, float]:
        defaults = {kind: weight for template, _ in templates for kind, weight in template.kinds.items()}
        given = self.check.mapping("mutations", content, defaults)
        declared = {kind: self.check.weight(f"mutations.{kind}", value) for kind, value in given.items()}
        weights = defaults | declared
        if not any(weights.values()):
            raise self.check.fail("mutations", "expected at least one weight above 0")
        return weights
