"""Numpy: the source of a module that needs numpy alone, with a function and its derivatives."""

from __future__ import annotations

import re
from string import Template
from textwrap import indent

from primitives.expression.expression import Expression
from primitives.lowering.c.chebyshev import SERIES
from primitives.lowering.column import INFIX_TEMPLATES, Column
from primitives.lowering.lines import Language, Lines
from primitives.lowering.python.channels import HELPERS, channel_parts, has_channels
from primitives.lowering.python.self_test import python_self_test
from primitives.lowering.python.text import class_name, python_names, python_number
from primitives.lowering.reference import roots_of
from primitives.lowering.shipped import template
from primitives.lowering.target import Target

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
_LANGUAGE = Language(column=_COLUMN, number=lambda value: python_number(value, "np"), as_number="{0}.astype(x.dtype)")
_TAKEN = frozenset(["np", "x", "result", "channel_dim"])


_MODULE = template("numpy/module.txt")
_FUNCTIONS = [f.strip() for f in template("numpy/functions.txt").substitute(SERIES).split("\n\n\n")]


def numpy_source(expression: Expression, name: str, factor: float) -> str:
    """Source of a module for ``factor * expression``, with ``name(x, <parameters>)`` and ``name_derivatives(...)``.

    Raises:
        LoweringError: the name is not snake case or is taken, or an operator cannot be written.
    """
    class_name(name, _TAKEN)
    names = python_names(expression, {*_TAKEN, name, f"{name}_derivatives"})
    value, *slopes = roots_of(expression, factor).values()
    source = _MODULE.substitute(
        channel_parts(expression, names, "np.asarray({0})"),
        function=name,
        text=expression.text,
        factor=python_number(factor),
        signature=", ".join(
            ["x", *(f"{names[p.name]}={python_number(p.initial, 'np')}" for p in expression.parameters)]
        ),
        arguments=", ".join(["x", *names.values()]),
        by="".join(f", {new}" for new in names.values()),
        value=_body([value], names, "return result({0})"),
        slopes=_body(slopes, names, "return " + ", ".join(f"result({{{i}}})" for i in range(len(slopes))) + ","),
    )
    return _with_functions(source + HELPERS if has_channels(expression) else source)


def _body(roots: list[Expression], names: dict[str, str], returned: str) -> str:
    code = Lines(roots, _LANGUAGE, names)
    return indent("\n".join([*code.lines, returned.format(*code.results)]), " " * 8)


def _with_functions(source: str) -> str:
    """Add the functions that numpy lacks where they are used."""
    used: list[str] = []
    for function in reversed(_FUNCTIONS):  # each uses those before it only
        match = re.match(r"def (\w+)", function)
        assert match is not None
        if f"{match[1]}(" in "".join([source, *used]):
            used.insert(0, function)
    return "\n\n\n".join([source.strip(), *used]) + "\n"


_COMPUTED = Template("""
x = np.array(points, np.float64)
return [column.tolist() for column in ($function(x), *${function}_derivatives(x))]
""")


def _self_test(expression: Expression, name: str, factor: float) -> dict[str, str]:
    return python_self_test(
        expression,
        f"{name}_numpy.py",
        factor=factor,
        imports=f"\nimport numpy as np\nfrom {name}_numpy import {name}, {name}_derivatives",
        computed=_COMPUTED.substitute(function=name),
    )


NUMPY = Target("_numpy.py", numpy_source, _self_test)
