"""Declarations: a grammar's YAML, read and checked; nothing in it is executed.

name: mine
description: one line
parameters: {beta: {initial: 1.0, per: channel}}   # per: layer or channel
constants: [0.5, 1, 2]                              # leaves of trees, as x and the parameters are
unary: [a, "-a", "beta*a", "exp(-a**2)"]            # expression text over a
binary: [a+b, "a/(b+1e-7)"]                         # expression text over a and b
templates:
  - {units: 2, weight: 1}                           # chained core units
  - {tree_size: 9}                                  # trees of at most 9 rules, leaves counted
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from primitives.errors import ExpressionError, GrammarError, nearest
from primitives.expressions import MAX_DEPTH, MAX_SIZE, Expression, constant, parameter
from primitives.grammars.patterns import METAVARIABLES, Rule
from primitives.grammars.template import Template, X
from primitives.grammars.trees import MAX_TREE_SIZE, Trees
from primitives.grammars.units import MAX_UNITS, Units
from primitives.text import parse_body

_KEYS = ("name", "description", "parameters", "constants", "unary", "binary", "templates")
_RESERVED = ("x", "pi", *METAVARIABLES)
_KINDS: dict[type, str] = {str: "a text", list: "a list", dict: "a mapping", int: "a whole number"}


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a grammar's file says, checked: its name, its description and its weighted templates."""

    name: str
    description: str
    templates: tuple[tuple[Template[Any], float], ...]


def declaration(text: str, source: str) -> Declaration:
    """Read a declaration.

    Args:
        text: YAML, see the module's docstring.
        source: the name of the file, for messages.

    Raises:
        GrammarError: the declaration is wrong; the message names file, key, what was expected and the nearest name.
    """
    return _Reader(source).read(_loaded(text, source))


