"""Elementwise operators of torch as expressions: the activations of a network that stay what they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from primitives.errors import ExpressionError
from primitives.expression.expression import Expression
from primitives.expression.parsing import parse

_SAME = (
    "relu", "tanh", "sigmoid", "silu", "mish", "sin", "cos", "exp", "expm1", "abs", "neg", "sqrt", "log", "log1p",
    "reciprocal", "erf", "erfc", "atan", "asinh", "sinh", "cosh", "square",
)  # fmt: skip

#: By the operator's name, the expression of its further arguments.
_WRITTEN: dict[str, Callable[..., str]] = {
    **{name: (lambda of: lambda: f"{of}(x)")(name) for name in _SAME},
    "gelu": lambda approximate="none": "gelu_tanh(x)" if approximate == "tanh" else "gelu(x)",
    "hardswish": lambda: "hard_swish(x)",
    "hardsigmoid": lambda: "hard_sigmoid(x)",
    "hardtanh": lambda low=-1.0, high=1.0: f"clip(x,{low!r},{high!r})",
    "softplus": lambda beta=1.0, threshold=20.0: _softplus(beta, threshold),
    "leaky_relu": lambda slope=0.01: f"where(x>0,x,{slope!r}*x)",
    "elu": lambda alpha=1.0, scale=1.0, inner=1.0: f"{scale!r}*where(x>0,x,{alpha!r}*expm1({inner!r}*x))",
    "add": lambda number: f"x+{number!r}",
    "sub": lambda number: f"x-{number!r}",
    "mul": lambda number: f"{number!r}*x",
    "div": lambda number: f"x/{number!r}",
    "pow": lambda number: f"x**{number!r}",
}


def _softplus(beta: float, threshold: float) -> str:
    curve = f"softplus({beta!r}*x)/{beta!r}"
    return "softplus(x)" if (beta, threshold) == (1, 20) else f"where({beta!r}*x>{threshold!r},x,{curve})"


def function_of(name: str, arguments: Sequence[Any], named: dict[str, object]) -> Expression | None:
    """The expression of an operator of ``torch.ops.aten`` in its first input.

    Args:
        name: such as ``"leaky_relu"``.
        arguments: behind the input.
        named: the same by name.

    Returns:
        None where the operator is unknown, or an argument is no number.
    """
    write = _WRITTEN.get(name)
    if write is None or not all(isinstance(each, int | float | str) for each in (*arguments, *named.values())):
        return None
    try:
        return parse(write(*arguments, **named))
    except (TypeError, ExpressionError):  # arguments that the table does not know; infinity, truth values
        return None
