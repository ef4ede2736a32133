"""JAX: the source of a module that holds a function with statistics."""

from __future__ import annotations

from string import Template

from primitives.expression.expression import Expression
from primitives.layers.population import population
from primitives.lowering.jax.language import LANGUAGE, PAIRED, TAKEN, imports_of
from primitives.lowering.python.norm_functions import Arrays, norm_functions, norm_functions_test
from primitives.lowering.python.norm_self_test import PER_GROUP

_COMPUTED = '''

def _computed(form, x, channel_dim, per_group, *values):
    """A form at x, in float32 at least: the value in the dtype of x, then the statistics."""
    x, values = jnp.asarray(x, dtype=jnp.result_type(x, float)), [jnp.asarray(value) for value in values]
    wide = jnp.promote_types(x.dtype, jnp.float32)
    channels = max((len(value) for value in values if value.ndim == 1), default=None)
    axes = _Axes(x, channels, channel_dim, per_group)
    value, statistics = form(x.astype(wide), *(axes.shaped(value.astype(wide)) for value in values), axes)
    return value.astype(x.dtype), statistics
'''

_ARRAYS = Arrays(
    LANGUAGE,
    name="JAX",
    module="jnp",
    imports="$imports",
    functions={name: f"jnp.{name}(value, axis=dims, keepdims=True)" for name in ("mean", "var", "sum", "max")},
    computed=_COMPUTED,
    gradient="; gradients of every kind are jax's own",
)


def norm_source(expression: Expression, name: str, factor: float) -> str:
    """Source of a module for ``factor * expression``, which has statistics: ``name``, and where statistics are over
    examples ``name_statistics`` and ``name_inference``.

    Raises:
        LoweringError: the name is not snake case or is taken, or an operator cannot be written.
    """
    source = norm_functions(expression, name, factor, _ARRAYS, TAKEN | {"z", "axes", "per_group"})
    source += PAIRED if "_paired(" in source else ""
    return source.replace("$imports", imports_of(source), 1)


_SLOPES = Template("""\
weights = jnp.array(WEIGHTS)
slopes = jax.jit(jax.grad(lambda given: jnp.sum(weights * $function(*given, per_group=$few))))([*inputs, *parameters])
found |= dict(zip($names, slopes))""")


def norm_test(expression: Expression, name: str, factor: float) -> dict[str, str]:
    """The self-test of :func:`norm_source`."""
    running = bool(population(expression).running)
    own = f"{name}, {name}_inference, {name}_statistics" if running else name
    return norm_functions_test(
        expression,
        f"{name}_jax.py",
        factor=factor,
        imports=f"""
import jax
import jax.numpy as jnp
from {name}_jax import {own}

jax.config.update("jax_enable_x64", True)
{own}{"," * (not running)} = (jax.jit(each, static_argnames="per_group") for each in ({own},))""",
        module="jnp",
        slopes=_SLOPES.substitute(function=name, few=PER_GROUP, names=["x", *expression.operands]),
        running=running,
    )
