"""How numpy code writes operators and numbers, and the functions that numpy lacks."""

from __future__ import annotations

import re

from primitives.lowering.c.chebyshev import SERIES
from primitives.lowering.column import INFIX_TEMPLATES, Column
from primitives.lowering.lines import Language
from primitives.lowering.python.text import python_number
from primitives.lowering.shipped import template

_COLUMN = Column(
    "numpy",
    {
        **INFIX_TEMPLATES,
        "max": "np.maximum({0}, {1})",
        "min": "np.minimum({0}, {1})",
        "where": "np.where({0}, {1}, {2})",
        "abs": "np.abs({0})",
        "sign": "np.sign({0})",
        "floor": "np.floor({0})",
        "exp": "np.exp({0})",
        "expm1": "np.expm1({0})",
        "log": "np.log({0})",
        "log1p": "np.log1p({0})",
        "sqrt": "np.sqrt({0})",
        "sin": "np.sin({0})",
        "cos": "np.cos({0})",
        "atan": "np.arctan({0})",
        "sinh": "np.sinh({0})",
        "cosh": "np.cosh({0})",
        "tanh": "np.tanh({0})",
        "asinh": "np.arcsinh({0})",
        "erf": "_erf({0})",
        "erfc": "_erfc({0})",
        "bessel_i0e": "_i0e({0})",
        "bessel_i1e": "_i1e({0})",
    },
)
LANGUAGE = Language(column=_COLUMN, number=lambda value: python_number(value, "np"), as_number="{0}.astype(x.dtype)")
TAKEN = frozenset(["np", "x", "result", "channel_dim"])

_FUNCTIONS = [f.strip() for f in template("numpy/functions.txt").substitute(SERIES).split("\n\n\n")]


def with_functions(source: str) -> str:
    """Add the functions that numpy lacks where they are used."""
    used: list[str] = []
    for function in reversed(_FUNCTIONS):  # each uses those before it only
        match = re.match(r"def (\w+)", function)
        assert match is not None
        if f"{match[1]}(" in "".join([source, *used]):
            used.insert(0, function)
    return "\n\n\n".join([source.strip(), *used]) + "\n"
