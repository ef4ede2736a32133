"""Opcodes: what an interpreter does, by number; the order is a contract with every interpreter.

An opcode of an operator's name is that operator. The others:

    select     b where a is not 0, else c; NaN is not 0
    select_gt  b where a > 0, else c; likewise select_ge, select_lt, select_le
    tanh_softplus   tanh(softplus(a))
"""

from __future__ import annotations

_ARITIES = (
    # arithmetic
    ("add", 2), ("sub", 2), ("mul", 2), ("div", 2), ("pow", 2), ("max", 2), ("min", 2),
    # selection
    ("gt", 2), ("ge", 2), ("lt", 2), ("le", 2),
    ("select", 3), ("select_gt", 3), ("select_ge", 3), ("select_lt", 3), ("select_le", 3),
    # of one number
    ("neg", 1), ("reciprocal", 1), ("abs", 1), ("sign", 1), ("floor", 1), ("sqrt", 1),
    ("exp", 1), ("expm1", 1), ("log", 1), ("log1p", 1), ("sin", 1), ("cos", 1), ("atan", 1),
    ("sinh", 1), ("cosh", 1), ("tanh", 1), ("asinh", 1), ("erf", 1), ("erfc", 1),
    ("sigmoid", 1), ("softplus", 1), ("log_sigmoid", 1),
    # of a tangent and an output, as backward passes have them
    ("sigmoid_slope", 2), ("tanh_slope", 2), ("elu_slope", 2),
    # of Mish: one exponential
    ("tanh_softplus", 1),
)  # fmt: skip

#: The number of each opcode.
OPCODES: dict[str, int] = {name: number for number, (name, _) in enumerate(_ARITIES)}

#: How many registers each reads.
ARITIES: dict[str, int] = dict(_ARITIES)

#: The operators that need no formula.
OPERATORS = frozenset(name for name in OPCODES if not name.startswith("select") and name != "tanh_softplus") | {"where"}
