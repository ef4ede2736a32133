"""Numpy: the source of a module that holds a function with statistics."""

from __future__ import annotations

from primitives.expression.expression import Expression
from primitives.layers.population import population
from primitives.lowering.numpy.language import LANGUAGE, TAKEN, with_functions
from primitives.lowering.python.norm_functions import Arrays, norm_functions, norm_functions_test

_COMPUTED = '''

def _computed(form, x, channel_dim, per_group, *values):
    """A form at x, in float32 at least: the value in the type of x (float64 for integers), then the statistics."""
    x, values = np.asarray(x), [np.asarray(value) for value in values]
    if not np.can_cast(x.dtype, np.longdouble):
        raise TypeError(f"expected real numbers, got {x.dtype}")
    dtype = x.dtype if x.dtype.kind == "f" else np.dtype(np.float64)
    wide = np.promote_types(dtype, np.float32)
    channels = max((len(value) for value in values if value.ndim == 1), default=None)
    axes = _Axes(x, channels, channel_dim, per_group)
    with np.errstate(all="ignore"):
        value, statistics = form(x.astype(wide), *(axes.shaped(value.astype(wide)) for value in values), axes)
        return np.array(value, dtype), statistics
'''

_ARRAYS = Arrays(
    LANGUAGE,
    name="numpy",
    module="np",
    imports="import numpy as np",
    functions={name: f"np.{name}(value, axis=dims, keepdims=True)" for name in ("mean", "var", "sum", "max")},
    computed=_COMPUTED,
)


def norm_source(expression: Expression, name: str, factor: float) -> str:
    """Source of a module for ``factor * expression``, which has statistics: ``name``, and where statistics are over
    examples ``name_statistics`` and ``name_inference``.

    Raises:
        LoweringError: the name is not snake case or is taken, or an operator cannot be written.
    """
    taken = TAKEN | {"z", "axes", "per_group"}
    return with_functions(norm_functions(expression, name, factor, _ARRAYS, taken))


def norm_test(expression: Expression, name: str, factor: float) -> dict[str, str]:
    """The self-test of :func:`norm_source`; numpy has no gradients."""
    running = bool(population(expression).running)
    own = f"{name}, {name}_inference, {name}_statistics" if running else name
    imports = f"\nimport numpy as np\nfrom {name}_numpy import {own}"
    return norm_functions_test(
        expression, f"{name}_numpy.py", factor=factor, imports=imports, module="np", running=running
    )
