"""JAX: the source of a module that needs jax alone, with a function and its gradient."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from string import Template

from primitives.expression.expression import Expression
from primitives.lowering.column import INFIX_TEMPLATES, Column
from primitives.lowering.lines import Language, Lines
from primitives.lowering.python.channels import HELPERS, channel_parts, has_channels
from primitives.lowering.python.self_test import python_self_test
from primitives.lowering.python.text import class_name, python_names, python_number
from primitives.lowering.reference import roots_of
from primitives.lowering.shipped import template
from primitives.lowering.target import Target
from primitives.operators.formulas import valued

_MODULE = template("jax/module.txt")

_NUMPY = "abs sign floor exp expm1 log log1p sqrt sin cos atan sinh cosh tanh asinh"
_LAX = "erf erfc bessel_i0e bessel_i1e"
_NN = "relu relu6 leaky_relu elu selu silu mish sigmoid softplus log_sigmoid"

_COLUMN = Column(
    "jax",
    INFIX_TEMPLATES
    | {name: f"jnp.{name}({{0}})" for name in _NUMPY.split()}
    | {name: f"jax.lax.{name}({{0}})" for name in _LAX.split()}
    | {name: f"jax.nn.{name}({{0}})" for name in _NN.split()}
    | {
        "atan": "jnp.arctan({0})",
        "asinh": "jnp.arcsinh({0})",
        "paired": "_paired({0}, {1})",
        "max": "jnp.maximum({0}, {1})",
        "min": "jnp.minimum({0}, {1})",
        "where": "jnp.where({0}, {1}, {2})",
        "gelu": "jax.nn.gelu({0}, approximate=False)",
        "gelu_tanh": "jax.nn.gelu({0}, approximate=True)",
        "softsign": "jax.nn.soft_sign({0})",
        "hardtanh": "jax.nn.hard_tanh({0})",
        "hard_sigmoid": "jax.nn.hard_sigmoid({0})",
        "hard_swish": "jax.nn.hard_swish({0})",
    },
)

_TAKEN = frozenset(["jax", "jnp", "x", "channel_dim"])


def jax_source(expression: Expression, name: str, factor: float) -> str:
    """Source of a module for ``factor * expression``.

    The module imports jax only and defines, for the name ``act_3_7``: the function ``act_3_7(x, <parameters>)``, a
    ``jax.custom_vjp`` that keeps only the inputs, and ``act_3_7_plain``, which has forward mode too. Parameters
    default to their initial values.

    Raises:
        LoweringError: the name is not snake case or is taken in the generated module.
    """
    class_name(name, _TAKEN)  # for its check of the name
    names = python_names(expression, {*_TAKEN, name, f"{name}_plain"})
    roots = list(roots_of(expression, factor).values())
    arguments, pair = ["x", *names.values()], roots[0].is_paired
    traced = _body(roots[:1], names, ", ".join)
    initial = {names[p.name]: python_number(p.initial) for p in expression.parameters}
    source = _MODULE.substitute(
        channel_parts(expression, names, "_array({0})"),
        function=name,
        text=expression.text,
        factor=python_number(factor),
        signature=", ".join(["x", *(f"{p}={value}" for p, value in initial.items())]),
        given=", ".join(f"_array({argument})" for argument in arguments),
        arguments=", ".join(arguments),
        value=_body([valued(roots[0])], names, ", ".join),
        traced=_TRACED.substitute(arguments=", ".join(arguments), body=traced) if pair else "",
        plain="_traced" if pair else "_value",
        slopes=_body(roots[1:], names, lambda slopes: f"({', '.join(slopes)},)"),
        imports="$imports",
    )
    source += _PAIRED if "_paired(" in source else ""
    source += HELPERS if has_channels(expression) else ""
    imports = [line for mark, line in _IMPORTS.items() if re.search(rf"(?<![\w.]){re.escape(mark)}", source)]
    return source.replace("$imports", "\n".join(imports), 1)


_TRACED = Template('''


def _traced($arguments):
    """The formula with its derivatives by jax's own rules."""
$body''')

_PAIRED = '''

def _paired(a, b):
    """The value of a with the derivatives of b by jax's own rules; 0 where b is not finite."""
    return jax.lax.stop_gradient(a) - jnp.nan_to_num(jax.lax.stop_gradient(b) - b)
'''

_IMPORTS = {"math.": "import math\n", "jax.": "import jax", "jnp.": "import jax.numpy as jnp"}


def _number_in(node: Expression, position: int, text: str) -> str:
    """Whole exponents as int: jax multiplies, also negative numbers. A choice between two numbers in the dtype of x."""
    if node.op == "pow" and position == 1:
        return text.removesuffix(".0")
    if node.op == "where" and position == 1 and not (node.args[2].uses_input or node.args[2].is_learnable):
        return f"jnp.asarray({text}, x.dtype)"
    return text


_LANGUAGE = Language(_COLUMN, python_number, "{0}.astype(x.dtype)", number_in=_number_in)


def _body(roots: Sequence[Expression], names: Mapping[str, str], returned: Callable[[Sequence[str]], str]) -> str:
    """The indented lines of a function of x and the parameters."""
    code = Lines(roots, _LANGUAGE, names)
    casts = [f"{name} = {name}.astype(x.dtype)" for name in names.values()]
    results = [_shaped(root, text) for root, text in zip(code.roots, code.results, strict=True)]
    return "\n".join(f"    {line}" for line in [*casts, *code.lines, f"return {returned(results)}"])


def _shaped(root: Expression, text: str) -> str:
    """The text of an array with the shape and dtype of x, whether it depends on x or not."""
    return text if root.uses_input else f"jnp.zeros_like(x) + {text}"


_COMPUTED = Template("""
x = jnp.array(points)
value = $function(x)
if not jnp.allclose(${function}_plain(x), value, rtol=1e-12, atol=0.0, equal_nan=True):
    print("${function}_jax.py: the function and its plain form differ")
    sys.exit(1)
_, pullback = jax.vjp($function, x, *[jnp.full_like(x, initial) for initial in $initial])
return [column.tolist() for column in (value, *pullback(jnp.ones_like(value)))]
""")


def _self_test(expression: Expression, name: str, factor: float) -> dict[str, str]:
    return python_self_test(
        expression,
        f"{name}_jax.py",
        factor=factor,
        imports=f"""
import jax
import jax.numpy as jnp
from {name}_jax import {name}, {name}_plain

jax.config.update("jax_enable_x64", True)""",
        computed=_COMPUTED.substitute(function=name, initial=[p.initial for p in expression.parameters]),
    )


JAX = Target("_jax.py", jax_source, _self_test)
