"""The value of a formula of LaTeX, by torch in float64, with derivatives by autograd.

Names of functions mean what they do in torch and in the literature, ``log`` is natural and ``sinc`` is sin(x)/x. Where
float64 would lose digits or overflow, the same number is computed in another way: exp(a) - 1, log(1 + a),
log(sigma(a)), e^a I_n(b).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor

from tests.primitives_tests.latex_reading import Node, Unreadable

Given = Mapping[str, Tensor]  # values by what is seen of a symbol


def value(node: Node, given: Given) -> Tensor:
    """The value of a formula where its symbols have values of one shape, float64.

    Raises:
        Unreadable: a symbol has no value, or a function is not known.
    """
    match node:
        case Node("cases", (condition, one, other)):
            return _either(_holds(condition, given), one, other, given)
        case Node("sum", (Node(r"\exp", (a,)), Node("minus", (Node("1"),)))):  # what it says, without the cancellation
            return torch.expm1(value(a, given))
        case Node(r"\log", (Node("sum", (Node("1"), *rest)),)):
            return torch.log1p(value(Node("sum", tuple(rest)), given))
        case Node(r"\log", (Node(r"\sigma", (a,)),)):
            return F.logsigmoid(value(a, given))
        case Node("product", factors):
            return _product(list(factors), given)
        case Node(">" | "<" | r"\ge" | r"\le" | r"\ne"):
            return _holds(node, given).double()
        case Node(r"\max" | r"\min", (a, b)):
            left, right = value(a, given), value(b, given)
            first = left.isnan() | (left >= right if node.head == r"\max" else left <= right)
            return _either(first, a, b, given)
        case Node(head, parts) if parts:
            if head not in _OPERATIONS:
                raise Unreadable(f"no function is known as {head!r}")
            return _OPERATIONS[head](*(value(part, given) for part in parts))
    return _leaf(node.head, given)


def _leaf(head: str, given: Given) -> Tensor:
    known = {"e": math.e, r"\pi": math.pi}
    if head[0].isdigit() or head in known:
        return torch.full_like(given["x"], known[head] if head in known else float(head))
    if head not in given:
        raise Unreadable(f"{head!r} has no value")
    return given[head]


def _holds(condition: Node, given: Given) -> Tensor:
    a, b = (value(part, given) for part in condition.parts)
    return {">": a > b, "<": a < b, r"\ge": a >= b, r"\le": a <= b, r"\ne": a != b}[condition.head]


def _either(first: Tensor, one: Node, other: Node, given: Given) -> Tensor:
    """Each where it is chosen, so that an overflow of the other reaches no derivative."""
    chosen = torch.zeros_like(given["x"])
    for where, node in ((first, one), (~first, other)):
        chosen = chosen.masked_scatter(where, value(node, {name: v[where] for name, v in given.items()}))
    return chosen


def _product(factors: list[Node], given: Given) -> Tensor:
    """From left to right; e^a I_n(b) as e^(a + |b|) times the scaled function, which does not overflow."""
    values = []
    while factors:
        match factors:
            case [Node("power", (Node("e"), a)), Node("I_0" | "I_1" as name, (b,)), *factors]:
                scaled = torch.special.i0e if name == "I_0" else torch.special.i1e
                inner = value(b, given)
                values.append(torch.exp(value(a, given) + inner.abs()) * scaled(inner))
            case [factor, *factors]:
                values.append(value(factor, given))
    return reduce(torch.mul, values)


def _near_zero(near: float, series: list[float], far: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """A series in x^2 times x^(0 or 1), with the latter as the first number, near 0."""

    def function(x: Tensor) -> Tensor:
        small = x.abs() < near
        inner = torch.where(small, x, 0.0)
        square = inner * inner
        total = reduce(lambda total, c: total * square + c, reversed(series[1:]), torch.zeros_like(x))
        return torch.where(small, total * inner if series[0] else total, far(torch.where(small, 1.0, x)))

    return function


def _paired(a: Tensor, b: Tensor) -> Tensor:
    return a.detach() + (b - b.detach())


_FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    **{f"\\{name}": getattr(torch, name) for name in ["exp", "log", "sin", "cos", "arctan", "sinh", "cosh", "tanh"]},
    r"\sigma": torch.sigmoid,
    "sign": torch.sign,
    "arsinh": torch.asinh,
    "erf": torch.erf,
    "erfc": torch.erfc,
    "sinc": _near_zero(0.1, [0, 1, -1 / 6, 1 / 120, -1 / 5040, 1 / 362880], lambda x: torch.sin(x) / x),
    "sinc'": _near_zero(
        0.1,
        [1, *(-1 / 3, 1 / 30, -1 / 840, 1 / 45360, -1 / 3991680)],
        lambda x: (torch.cos(x) - torch.sin(x) / x) / x,
    ),
    "softsign": lambda x: torch.where(x.abs() < 1, x / (1 + x.abs()), 0 * x + torch.sign(x) * (1 - 1 / (1 + x.abs()))),
    "symlog": lambda x: torch.sign(x) * torch.log1p(x.abs()),
    "slog": lambda x: torch.where(x == 0, 0, torch.sign(x) * torch.log(x.abs())),
    "ssqrt": lambda x: torch.sign(x) * torch.sqrt(x.abs()),
    "symexp": lambda x: torch.sign(x) * torch.expm1(x.abs()),
    "hardsigmoid": lambda x: (x + 3).clamp(0, 6) / 6,
    "hardswish": lambda x: x * ((x + 3).clamp(0, 6) / 6),
    "softplus": lambda x: torch.logaddexp(x, torch.zeros_like(x)),
    **{name: getattr(F, name.lower()) for name in ["ReLU", "ReLU6", "ELU", "SELU", "GELU", "SiLU", "Mish", "hardtanh"]},
    "LeakyReLU": F.leaky_relu,
}

_OPERATIONS: dict[str, Callable[..., Tensor]] = {
    **_FUNCTIONS,
    "paired": _paired,
    "sum": lambda *terms: reduce(torch.add, terms),
    "minus": torch.neg,
    "power": torch.pow,
    r"\frac": torch.div,
    r"\sqrt": torch.sqrt,
    r"\left|": torch.abs,
    r"\lfloor": torch.floor,
    "I_0": torch.special.i0,
    "I_1": torch.special.i1,
}
