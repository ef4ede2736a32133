"""The table of operators: rows by name, those that users add, and what is asked of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from primitives.errors import OperatorError, nearest
from primitives.operators.operator import PAIR, Operator
from primitives.operators.rows import ROWS
from primitives.operators.statistics import Statistic
from primitives.quoting import quoted

_TABLE: dict[str, Operator] = {row.name: row for row in ROWS}

#: Operators of any number of inputs, at least one: written as a chain of a binary operator.
CHAINS = {"sum_n": "add", "prod_n": "mul", "max_n": "max", "min_n": "min"}

#: Other names that the parser takes for an operator.
ALIASES = {
    "negative": "neg",
    "negate": "neg",
    "swish": "silu",
    "arctan": "atan",
    "arcsinh": "asinh",
    "logsigmoid": "log_sigmoid",
    "leakyrelu": "leaky_relu",
    "hardsigmoid": "hard_sigmoid",
    "hardswish": "hard_swish",
    "maximum": "max",
    "minimum": "min",
    "celu": "elu",  # torch.nn.CELU at its default alpha of 1
}


def operators() -> dict[str, Operator]:
    """The table, name to row, in the order of definition; a copy."""
    return dict(_TABLE)


def elementwise_operators() -> dict[str, Operator]:
    """The rows of the table that are no statistics."""
    return {name: row for name, row in _TABLE.items() if not row.reduces}


def find_operator(name: str) -> Operator:
    """Return the row of a name or an alias.

    Raises:
        OperatorError: the name is unknown; the message names the nearest one.
    """
    row = _TABLE.get(ALIASES.get(name, name))
    if row is None:
        raise OperatorError(f"unknown operator {quoted(name)}{nearest(name, [*_TABLE, *ALIASES])}")
    return row


def reduces(name: str) -> str:
    """The index set of a statistic of that name; "" for any other."""
    row = _TABLE.get(name)
    return row.reduces if row is not None else ""


def needs_formula(name: str) -> bool:
    """True for the own name of an operator that has its value or its derivative from a formula."""
    row = _TABLE.get(name)
    return row is not None and bool(row.formula) and (row.forward is None or not row.tangent)


def add_operator(row: Operator) -> None:
    """Put a row into the table; use :func:`primitives.register`, which probes it."""
    _TABLE[row.name] = row


def remove_operator(name: str) -> None:
    """Take a row out of the table again. What was computed of its name stays in caches: it takes no other meaning."""
    del _TABLE[name]


def forward_of(name: str) -> Callable[..., Tensor]:
    """The forward function of an operator whose row has one."""
    forward = find_operator(name).forward
    assert forward is not None, name
    return forward


def fold(name: str, values: Sequence[float]) -> float:
    """An operator whose row has a forward function, or a pair, at numbers, in float64."""
    forward = find_operator(name).forward
    if isinstance(forward, Statistic):
        return float(forward.of_one(values[0]))
    return (
        values[0] if name == PAIR else float(forward_of(name)(*(torch.tensor(v, dtype=torch.float64) for v in values)))
    )
