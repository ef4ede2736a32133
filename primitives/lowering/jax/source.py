"""JAX: the source of a module that needs jax alone, with a function and its gradient."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from string import Template

from primitives.expression.expression import Expression
from primitives.lowering.jax.language import LANGUAGE, PAIRED, TAKEN, imports_of
from primitives.lowering.jax.norm import norm_source, norm_test
from primitives.lowering.lines import Lines
from primitives.lowering.python.channels import HELPERS, channel_parts, has_channels
from primitives.lowering.python.self_test import points_text, python_self_test
from primitives.lowering.python.text import class_name, operand_names, python_number
from primitives.lowering.reference import roots_of
from primitives.lowering.shipped import template
from primitives.lowering.target import ALL_KINDS, Target
from primitives.operators.formulas import valued

_MODULE = template("jax/module.txt")


def jax_source(expression: Expression, name: str, factor: float) -> str:
    """Source of a module for ``factor * expression``.

    The module imports jax only and defines, for the name ``act_3_7``: the function ``act_3_7(x, <parameters>)``, a
    ``jax.custom_vjp`` that keeps only the inputs, and ``act_3_7_plain``, which has forward mode too. Parameters
    default to their initial values.

    Raises:
        LoweringError: the name is not snake case or is taken in the generated module.
    """
    if expression.has_statistics:
        return norm_source(expression, name, factor)
    class_name(name, TAKEN)  # for its check of the name
    names = operand_names(expression, {*TAKEN, name, f"{name}_plain"})
    roots = list(roots_of(expression, factor).values())
    arguments, pair = ["x", *names.values()], roots[0].is_paired
    traced = _body(roots[:1], names, ", ".join)
    initial = {names[p.name]: python_number(p.initial) for p in expression.parameters}
    inputs = ["x", *(["z"] if "z" in names else [])]
    source = _MODULE.substitute(
        channel_parts(expression, names, "_array({0})"),
        function=name,
        text=expression.text,
        head="f(x, z) = " if "z" in names else "f(x) =    ",
        of=" and ".join(inputs),
        check=_CHECK if "z" in names else "",
        factor=python_number(factor),
        signature=", ".join([*inputs, *(f"{p}={value}" for p, value in initial.items())]),
        given=", ".join(f"_array({argument})" for argument in arguments),
        arguments=", ".join(arguments),
        value=_body([valued(roots[0])], names, ", ".join),
        traced=_TRACED.substitute(arguments=", ".join(arguments), body=traced) if pair else "",
        plain="_traced" if pair else "_value",
        slopes=_body(roots[1:], names, lambda slopes: f"({', '.join(slopes)},)"),
        imports="$imports",
    )
    source += PAIRED if "_paired(" in source else ""
    source += HELPERS if has_channels(expression) else ""
    return source.replace("$imports", imports_of(source), 1)


_CHECK = """
    if jnp.shape(z) != jnp.shape(x):
        raise ValueError(f"expected z of the shape of x, {jnp.shape(x)}, got {jnp.shape(z)}")"""

_TRACED = Template('''


def _traced($arguments):
    """The formula with its derivatives by jax's own rules."""
$body''')


def _body(roots: Sequence[Expression], names: Mapping[str, str], returned: Callable[[Sequence[str]], str]) -> str:
    """The indented lines of a function of x and the parameters."""
    code = Lines(roots, LANGUAGE, names)
    casts = [f"{name} = {name}.astype(x.dtype)" for name in names.values()]
    results = [_shaped(root, text) for root, text in zip(code.roots, code.results, strict=True)]
    return "\n".join(f"    {line}" for line in [*casts, *code.lines, f"return {returned(results)}"])


def _shaped(root: Expression, text: str) -> str:
    """The text of an array with the shape and dtype of x, whether it depends on x or not."""
    return text if root.uses_input else f"jnp.zeros_like(x) + {text}"


_COMPUTED = Template("""
inputs = [jnp.array(each) for each in ($points,)]
value = $function(*inputs)
if not jnp.allclose(${function}_plain(*inputs), value, rtol=1e-12, atol=0.0, equal_nan=True):
    print("${function}_jax.py: the function and its plain form differ")
    sys.exit(1)
_, pullback = jax.vjp($function, *inputs, *[jnp.full_like(inputs[0], initial) for initial in $initial])
return [column.tolist() for column in (value, *pullback(jnp.ones_like(value)))]
""")


def _self_test(expression: Expression, name: str, factor: float) -> dict[str, str]:
    if expression.has_statistics:
        return norm_test(expression, name, factor)
    return python_self_test(
        expression,
        f"{name}_jax.py",
        factor=factor,
        imports=f"""
import jax
import jax.numpy as jnp
from {name}_jax import {name}, {name}_plain

jax.config.update("jax_enable_x64", True)""",
        computed=_COMPUTED.substitute(
            function=name, points=points_text(expression), initial=[p.initial for p in expression.parameters]
        ),
    )


JAX = Target("_jax.py", jax_source, _self_test, ALL_KINDS)
