"""Numpy: the source of a module that needs numpy alone, with a function and its derivatives."""

from __future__ import annotations

from string import Template
from textwrap import indent

from primitives.expression.expression import Expression
from primitives.lowering.lines import Lines
from primitives.lowering.numpy.language import LANGUAGE, TAKEN, with_functions
from primitives.lowering.numpy.norm import norm_source, norm_test
from primitives.lowering.python.channels import HELPERS, channel_parts, has_channels
from primitives.lowering.python.self_test import points_text, python_self_test
from primitives.lowering.python.text import class_name, operand_names, python_number
from primitives.lowering.reference import roots_of
from primitives.lowering.shipped import template
from primitives.lowering.target import ALL_KINDS, Target

_MODULE = template("numpy/module.txt")


def numpy_source(expression: Expression, name: str, factor: float) -> str:
    """Source of a module for ``factor * expression``, with ``name(x, <parameters>)`` and ``name_derivatives(...)``.

    Raises:
        LoweringError: the name is not snake case or is taken, or an operator cannot be written.
    """
    if expression.has_statistics:
        return norm_source(expression, name, factor)
    class_name(name, TAKEN)
    names = operand_names(expression, {*TAKEN, name, f"{name}_derivatives"})
    value, *slopes = roots_of(expression, factor).values()
    inputs = ["x", *(["z"] if "z" in names else [])]
    source = _MODULE.substitute(
        channel_parts(expression, names, "np.asarray({0})"),
        function=name,
        text=expression.text,
        head="f(x, z) = " if "z" in names else "f(x) =    ",
        of=" and ".join(inputs),
        check=_CHECK if "z" in names else "",
        factor=python_number(factor),
        signature=", ".join(
            [*inputs, *(f"{names[p.name]}={python_number(p.initial, 'np')}" for p in expression.parameters)]
        ),
        arguments=", ".join(["x", *names.values()]),
        by="".join(f", {new}" for new in names.values()),
        value=_body([value], names, "return result({0})"),
        slopes=_body(slopes, names, "return " + ", ".join(f"result({{{i}}})" for i in range(len(slopes))) + ","),
    )
    return with_functions(source + HELPERS if has_channels(expression) else source)


_CHECK = """\
    if np.shape(z) != np.shape(x):
        raise ValueError(f"expected z of the shape of x, {np.shape(x)}, got {np.shape(z)}")
"""


def _body(roots: list[Expression], names: dict[str, str], returned: str) -> str:
    code = Lines(roots, LANGUAGE, names)
    return indent("\n".join([*code.lines, returned.format(*code.results)]), " " * 8)


_COMPUTED = Template("""
inputs = [np.array(each, np.float64) for each in ($points,)]
return [column.tolist() for column in ($function(*inputs), *${function}_derivatives(*inputs))]
""")


def _self_test(expression: Expression, name: str, factor: float) -> dict[str, str]:
    if expression.has_statistics:
        return norm_test(expression, name, factor)
    return python_self_test(
        expression,
        f"{name}_numpy.py",
        factor=factor,
        imports=f"\nimport numpy as np\nfrom {name}_numpy import {name}, {name}_derivatives",
        computed=_COMPUTED.substitute(function=name, points=points_text(expression)),
    )


NUMPY = Target("_numpy.py", numpy_source, _self_test, ALL_KINDS)