def _loaded(text: str, source: str) -> object:
    try:
        return yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise GrammarError(f"{source}: not YAML{where}: {error.problem}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # a wrong character, a wrong date, brackets
        raise GrammarError(f"{source}: not YAML: {type(error).__name__}") from None


class _Reader:
    """Checks one file; every message starts with the file and the key."""

    def __init__(self, source: str) -> None:
        self.source = source

    def fail(self, key: str, message: str) -> GrammarError:
        return GrammarError(f"{self.source}: {key}: {message}" if key else f"{self.source}: {message}")

    def read(self, found: object) -> Declaration:
        top = self.mapping("", found, _KEYS)
        for key in ("name", "templates"):
            if key not in top:
                raise self.fail(key, f"is missing{nearest(key, [k for k in top if k not in _KEYS])}")
        parameters = self.parameters(top.get("parameters", {}))
        unary = self.rules("unary", top.get("unary", []), parameters)
        binary = self.rules("binary", top.get("binary", []), parameters)
        leaves = [X, *self.constants(top.get("constants", [])), *(Rule(n, p, 0) for n, p in parameters.items())]
        return Declaration(
            name=self.typed("name", top["name"], str),
            description=self.typed("description", top.get("description", ""), str),
            templates=tuple(self.templates(top["templates"], leaves, (unary, binary))),
        )

    def typed(self, key: str, value: Any, kind: type) -> Any:
        if not isinstance(value, kind) or isinstance(value, bool):
            raise self.fail(key, f"expected {_KINDS[kind]}, got {_shown(value)}")
        return value

    def mapping(self, key: str, value: object, known: Iterable[str]) -> dict[str, Any]:
        found: dict[str, Any] = self.typed(key, value, dict)
        for name in found:
            if name not in known:
                where = f"{key}.{_plain(name)}" if key else _plain(name)
                raise self.fail(where, f"unknown key{nearest(str(name), known)}; expected {', '.join(known)}")
        return found

    def number(self, key: str, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            # YAML 1.1 takes 1e-7, which has no point, for a text
            hint = "; write it with a point, as 1.0e-7" if _looks_numeric(value) else ""
            raise self.fail(key, f"expected a finite number, got {_shown(value)}{hint}")
        return float(value)

    def whole(self, key: str, value: object, largest: int) -> int:
        number: int = self.typed(key, value, int)
        if not 1 <= number <= largest:
            raise self.fail(key, f"expected 1 to {largest}, got {number}")
        return number

    def parameters(self, found: object) -> dict[str, Expression]:
        declared: dict[str, Expression] = {}
        for name, value in self.typed("parameters", found, dict).items():
            key = f"parameters.{_plain(name)}"
            if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_](\w*[A-Za-z_])?", name, re.ASCII):
                raise self.fail(key, "expected a name of letters that does not end in a digit")
            if name in _RESERVED:
                raise self.fail(key, f"{', '.join(_RESERVED)} have a meaning in rules; take another name")
            fields = self.mapping(key, value, ("initial", "per"))
            per = fields.get("per", "layer")
            if per not in ("layer", "channel"):
                hint = nearest(str(per), ("layer", "channel"))
                raise self.fail(f"{key}.per", f"expected 'layer' or 'channel', got {_shown(per)}{hint}")
            initial = self.number(f"{key}.initial", fields.get("initial", 1.0))
            declared[name] = parameter(name, initial, per_channel=per == "channel")
        return declared

    def constants(self, found: object) -> list[Rule]:
        numbers = [self.number(f"constants[{i}]", v) for i, v in enumerate(self.typed("constants", found, list))]
        leaves = [Rule(f"{value:g}", constant(value), 0) for value in numbers]
        self.distinct("constants", leaves)
        return leaves

    def rules(self, kind: str, found: object, parameters: Mapping[str, Expression]) -> list[Rule]:
        names = ("a",) if kind == "unary" else ("a", "b")
        symbols = {name: METAVARIABLES[name] for name in names} | dict(parameters)
        texts = self.typed(kind, found, list)
        rules = [self.rule(f"{kind}[{i}]", text, symbols, len(names)) for i, text in enumerate(texts)]
        self.distinct(kind, rules)
        return rules

    def rule(self, key: str, text: object, symbols: Mapping[str, Expression], arity: int) -> Rule:
        if not isinstance(text, str):
            raise self.fail(key, f'expected a rule in quotes, as "exp(-a**2)", got {_shown(text)}')
        try:
            return Rule(text, parse_body(text, symbols), arity)
        except ExpressionError as error:
            message, declare, _ = str(error).partition("; declare a parameter after")
            hint = f"; known are {', '.join(symbols)}, other parameters go under 'parameters'" if declare else ""
            raise self.fail(key, f"{_shown(text)}: {message}{hint}") from None

    def distinct(self, kind: str, rules: list[Rule]) -> None:
        first: dict[Expression, int] = {}
        for index, rule in enumerate(rules):
            if first.setdefault(rule.pattern, index) != index:
                raise self.fail(f"{kind}[{index}]", f"{rule.text!r} is there already: {kind}[{first[rule.pattern]}]")

    def templates(
        self, found: object, leaves: list[Rule], rules: tuple[list[Rule], list[Rule]]
    ) -> Iterable[tuple[Template[Any], float]]:
        entries = self.typed("templates", found, list)
        if not entries:
            raise self.fail("templates", "expected at least one, as {units: 1} or {tree_size: 9}")
        for index, entry in enumerate(entries):
            key = f"templates[{index}]"
            fields = self.mapping(key, entry, ("units", "tree_size", "weight"))
            weight = self.number(f"{key}.weight", fields.get("weight", 1.0))
            if weight <= 0:
                raise self.fail(f"{key}.weight", f"expected a number above 0, got {weight:g}")
            yield self.within_limits(key, self.template(key, fields, leaves, rules)), weight

    def template(
        self, key: str, fields: Mapping[str, Any], leaves: list[Rule], rules: tuple[list[Rule], list[Rule]]
    ) -> Template[Any]:
        unary, binary = rules
        if ("units" in fields) == ("tree_size" in fields):
            raise self.fail(key, "expected one of units and tree_size")
        if "tree_size" in fields:
            return Trees(leaves, [*unary, *binary], self.whole(f"{key}.tree_size", fields["tree_size"], MAX_TREE_SIZE))
        for kind, declared in (("unary", unary), ("binary", binary)):
            if not declared:
                raise self.fail(kind, f"expected at least one rule, as {key} has units")
        return Units(unary, binary, self.whole(f"{key}.units", fields["units"], MAX_UNITS))

    def within_limits(self, key: str, template: Template[Any]) -> Template[Any]:
        """Refuse a template that can write an expression above the limits, so that none ever has to be dropped."""
        for what, reached, limit in zip(("nodes", "levels"), template.largest(), (MAX_SIZE, MAX_DEPTH), strict=True):
            if reached > limit:
                advice = "make it smaller, or use inputs less often in the rules"
                raise self.fail(
                    key, f"an expression could have {reached} {what}, at most {limit} are allowed; {advice}"
                )
        return template


def _looks_numeric(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[-+]?[\d.]+[eE][-+]?\d+", value) is not None


def _plain(name: object) -> str:
    return name if isinstance(name, str) and len(name) <= 40 else type(name).__name__


def _shown(value: object) -> str:
    """A scalar as it is, cut to 60 characters; the type of anything else."""
    if value is None:
        return "nothing"
    if isinstance(value, str | int | float):
        text = repr(value) if isinstance(value, str) or len(str(value)) <= 60 else type(value).__name__
        return text if len(text) <= 60 else f"{text[:57]}..."
    return _KINDS.get(type(value), type(value).__name__)
