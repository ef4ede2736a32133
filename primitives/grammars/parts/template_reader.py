"""The templates of a declaration, read and checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, final

from primitives.expression.expression import MAX_DEPTH, MAX_SIZE
from primitives.grammars.checks import Checks, shown
from primitives.grammars.derivation import X, leaves_and_rules, write
from primitives.grammars.form import WORDS, Form, shape_of, units
from primitives.grammars.graphs.graph import Node
from primitives.grammars.graphs.graphs import Graphs
from primitives.grammars.graphs.space import MAX_NODES, Space
from primitives.grammars.parts.derived import Derived
from primitives.grammars.parts.limits import MAX_LEVELS
from primitives.grammars.parts.part import Part
from primitives.grammars.parts.rule_set import RuleReader, RuleSet
from primitives.grammars.patterns import MAX_ARITY, METAVARIABLES, Rule
from primitives.grammars.rooted import Rooted, layers_rule
from primitives.grammars.template import Template
from primitives.grammars.trees import MAX_TREE_SIZE, Trees
from primitives.operators.axes import ALL_AXES
from primitives.operators.operator import LAYERS

MAX_UNITS = 8
_LOST = "that varies over all of examples, channels and positions"
_SHAPES = ("units", "form", "tree_size", "graph")

Weighted = tuple[Part[Any], float]


@final
class TemplateReader:
    """Reads the templates of one file.

    Args:
        check: of the file.
        reader: reads a rule of the file.
        rules: all its rules.
    """

    def __init__(self, check: Checks, reader: RuleReader, rules: RuleSet) -> None:
        self.check, self.reader, self.rules = check, reader, rules

    def read(self, content: object) -> tuple[Weighted, ...]:
        """All templates, each with its weight in sampling."""
        entries = self.check.typed("templates", content, list)
        made: list[Weighted] = []
        for index, entry in enumerate(entries):
            key = f"templates[{index}]"
            fields = self.check.mapping(key, entry, (*_SHAPES, "root", "layers", "weight"))
            weight = self.check.weight(f"{key}.weight", fields.get("weight", 1.0))
            part = self.part(key, fields)
            if part.name in [other.name for other, _ in made]:
                raise self.check.fail(key, f"{part.name} is there already")
            made.append((part, weight))
        if not any(weight for _, weight in made):
            raise self.check.fail("templates", "expected at least one with a weight above 0, as {units: 1}")
        return tuple(made)

    def part(self, key: str, fields: Mapping[str, object]) -> Part[Any]:
        given = [kind for kind in _SHAPES if kind in fields]
        if len(given) != 1:
            raise self.check.fail(key, f"expected one of {', '.join(_SHAPES)}")
        if given == ["graph"]:
            return self.graphs(key, fields)
        return Derived(self.within_limits(key, self.rooted(key, fields)))

    def graphs(self, key: str, fields: Mapping[str, object]) -> Graphs:
        nodes = self.check.whole(f"{key}.graph", fields["graph"], MAX_NODES)
        if self.rules.factors.most:
            raise self.check.fail("factors", f"a graph bears none; leave 'factors' out, or {key}.graph")
        if not (self.rules.unary or self.rules.binary):
            raise self.check.fail("unary", f"expected at least one rule, as {key} has graph: {nodes}")
        root, functions = self.root(key, fields), self.functions(key, fields) or 1
        initial, operators = leaves_and_rules(self.rules.leaves, [*self.rules.unary, *self.rules.binary])
        space = Space(nodes, initial, operators, root, functions)
        name = f"graph-{nodes}" if root is None else f"graph-{nodes}->{root.text}"
        name = name if functions == 1 else f"{LAYERS}-{functions}({name})"
        if not any(space.accepts((Node(rule, (0,) * rule.arity),)) for rule in operators):
            raise self.check.fail(key, f"{name} has no expression {_LOST}")
        return Graphs(name, space)

    def root(self, key: str, fields: Mapping[str, object]) -> Rule | None:
        if "root" not in fields:
            return None
        symbols = {"a": METAVARIABLES["a"], **self.rules.parameters}
        rule = self.reader.rule(f"{key}.root", fields["root"], symbols, 1)
        if not rule.uses[0] or write((rule, X)).axes != ALL_AXES:
            expected = "expected a rule over a that varies over all axes where a does, as beta*a"
            raise self.check.fail(f"{key}.root", f"{expected}, got {shown(rule.text)}")
        return rule

    def functions(self, key: str, fields: Mapping[str, object]) -> int | None:
        if "layers" not in fields:
            return None
        return self.check.whole(f"{key}.layers", fields["layers"], MAX_ARITY, smallest=2)

    def rooted(self, key: str, fields: Mapping[str, object]) -> Template:
        template = self.template(key, fields)
        if not template.count():
            raise self.check.fail(key, f"{template.name} has no expression {_LOST}")
        root, functions = self.root(key, fields), self.functions(key, fields)
        if root:
            template = Rooted(f"{template.name}->{root.text}", root, template)
        if functions:
            template = Rooted(f"{LAYERS}-{functions}({template.name})", layers_rule(functions), template)
        return template

    def template(self, key: str, fields: Mapping[str, object]) -> Template:
        leaves, unary, binary, factors = self.rules.leaves, self.rules.unary, self.rules.binary, self.rules.factors
        if "tree_size" in fields:
            size = self.check.whole(f"{key}.tree_size", fields["tree_size"], MAX_TREE_SIZE)
            return Trees(f"trees-{size}", leaves, [*unary, *binary], size, factors)
        name, shape = self.shape(key, fields)
        for arity, (kind, rules) in enumerate((("unary", unary), ("binary", binary)), 1):
            if arity in shape and not rules:
                raise self.check.fail(kind, f"expected at least one rule, as {key} has {name}")
        return Form(name, shape, unary, binary, factors)

    def shape(self, key: str, fields: Mapping[str, object]) -> tuple[str, tuple[int, ...]]:
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


def _size_with_factor(rule: Rule, *inputs: int) -> int:
    """A bound for grammars with factors: as if each rule had one."""
    return 2 + rule.size(*inputs)
