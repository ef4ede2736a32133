"""The rules of a declaration: parameters, constants, unary and binary rules, factors, read and checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from primitives.errors import ExpressionError
from primitives.expression.expression import INPUT_NAMES, Expression, constant, parameter
from primitives.expression.parameters import Parameter
from primitives.expression.parsing import parse_body
from primitives.grammars.checks import Checks, short, shown
from primitives.grammars.factors import Factors
from primitives.grammars.patterns import METAVARIABLES, Rule, same_parameter
from primitives.operators.operator import LAYERS
from primitives.quoting import quoted

MAX_FACTORS = 10
_RESERVED = (*INPUT_NAMES, "pi", *METAVARIABLES)


@dataclass(frozen=True, slots=True)
class RuleSet:
    """What templates are made of."""

    parameters: Mapping[str, Expression]
    leaves: list[Rule]
    unary: list[Rule]
    binary: list[Rule]
    factors: Factors


@final
class RuleReader:
    """Reads the rules of one file.

    Args:
        check: of the file.
    """

    def __init__(self, check: Checks) -> None:
        self.check = check

    def read(self, top: Mapping[str, object]) -> RuleSet:
        """All rules of a file's content."""
        parameters, leaves = self.parameters(top.get("parameters", {}))
        return RuleSet(
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
