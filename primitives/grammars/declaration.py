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
  - {tree_size: 9, root: "beta*a"}                  # a rule over a that stands above each of them
  - {form: "unary(x)", layers: 4}                   # layers(f1, ..., f4), one function for each quarter of the places
mutations: {point: 3, insert: 0}                    # weights; those not named keep their defaults
monotone: increasing                                # or decreasing: only what is proved to be so is a member
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from primitives.errors import ExpressionError, GrammarError, nearest
from primitives.expression.expression import INPUT_NAMES, MAX_DEPTH, MAX_SIZE, Expression, constant, parameter
from primitives.expression.parameters import Parameter
from primitives.expression.parsing import parse_body
from primitives.expression.precedence import MAX_NESTING
from primitives.grammars.checks import Checks, short, shown
from primitives.grammars.constraint import Constraint
from primitives.grammars.derivation import X, write
from primitives.grammars.factors import Factors
from primitives.grammars.form import WORDS, Form, shape_of, units
from primitives.grammars.mutation import KINDS
from primitives.grammars.patterns import MAX_ARITY, METAVARIABLES, Rule, same_parameter
from primitives.grammars.rooted import Rooted, layers_rule
from primitives.grammars.template import Template
from primitives.grammars.trees import MAX_TREE_SIZE, Trees
from primitives.monotone import WANTED
from primitives.operators.axes import ALL_AXES
from primitives.operators.operator import LAYERS
from primitives.quoting import quoted
from primitives.yaml_text import YamlError, loaded

MAX_UNITS = 8
MAX_FACTORS = 10
MAX_LEVELS = MAX_NESTING // 2  # an operator and its brackets are two levels of nesting to the parser

_KEYS = (
    *("name", "description", "source", "size", "parameters", "constants", "unary", "binary"),
    *("factors", "templates", "mutations", "monotone"),
)
_SHAPES = ("units", "form", "tree_size")
_RESERVED = (*INPUT_NAMES, "pi", *METAVARIABLES)

Weighted = tuple[Template, float]


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a grammar's file says, checked."""

    name: str
    description: str
    source: str
    templates: tuple[Weighted, ...]
    mutations: Mapping[str, float]
    constraint: Constraint


