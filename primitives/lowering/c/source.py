"""C99: a header that needs the standard library alone, with value and derivatives for double, float and arrays."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch

from primitives.errors import LoweringError
from primitives.expression.expression import Expression, make_node, with_args
from primitives.expression.traversal import rewrite
from primitives.lowering.c.chebyshev import SERIES
from primitives.lowering.column import INFIX_TEMPLATES, Column
from primitives.lowering.lines import Language, Lines
from primitives.lowering.python.self_test import rows
from primitives.lowering.python.text import class_name, python_names, python_number
from primitives.lowering.reference import VALUE, roots_of
from primitives.lowering.shipped import template
from primitives.lowering.target import ELEMENTWISE, Target

#: keywords, macros and names of <math.h>, as they are and for float, which a parameter or a function must not hide
_WORDS = """
x z seconds
n i inputs outputs auto break case char const continue default do double else enum extern float for goto if inline
int long register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while
main fabs floor exp expm1 log log1p sqrt sin cos atan sinh cosh tanh asinh erf erfc pow copysign gamma lgamma tgamma
ceil round trunc rint fmax fmin fma hypot tan acos asin acosh atanh exp2 log2 log10 cbrt div abs signbit isnan isinf
NAN INFINITY size_t j0 j1 jn y0 y1 yn
NULL HUGE_VAL math_errhandling M_E M_PI M_LN2 M_SQRT2 linux unix asm typeof true false nullptr
"""
_TAKEN = frozenset(f"{word}{f}" for word in _WORDS.split() for f in ("", "f"))
_CALLS = ("floor", "exp", "expm1", "log", "log1p", "sqrt", "sin", "cos", "sinh", "cosh", "tanh", "asinh", "atan")


_HEADER, _FUNCTION = template("c/header.txt"), template("c/function.txt")
_BESSEL, _SELF_TEST = template("c/bessel.txt"), template("c/self_test.txt")


def _language(real: str, function: str) -> Language:
    f = "f" if real == "float" else ""
    column = Column(
        "c",
        {
            **INFIX_TEMPLATES,
            "pow": f"pow{f}({{0}}, {{1}})",
            # a selection that hands NaN on, as fmax does not
            "max": "(({0} > {1}) | ({0} != {0})) ? {0} : {1}",
            "min": "(({0} < {1}) | ({0} != {0})) ? {0} : {1}",
            "where": "{0} ? {1} : {2}",
            "abs": f"fabs{f}({{0}})",
            "sign": f"({real})(({{0}} > 0) - ({{0}} < 0))",
            **{name: f"{name}{f}({{0}})" for name in (*_CALLS, "erf", "erfc")},
            "bessel_i0e": f"({real}){function}_bessel(0, {{0}})",
            "bessel_i1e": f"({real}){function}_bessel(1, {{0}})",
        },
    )
    return Language(
        column=column,
        number=_float if f else _double,
        as_number=f"({{0}} ? 1.0{f} : 0.0{f})",
        truth=f"{{0}} != 0.0{f}",
        line=f"const {real} {{name}} = {{text}};",
        longest=0,
    )


def _double(value: float) -> str:
    if math.isfinite(value):
        return repr(value)
    return "NAN" if math.isnan(value) else "INFINITY" if value > 0 else "-INFINITY"


def _float(value: float) -> str:
    """The nearest float, so that no compiler complains of a literal out of its range."""
    with np.errstate(over="ignore", under="ignore"):
        single = np.float32(value)
    return f"{single!s}f" if np.isfinite(single) else _double(float(single))


def c_source(expression: Expression, name: str, factor: float) -> str:
    """A header for ``factor * expression``: ``name`` and ``name_by_x``, ``name_by_<parameter>``, see the header's text.

    Raises:
        LoweringError: the name is not snake case or is taken, parameters' names would give two functions one name, or
            an operator cannot be written.
    """
    class_name(name, _TAKEN)
    names = _names(expression, name)
    inputs = _inputs(expression)
    roots = _functions(expression, name, factor)
    _check_apart(roots)
    functions = [
        _function(real, stem, root, inputs, names, name) for real in ("double", "float") for stem, root in roots.items()
    ]
    text = "\n\n".join(functions)
    helpers = [_bessel(name)] if f"{name}_bessel(" in text else []
    return _HEADER.substitute(
        function=name,
        guard=name.upper(),
        text=expression.text.replace("*/", "* /"),
        factor=python_number(factor),
        by="".join(f", {name}_by_{wrt} its derivative by {wrt}" for wrt in (*inputs, *names)),
        head="f(x, z) = " if "z" in inputs else "f(x) =    ",
        initial=", ".join(f"{names[p.name]} = {p.initial!r}" for p in expression.parameters) or "(there are none)",
        functions="\n\n".join([*helpers, text]),
    )


def _check_apart(stems: Iterable[str]) -> None:
    """Refuse parameters such as b and bf: the derivative by bf would have the name of the float form of that by b."""
    forms = Counter(f"{stem}{array}{real}" for stem in stems for array in ("", "_array") for real in ("", "f"))
    name, uses = forms.most_common(1)[0]
    if uses > 1:
        raise LoweringError(f"two functions would be called {name!r} in c; give the parameters other names")


def _names(expression: Expression, name: str) -> dict[str, str]:
    return python_names(expression, {*_TAKEN, name})


def _functions(expression: Expression, name: str, factor: float) -> dict[str, Expression]:
    """Function -> what it computes."""
    return {
        name if of == VALUE else f"{name}_by_{of}": rewrite(_language("double", name).column.expand(root), _simpler)
        for of, root in roots_of(expression, factor).items()
    }


def _simpler(node: Expression, args: tuple[Expression, ...]) -> Expression:
    """What compilers vectorise: products for squares and cubes, one comparison for a limit that is a number."""
    numbers = [isinstance(arg.value, float) for arg in args]
    if node.op == "pow" and args[1].value in (2.0, 3.0):
        square = make_node("mul", args[0], args[0])
        return square if args[1].value == 2.0 else make_node("mul", square, args[0])
    if node.op in {"max", "min"} and any(numbers):
        limit, value = args if numbers[0] else args[::-1]
        return make_node(
            "where", make_node("le" if node.op == "max" else "ge", value, limit), limit, value
        )  # NaN is handed on
    return with_args(node, args)


def _inputs(expression: Expression) -> list[str]:
    return ["x", *(["z"] if "z" in expression.inputs else [])]


def _function(
    real: str, stem: str, root: Expression, given: Sequence[str], names: Mapping[str, str], function: str
) -> str:
    code = Lines([root], _language(real, function), {"z": "z", **names})
    f = "f" if real == "float" else ""
    lines = [*code.lines, f"return {code.results[0]};"]
    inputs = [*given, *names.values()]
    unused = [f"(void){one};" for one in inputs if not re.search(rf"\b{one}\b", " ".join(lines))]
    return _FUNCTION.substitute(
        real=real,
        name=f"{stem}{f}",
        array=f"{stem}_array{f}",
        arguments=", ".join(f"{real} {one}" for one in inputs),
        given="".join(f"{real} {one}, " for one in names.values()),
        values="".join(f", {one}" for one in names.values()),
        second=f"const {real} *restrict seconds, " if "z" in given else "",
        second_at=", seconds[i]" if "z" in given else "",
        body="\n".join(f"    {line}" for line in [*unused, *lines]),
    ).rstrip()


def _bessel(function: str) -> str:
    counts = {"near0": "i0e_near", "far0": "i0e_far", "near1": "i1e_near", "far1": "i1e_far"}
    return _BESSEL.substitute(
        {name: ", ".join(map(repr, values)) for name, values in SERIES.items()},
        function=function,
        **{name: len(SERIES[of]) for name, of in counts.items()},
    ).rstrip()


def _self_test(expression: Expression, name: str, factor: float) -> dict[str, str]:
    stems, inputs = list(_functions(expression, name, factor)), _inputs(expression)
    given = "".join(f", {_double(p.initial)}" for p in expression.parameters)
    given_float = "".join(f", {_float(p.initial)}" for p in expression.parameters)
    text = _SELF_TEST.substitute(
        function=name,
        of=" and ".join(inputs),
        by=", ".join([*inputs, *_names(expression, name)]),
        inputs=len(inputs),
        second="\n        const double z = row[1];" if "z" in inputs else "",
        width=len(inputs) + 2 * len(stems),
        rows=_table(expression, factor, torch.float64),
        rows_float=_table(expression, factor, torch.float32),
        found=", ".join(f"{stem}({', '.join(inputs)}{given})" for stem in stems),
        found_float=", ".join(
            f"{stem}f({', '.join(f'(float){each}' for each in inputs)}{given_float})" for stem in stems
        ),
        outputs=len(stems),
    )
    return {f"test_{name}.c": text}


def _table(expression: Expression, factor: float, dtype: torch.dtype) -> str:
    table = rows(expression, factor=factor, dtype=dtype)
    return "\n".join(f"    {{{', '.join(_double(math.nan if n is None else n) for n in row)}}}," for row in table)


C = Target(".h", c_source, _self_test, ELEMENTWISE)
