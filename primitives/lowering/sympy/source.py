"""Sympy: the source of a module that needs sympy alone and holds the function as an expression of sympy."""

from __future__ import annotations

import math
from string import Template

from primitives.errors import LoweringError
from primitives.expression.expression import Expression
from primitives.lowering.column import INFIX_TEMPLATES, Column
from primitives.lowering.lines import Language, Lines
from primitives.lowering.python.self_test import points_text, python_self_test
from primitives.lowering.python.text import class_name, operand_names, python_number
from primitives.lowering.reference import roots_of, scaled
from primitives.lowering.shipped import template
from primitives.lowering.target import ELEMENTWISE, Target

_COLUMN = Column(
    "sympy",
    {
        **INFIX_TEMPLATES,
        # evaluated, sympy would try to find out which is larger, for seconds
        "max": "sp.Max({0}, {1}, evaluate=False)",
        "min": "sp.Min({0}, {1}, evaluate=False)",
        "gt": "sp.Gt({0}, {1})",
        "ge": "sp.Ge({0}, {1})",
        "lt": "sp.Lt({0}, {1})",
        "le": "sp.Le({0}, {1})",
        "where": "sp.Piecewise(({1}, {0}), ({2}, True))",
        "abs": "sp.Abs({0})",
        "sign": "sp.sign({0})",
        "floor": "sp.floor({0})",
        "exp": "sp.exp({0})",
        "expm1": "(sp.exp({0}) - 1)",
        "log": "sp.log({0})",
        "log1p": "sp.log(1 + {0})",
        "sqrt": "sp.sqrt({0})",
        "sinc": "sp.sinc({0})",
        "sin": "sp.sin({0})",
        "cos": "sp.cos({0})",
        "atan": "sp.atan({0})",
        "sinh": "sp.sinh({0})",
        "cosh": "sp.cosh({0})",
        "tanh": "sp.tanh({0})",
        "asinh": "sp.asinh({0})",
        "erf": "sp.erf({0})",
        "erfc": "sp.erfc({0})",
        "bessel_i0e": "sp.exp(-sp.Abs({0})) * sp.besseli(0, {0})",
        "bessel_i1e": "sp.exp(-sp.Abs({0})) * sp.besseli(1, {0})",
    },
)
_TAKEN = frozenset(["sp", "x", "z", "PARAMETERS", "SLOPES"])
_MODULE = template("sympy/module.txt")
_LARGEST = 15.0  # input of the self-test: the digits of exp(exp(x**3)) for 100 fill the memory


def _number(value: float) -> str:
    """Halves, quarters and so on are rational; what overflowed as the numbers were folded has no exact value."""
    if not math.isfinite(value):
        raise LoweringError(f"sympy: a part of the formula without x is {value}, which has no exact value")
    above, below = value.as_integer_ratio()
    if below == 1 and abs(value) < 2**53:
        return str(above)
    return f"sp.Rational({above}, {below})" if below <= 1024 and abs(above) < 2**20 else f"sp.Float({value!r})"


_LANGUAGE = Language(
    column=_COLUMN, number=_number, as_number="sp.Piecewise((1, {0}), (0, True))", truth="sp.Ne({0}, 0)"
)


def sympy_source(expression: Expression, name: str, factor: float) -> str:
    """Source of a module that holds ``factor * expression`` under a name, the symbol ``x`` and ``PARAMETERS``.

    Raises:
        LoweringError: the name is not snake case or is taken, or an operator or a number cannot be written.
    """
    class_name(name, _TAKEN)
    names = operand_names(expression, {*_TAKEN, name})
    pair = expression.is_paired  # sympy would derive the value
    roots = [*roots_of(expression, factor).values()] if pair else [scaled(expression, factor)]
    code = Lines(roots, _LANGUAGE, names)
    slopes = [f"SLOPES = sp.sympify(({', '.join(code.results[1:])},))"] if pair else []
    return _MODULE.substitute(
        function=name,
        text=expression.text,
        factor=python_number(factor),
        symbols="\n".join(f'{new} = sp.Symbol("{old}", real=True)' for old, new in names.items()),
        initial=", ".join(f"{names[p.name]}: {python_number(p.initial)}" for p in expression.parameters),
        body="\n".join([*code.lines, f"{name} = sp.sympify({code.results[0]})", *slopes]),
        head="f(x, z) = " if "z" in names else "f(x) =    ",
        last=', "z"' if "z" in names else "",
        derivative="SLOPES[0]" if pair else f"{name}.diff(x)",
        slopes='"SLOPES", ' if pair else "",
    ).replace("\n\n\n", "\n\n")


_COMPUTED_OF_PAIR = Template("""
functions = [sp.lambdify([$inputs, *PARAMETERS], each, "mpmath") for each in ($function, *SLOPES)]


def real(value):
    value = mpmath.mpmathify(value)
    return float(value.real) if value.imag == 0 else math.nan


def numbers(*point):
    at = tuple(map(mpmath.mpf, (*point, *PARAMETERS.values())))
    try:
        return [real(each(*at)) for each in functions]
    except ZeroDivisionError:
        return [math.nan] * len(functions)


with mpmath.workdps(120):
    return list(zip(*map(numbers, $points)))
""")

_COMPUTED = Template("""
function = sp.lambdify([$inputs, *PARAMETERS], $function, "mpmath")


def real(value):
    value = mpmath.mpmathify(value)
    return float(value.real) if value.imag == 0 else math.nan


def numbers(*point):
    at = tuple(map(mpmath.mpf, (*point, *PARAMETERS.values())))
    slopes = [tuple(int(i == k) for i in range(len(at))) for k in range(len(at))]
    try:
        return [real(function(*at)), *(real(mpmath.diff(function, at, by)) for by in slopes)]
    except ZeroDivisionError:
        return [math.nan] * (1 + len(at))


with mpmath.workdps(120):  # expm1(1e-30) loses 30, log(1 + exp(-20)) squared 18; differences half of them
    return list(zip(*map(numbers, $points)))
""")


def _self_test(expression: Expression, name: str, factor: float) -> dict[str, str]:
    inputs = "x, z" if "z" in expression.inputs else "x"
    slopes, computed = ("SLOPES, ", _COMPUTED_OF_PAIR) if expression.is_paired else ("", _COMPUTED)
    return python_self_test(
        expression,
        f"{name}_sympy.py",
        factor=factor,
        imports=f"\nimport mpmath\nimport sympy as sp\nfrom {name}_sympy import PARAMETERS, {slopes}{name}, {inputs}",
        computed=computed.substitute(function=name, inputs=inputs, points=points_text(expression)),
        kinks=False,
        largest=_LARGEST,
        room=1e-100,
    )


SYMPY = Target("_sympy.py", sympy_source, _self_test, ELEMENTWISE)