@dataclass(frozen=True, slots=True)
class _Parts:
    """What templates are made of."""

    parameters: Mapping[str, Expression]
    leaves: list[Rule]
    unary: list[Rule]
    binary: list[Rule]
    factors: Factors


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
        templates = tuple(self.templates(top["templates"], self.parts(top)))
        self.size(top, templates)
        mutations, constraint = self.mutations(top.get("mutations", {})), self.constraint(top)
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
        number = sum(template.count() for template, _ in templates)
        if "size" in top and self.check.typed("size", top["size"], int) != number:
            raise self.check.fail("size", f"the templates have {number} derivations, not {top['size']}")

    def parts(self, top: Mapping[str, Any]) -> _Parts:
        parameters, leaves = self.parameters(top.get("parameters", {}))
        return _Parts(
            parameters,
            [*self.constants(top.get("constants", [])), *leaves],
            self.rules("unary", top.get("unary", []), parameters),
            self.rules("binary", top.get("binary", []), parameters),
            self.factors(top.get("factors"), parameters),
        )

    def parameters(self, content: object) -> tuple[dict[str, Expression], list[Rule]]:
        """All parameters by name, and those that are leaves of trees."""
        declared: dict[str, Expression] = {}
        leaves: list[Rule] = []
        for name, value in self.check.typed("parameters", content, dict).items():
            key = f"parameters.{short(name)}"
            if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_](\w*[A-Za-z_])?", name, re.ASCII):
                raise self.check.fail(key, "expected a name of letters that does not end in a digit")
            if name in _RESERVED:
                raise self.check.fail(key, f"{', '.join(_RESERVED)} have a meaning in rules; take another name")
            fields = self.check.mapping(key, value, ("initial", "per", "leaf"))
            per = self.check.granularity(f"{key}.per", fields.get("per", "layer"))
            initial = self.check.number(f"{key}.initial", fields.get("initial", 1.0))
            declared[name] = parameter(name, initial, per=per)
            if self.check.truth(f"{key}.leaf", fields.get("leaf", True)):
                leaves.append(Rule(name, declared[name], 0))
        return declared, leaves

    def constants(self, content: object) -> list[Rule]:
        values = self.check.typed("constants", content, list)
        numbers = [constant(self.check.number(f"constants[{i}]", value)) for i, value in enumerate(values)]
        leaves = [Rule(number.text, number, 0) for number in numbers]
        self.distinct("constants", leaves)
        return leaves

    def rules(self, kind: str, content: object, parameters: Mapping[str, Expression]) -> list[Rule]:
        names = ("a",) if kind == "unary" else ("a", "b")
        symbols = {name: METAVARIABLES[name] for name in names} | dict(parameters)
        texts = self.check.typed(kind, content, list)
        rules = [self.rule(f"{kind}[{i}]", text, symbols, len(names)) for i, text in enumerate(texts)]
        self.distinct(kind, rules)
        return rules

    def rule(self, key: str, text: object, symbols: Mapping[str, Expression], arity: int) -> Rule:
        if not isinstance(text, str):
            raise self.check.fail(key, f'expected a rule in quotes, as "exp(-a**2)", got {shown(text)}')
        try:
            pattern = parse_body(text, symbols)
        except ExpressionError as error:
            message, declare, _ = str(error).partition("; declare a parameter after")
            hint = f"; known are {', '.join(symbols)}, other parameters go under 'parameters'" if declare else ""
            raise self.check.fail(key, f"{shown(text)}: {message}{hint}") from None
        if pattern.op == LAYERS:
            hint = "it stands at the root; give 'layers' to a template, as {form: unary(x), layers: 4}"
            raise self.check.fail(key, f"{shown(text)}: {LAYERS}(...) is no rule: {hint}")
        return Rule(text, pattern, arity)

    def distinct(self, kind: str, rules: list[Rule]) -> None:
        first: dict[Expression, int] = {}
        for index, rule in enumerate(rules):
            if first.setdefault(rule.pattern, index) != index:
                earlier = f"{kind}[{first[rule.pattern]}]"
                raise self.check.fail(f"{kind}[{index}]", f"{quoted(rule.text)} is there already: {earlier}")

    def factors(self, content: object, parameters: Mapping[str, Expression]) -> Factors:
        if content is None:
            return Factors()
        fields = self.check.mapping("factors", content, ("max", "per"))
        most = self.check.whole("factors.max", fields.get("max", 1), MAX_FACTORS)
        factors = Factors(most, per=self.check.granularity("factors.per", fields.get("per", "layer")))
        for name, leaf in parameters.items():
            if isinstance(leaf.value, Parameter) and same_parameter(leaf.value, factors.parameter):
                alike = f"starts at 1 per {leaf.value.per} as the factors do"
                message = f"{alike}, so that they cannot be told apart; leave one out"
                raise self.check.fail(f"parameters.{name}", message)
        return factors

    def templates(self, content: object, parts: _Parts) -> Iterable[Weighted]:
        entries = self.check.typed("templates", content, list)
        made: list[Weighted] = []
        for index, entry in enumerate(entries):
            key = f"templates[{index}]"
            fields = self.check.mapping(key, entry, (*_SHAPES, "root", "layers", "weight"))
            weight = self.check.weight(f"{key}.weight", fields.get("weight", 1.0))
            template = self.within_limits(key, self.rooted(key, fields, parts))
            if template.name in [other.name for other, _ in made]:
                raise self.check.fail(key, f"{template.name} is there already")
            made.append((template, weight))
        if not any(weight for _, weight in made):
            raise self.check.fail("templates", "expected at least one with a weight above 0, as {units: 1}")
        return made

    def rooted(self, key: str, fields: Mapping[str, Any], parts: _Parts) -> Template:
        template = self.template(key, fields, parts)
        if not template.count():
            lost = "examples, channels and positions"
            raise self.check.fail(key, f"{template.name} has no expression that varies over all of {lost}")
        if "root" in fields:
            rule = self.rule(f"{key}.root", fields["root"], {"a": METAVARIABLES["a"], **parts.parameters}, 1)
            if not rule.uses[0] or write((rule, X)).axes != ALL_AXES:
                expected = "expected a rule over a that varies over all axes where a does, as beta*a"
                raise self.check.fail(f"{key}.root", f"{expected}, got {shown(rule.text)}")
            template = Rooted(f"{template.name}->{rule.text}", rule, template)
        if "layers" in fields:
            number = self.check.whole(f"{key}.layers", fields["layers"], MAX_ARITY, smallest=2)
            template = Rooted(f"{LAYERS}-{number}({template.name})", layers_rule(number), template)
        return template

    def template(self, key: str, fields: Mapping[str, Any], parts: _Parts) -> Template:
        given = [kind for kind in _SHAPES if kind in fields]
        if len(given) != 1:
            raise self.check.fail(key, f"expected one of {', '.join(_SHAPES)}")
        if given == ["tree_size"]:
            size = self.check.whole(f"{key}.tree_size", fields["tree_size"], MAX_TREE_SIZE)
            return Trees(f"trees-{size}", parts.leaves, [*parts.unary, *parts.binary], size, parts.factors)
        name, shape = self.shape(key, fields)
        for arity, (kind, rules) in enumerate((("unary", parts.unary), ("binary", parts.binary)), 1):
            if arity in shape and not rules:
                raise self.check.fail(kind, f"expected at least one rule, as {key} has {name}")
        return Form(name, shape, parts.unary, parts.binary, parts.factors)

    def shape(self, key: str, fields: Mapping[str, Any]) -> tuple[str, tuple[int, ...]]:
        """Name and shape of a form or of a chain of units."""
        if "units" in fields:
            number = self.check.whole(f"{key}.units", fields["units"], MAX_UNITS)
            return f"units-{number}", units(number)
        text = self.check.typed(f"{key}.form", fields["form"], str)
        shape = shape_of(text)
        if shape is None or not 2 <= len(shape) <= MAX_TREE_SIZE or WORDS.index("x") not in shape:
            example = "'binary(unary(x),x)'"
            expected = f"expected unary(...), binary(...,...), x and maybe z, at most {MAX_TREE_SIZE}, as {example}"
            raise self.check.fail(f"{key}.form", f"{expected}, got {shown(text)}")
        return re.sub(r"\s", "", text), shape

    def within_limits(self, key: str, template: Template) -> Template:
        """Refuse a template that can write an expression above the limits, so that none ever has to be dropped."""
        most = template.factors.most
        for what, reached, limit in (
            ("nodes", template.largest(_size_with_factor if most else Rule.size), MAX_SIZE),
            ("levels", template.largest(Rule.depth) + most, MAX_DEPTH),
            ("levels", template.largest(Rule.levels) + most, MAX_LEVELS),
        ):
            if reached > limit:
                advice = "make it smaller, or use inputs less often in the rules"
                message = f"an expression could have {reached} {what}, at most {limit} are allowed; {advice}"
                raise self.check.fail(key, message)
        return template

    def mutations(self, content: object) -> dict[str, float]:
        given = self.check.mapping("mutations", content, KINDS)
        declared = {kind: self.check.weight(f"mutations.{kind}", value) for kind, value in given.items()}
        weights = {kind: declared.get(kind, default) for kind, (_, default) in KINDS.items()}
        if not any(weights.values()):
            raise self.check.fail("mutations", "expected at least one weight above 0")
        return weights


def _size_with_factor(rule: Rule, *inputs: int) -> int:
    """A bound for grammars with factors: as if each rule had one."""
    return 2 + rule.size(*inputs)
