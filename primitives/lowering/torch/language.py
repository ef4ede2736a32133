"""How torch code writes operators and numbers."""

from __future__ import annotations

from primitives.expression.expression import Expression
from primitives.lowering.column import INFIX_TEMPLATES, Column
from primitives.lowering.lines import Language
from primitives.lowering.python.text import python_number
from primitives.operators.kernels import COMPARISONS

TEMPLATES = {
    **INFIX_TEMPLATES,
    "max": "torch.maximum({0}, {1})",
    "min": "torch.minimum({0}, {1})",
    "reciprocal": "torch.reciprocal({0})",
    "where": "torch.where({0}, {1}, {2})",
    "abs": "torch.abs({0})",
    "sign": "torch.sign({0})",
    "floor": "torch.floor({0})",
    "exp": "torch.exp({0})",
    "expm1": "torch.expm1({0})",
    "log": "torch.log({0})",
    "log1p": "torch.log1p({0})",
    "log_abs": "torch.log(torch.abs({0}) + 1e-7)",
    "sqrt": "torch.sqrt({0})",
    "sqrt_abs": "torch.sqrt(torch.abs({0}))",
    "symlog": "torch.sign({0}) * torch.log1p(torch.abs({0}))",
    "symexp": "torch.sign({0}) * torch.expm1(torch.abs({0}))",
    "sin": "torch.sin({0})",
    "cos": "torch.cos({0})",
    "atan": "torch.atan({0})",
    "sinc": "torch.sinc({0} / math.pi)",
    "sinc_prime": "_sinc_prime({0})",
    "sinh": "torch.sinh({0})",
    "cosh": "torch.cosh({0})",
    "tanh": "torch.tanh({0})",
    "asinh": "torch.asinh({0})",
    "erf": "torch.erf({0})",
    "erfc": "torch.erfc({0})",
    "bessel_i0e": "torch.special.i0e({0})",
    "bessel_i1e": "torch.special.i1e({0})",
    "sigmoid": "torch.sigmoid({0})",
    "softplus": "F.softplus({0}, 1.0, 40.0)",
    "paired": "_paired({0}, {1})",
    "log_sigmoid": "-F.softplus(-({0}), 1.0, 40.0)",
    "relu": "torch.relu({0})",
    "relu6": "F.relu6({0})",
    "leaky_relu": "F.leaky_relu({0})",
    "elu": "F.elu({0})",
    "selu": "F.selu({0})",
    "gelu": "F.gelu({0})",
    "gelu_tanh": 'F.gelu({0}, approximate="tanh")',
    "silu": "F.silu({0})",
    "mish": "F.mish({0})",
    "softsign": "F.softsign({0})",
    "hardtanh": "F.hardtanh({0})",
    "hard_sigmoid": "F.hardsigmoid({0})",
    "hard_swish": "F.hardswish({0})",
}


def _as_argument(node: Expression, position: int, text: str) -> str:
    """A number as an argument: torch's functions take tensors.

    / takes a number below the line only: one above it would be multiplied with the reciprocal, which overflows first.
    """
    takes = node.op in {"add", "sub", "mul", "pow", *COMPARISONS} or (node.op == "div" and position == 1)
    return text if takes else f"_as_tensor({text}, x)"


LANGUAGE = Language(
    column=Column("torch", TEMPLATES),
    number=python_number,
    as_number="{0}.to(x.dtype)",
    number_in=_as_argument,
)
