"""How JAX code writes operators and numbers."""

from __future__ import annotations

import re

from primitives.expression.expression import Expression
from primitives.lowering.column import INFIX_TEMPLATES, Column
from primitives.lowering.lines import Language
from primitives.lowering.python.text import python_number

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

TAKEN = frozenset(["jax", "jnp", "x", "channel_dim"])

PAIRED = '''

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


LANGUAGE = Language(_COLUMN, python_number, "{0}.astype(x.dtype)", number_in=_number_in)


def imports_of(source: str) -> str:
    """The imports that a module's code needs."""
    return "\n".join(line for mark, line in _IMPORTS.items() if re.search(rf"(?<![\w.]){re.escape(mark)}", source))
