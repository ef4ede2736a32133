"""The table of operators: one row says all that the project knows about an operator.

A tangent is the total derivative of the output, written as an expression over the inputs ``a, b, c``,
the output ``y`` (so that forward values are used again) and the tangents of the inputs ``da, db, dc``.
Selections (``where``, ``max``, ``min``) select tangents instead of multiplying by 0 or 1, so that an
overflow in the branch that is not taken cannot turn a gradient into NaN.

Costs are nanoseconds per element of the forward operator divided by those of ReLU, float32, one thread,
from ``benchmarks/operator_costs.py``; they are constants, so that a cost is the same on every machine.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from primitives.errors import OperatorError, nearest

Value = Tensor | float  # an input: a constant may be a number or a tensor without dimensions


@dataclass(frozen=True, slots=True)
class Operator:
    """One row of the table.

    Args:
        name: the name in expression text.
        forward: maps the inputs to the output, elementwise; inputs are tensors of one dtype or Python floats,
            at least one of them a tensor; the output has that dtype.
        tangent: total derivative, see the module's docstring.
        torch: source template over ``{0}, {1}, {2}``; needs only ``torch`` and ``F`` (torch.nn.functional).
        latex: LaTeX template over the same slots.
        cost: forward time per element relative to ReLU.
        arity: number of inputs, 1 to 3.
        commutative: the order of the inputs does not matter.
    """

    name: str
    forward: Callable[..., Tensor]
    tangent: str
    torch: str
    latex: str
    cost: float
    arity: int = 1
    commutative: bool = False


def _like(value: Value, other: Value) -> Tensor:
    """A tensor for a constant that meets a tensor, in the tensor's dtype and on its device."""
    if isinstance(value, Tensor):
        return value
    assert isinstance(other, Tensor)
    return torch.full((), value, dtype=other.dtype, device=other.device)


def _div(a: Value, b: Value) -> Tensor:
    return torch.div(_like(a, b), b)


def _pow(a: Value, b: Value) -> Tensor:
    return torch.pow(a, b)  # type: ignore[arg-type]


def _maximum(a: Value, b: Value) -> Tensor:
    return torch.maximum(_like(a, b), _like(b, a))


def _minimum(a: Value, b: Value) -> Tensor:
    return torch.minimum(_like(a, b), _like(b, a))


#: Comparisons: their value is 1 or 0 in the inputs' dtype, but ``where`` takes the condition as it is.
COMPARISONS: dict[str, Callable[[Value, Value], Tensor]] = {
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}


def _comparison(name: str) -> Callable[[Value, Value], Tensor]:
    def forward(a: Value, b: Value) -> Tensor:
        if isinstance(a, Tensor) and (not isinstance(b, Tensor) or b.dim() == 0):
            # in place in a's dtype: four times as fast as a mask of another type that is converted afterwards
            in_place: Callable[[Value], Tensor] = getattr(a.clone(), f"{name}_")
            return in_place(b)
        return COMPARISONS[name](a, b).to((a if isinstance(a, Tensor) else _like(b, b)).dtype)

    return forward


def select(condition: Tensor, a: Value, b: Value, like: Tensor) -> Tensor:
    """``a`` where a boolean condition holds, else ``b``, in the dtype of ``like``."""
    return torch.where(condition, _like(a, like), _like(b, like))


def _where(condition: Value, a: Value, b: Value) -> Tensor:
    if not isinstance(condition, Tensor):
        condition = _like(condition, a if isinstance(a, Tensor) else b)
    return torch.where(condition != 0, _like(a, condition), _like(b, condition))


def where_compared(name: str) -> Callable[[Value, Value, Value, Value], Tensor]:
    """``where(compare(c, d), a, b)`` as one function of c, d, a, b: no mask is turned into numbers and back."""
    compare = COMPARISONS[name]

    def forward(c: Value, d: Value, a: Value, b: Value) -> Tensor:
        return select(compare(c, d), a, b, c if isinstance(c, Tensor) else _like(d, d))

    return forward


def _sinc(a: Tensor) -> Tensor:
    return torch.sinc(a / math.pi)


def _sinc_prime(a: Tensor) -> Tensor:
    small = a.abs() < 0.1
    safe = torch.where(small, torch.ones_like(a), a)
    series = a * (-1 / 3 + a * a * (1 / 30 - a * a * (1 / 840 - a * a / 45360)))
    return torch.where(small, series, (torch.cos(safe) - torch.sin(safe) / safe) / safe)


def _row(
    name: str, forward: Callable[..., Tensor], tangent: str, torch_source: str, latex: str, cost: float
) -> Operator:
    return Operator(name, forward, tangent, torch_source, latex, cost)


def _binary(name: str, forward: Callable[..., Tensor], tangent: str, source: tuple[str, str], cost: float) -> Operator:
    return Operator(name, forward, tangent, *source, cost, arity=2, commutative=name in {"add", "mul", "max", "min"})


_SOFTPLUS = "F.softplus({0}, 1.0, 40.0)"
_NORMAL = "0.3989422804014327*exp(-0.5*a*a)"
_CDF = "(0.5+0.5*erf(0.7071067811865476*a))"
_MISH_T = "tanh(softplus(a))"


def _softplus(a: Tensor) -> Tensor:
    # torch's own threshold of 20 is wrong by 2e-9; at 40 the two branches agree to the last bit of float64
    return F.softplus(a, 1.0, 40.0)


_ROWS = (
    # arithmetic
    _binary("add", operator.add, "da+db", ("{0} + {1}", "{0} + {1}"), 1.5),
    _binary("sub", operator.sub, "da-db", ("{0} - {1}", "{0} - {1}"), 1.6),
    _binary("mul", operator.mul, "b*da+a*db", ("{0} * {1}", r"{0} \, {1}"), 1.5),
    _binary("div", _div, "(da-y*db)/b", ("{0} / {1}", r"\frac{{{0}}}{{{1}}}"), 1.6),
    _binary("pow", _pow, "b*a**(b-1)*da+y*log(a)*db", ("{0} ** {1}", "{{{0}}}^{{{1}}}"), 27.0),
    _binary("max", _maximum, "where(a>b,da,db)", ("torch.maximum({0}, {1})", r"\max({0}, {1})"), 1.6),
    _binary("min", _minimum, "where(a<b,da,db)", ("torch.minimum({0}, {1})", r"\min({0}, {1})"), 1.7),
    _row("neg", operator.neg, "-da", "-{0}", "-{0}", 1.0),
    _row("reciprocal", torch.reciprocal, "-(y*y)*da", "torch.reciprocal({0})", r"\frac{{1}}{{{0}}}", 1.3),
    # selection
    _binary("gt", _comparison("gt"), "0", ("({0} > {1}).to(x.dtype)", r"[{0} > {1}]"), 2.1),
    _binary("ge", _comparison("ge"), "0", ("({0} >= {1}).to(x.dtype)", r"[{0} \ge {1}]"), 2.1),
    _binary("lt", _comparison("lt"), "0", ("({0} < {1}).to(x.dtype)", r"[{0} < {1}]"), 2.1),
    _binary("le", _comparison("le"), "0", ("({0} <= {1}).to(x.dtype)", r"[{0} \le {1}]"), 2.1),
    Operator(
        "where",
        _where,
        "where(a,db,dc)",
        "torch.where({0} != 0, {1}, {2})",
        r"\left\{{ {1} \text{{ if }} {0}, \text{{ else }} {2} \right\}}",
        35.0,
        arity=3,
    ),
    _row("abs", torch.abs, "sign(a)*da", "torch.abs({0})", r"\left|{0}\right|", 1.1),
    _row("sign", torch.sign, "0", "torch.sign({0})", r"\operatorname{{sign}}({0})", 1.3),
    _row("floor", torch.floor, "0", "torch.floor({0})", r"\lfloor {0} \rfloor", 1.0),
    # exponentials and logarithms
    _row("exp", torch.exp, "y*da", "torch.exp({0})", r"\exp({0})", 10.0),
    _row("expm1", torch.expm1, "(y+1)*da", "torch.expm1({0})", r"\left(\exp({0})-1\right)", 13.0),
    _row("log", torch.log, "da/a", "torch.log({0})", r"\log({0})", 11.0),
    _row("log1p", torch.log1p, "da/(1+a)", "torch.log1p({0})", r"\log(1+{0})", 8.6),
    _row(
        "log_abs",
        lambda a: torch.log(torch.abs(a) + 1e-7),
        "sign(a)/(abs(a)+1e-7)*da",
        "torch.log(torch.abs({0}) + 1e-7)",
        r"\log(\left|{0}\right|+10^{{-7}})",
        14.0,
    ),
    _row("sqrt", torch.sqrt, "0.5/y*da", "torch.sqrt({0})", r"\sqrt{{{0}}}", 4.9),
    _row(
        "sqrt_abs",
        lambda a: torch.sqrt(torch.abs(a)),
        "0.5*sign(a)/y*da",
        "torch.sqrt(torch.abs({0}))",
        r"\sqrt{{\left|{0}\right|}}",
        6.2,
    ),
    # trigonometric and hyperbolic
    _row("sin", torch.sin, "cos(a)*da", "torch.sin({0})", r"\sin({0})", 14.0),
    _row("cos", torch.cos, "-sin(a)*da", "torch.cos({0})", r"\cos({0})", 15.0),
    _row("atan", torch.atan, "da/(1+a*a)", "torch.atan({0})", r"\arctan({0})", 27.0),
    _row("sinc", _sinc, "sinc_prime(a)*da", "torch.sinc({0} / math.pi)", r"\operatorname{{sinc}}({0})", 79.0),
    _row(
        "sinc_prime",
        _sinc_prime,
        "where(abs(a)<0.01,a*a/10-1/3,-sinc(a)-2*y/a)*da",
        "_sinc_prime({0})",
        r"\operatorname{{sinc}}'({0})",
        180.0,
    ),
    _row("sinh", torch.sinh, "cosh(a)*da", "torch.sinh({0})", r"\sinh({0})", 14.0),
    _row("cosh", torch.cosh, "sinh(a)*da", "torch.cosh({0})", r"\cosh({0})", 14.0),
    _row("tanh", torch.tanh, "(1-y*y)*da", "torch.tanh({0})", r"\tanh({0})", 27.0),
    _row("asinh", torch.asinh, "da/sqrt(a*a+1)", "torch.asinh({0})", r"\operatorname{{arsinh}}({0})", 230.0),
    _row("erf", torch.erf, "1.1283791670955126*exp(-a*a)*da", "torch.erf({0})", r"\operatorname{{erf}}({0})", 14.0),
    _row(
        "erfc", torch.erfc, "-1.1283791670955126*exp(-a*a)*da", "torch.erfc({0})", r"\operatorname{{erfc}}({0})", 19.0
    ),
    # modified Bessel functions of the first kind, scaled by exp(-|x|) (Abramowitz and Stegun 9.6.26 to 9.6.28)
    _row(
        "bessel_i0e",
        torch.special.i0e,
        "(bessel_i1e(a)-sign(a)*y)*da",
        "torch.special.i0e({0})",
        r"e^{{-\left|{0}\right|}} I_0({0})",
        240.0,
    ),
    _row(
        "bessel_i1e",
        torch.special.i1e,
        "(bessel_i0e(a)-where(abs(a)<1e-6,0.5-0.5*abs(a),y/a)-sign(a)*y)*da",
        "torch.special.i1e({0})",
        r"e^{{-\left|{0}\right|}} I_1({0})",
        24.0,
    ),
    # known activations
    _row("sigmoid", torch.sigmoid, "y*(1-y)*da", "torch.sigmoid({0})", r"\sigma({0})", 4.4),
    _row("softplus", _softplus, "sigmoid(a)*da", _SOFTPLUS, r"\operatorname{{softplus}}({0})", 16.0),
    _row(
        "log_sigmoid",
        lambda a: -_softplus(-a),
        "sigmoid(-a)*da",
        "-F.softplus(-({0}), 1.0, 40.0)",
        r"\log\sigma({0})",
        19.0,
    ),
    _row("relu", torch.relu, "where(a>0,da,0)", "torch.relu({0})", r"\operatorname{{ReLU}}({0})", 1.0),
    _row("relu6", F.relu6, "where(a>0,where(a<6,da,0),0)", "F.relu6({0})", r"\operatorname{{ReLU6}}({0})", 1.1),
    _row(
        "leaky_relu",
        F.leaky_relu,
        "where(a>0,da,0.01*da)",
        "F.leaky_relu({0})",
        r"\operatorname{{LeakyReLU}}({0})",
        1.2,
    ),
    _row("elu", F.elu, "where(a>0,da,(y+1)*da)", "F.elu({0})", r"\operatorname{{ELU}}({0})", 15.0),
    _row(
        "selu",
        F.selu,
        "where(a>0,1.0507009873554805*da,(y+1.7580993408473766)*da)",
        "F.selu({0})",
        r"\operatorname{{SELU}}({0})",
        15.0,
    ),
    _row("gelu", F.gelu, f"({_CDF}+a*{_NORMAL})*da", "F.gelu({0})", r"\operatorname{{GELU}}({0})", 6.6),
    _row("silu", F.silu, "(sigmoid(a)+y*(1-sigmoid(a)))*da", "F.silu({0})", r"\operatorname{{SiLU}}({0})", 4.6),
    _row(
        "mish",
        F.mish,
        f"({_MISH_T}+a*sigmoid(a)*(1-{_MISH_T}**2))*da",
        "F.mish({0})",
        r"\operatorname{{Mish}}({0})",
        41.0,
    ),
    _row("softsign", F.softsign, "da/(1+abs(a))**2", "F.softsign({0})", r"\operatorname{{softsign}}({0})", 4.4),
    _row(
        "hardtanh",
        F.hardtanh,
        "where(a>-1,where(a<1,da,0),0)",
        "F.hardtanh({0})",
        r"\operatorname{{hardtanh}}({0})",
        1.2,
    ),
    _row(
        "hard_sigmoid",
        F.hardsigmoid,
        "where(a>-3,where(a<3,da/6,0),0)",
        "F.hardsigmoid({0})",
        r"\operatorname{{hardsigmoid}}({0})",
        1.5,
    ),
    _row(
        "hard_swish",
        F.hardswish,
        "where(a>-3,where(a<3,(a/3+0.5)*da,da),0)",
        "F.hardswish({0})",
        r"\operatorname{{hardswish}}({0})",
        1.9,
    ),
)

_TABLE: dict[str, Operator] = {row.name: row for row in _ROWS}

#: Other names that the parser takes for an operator.
ALIASES = {
    "negative": "neg",
    "negate": "neg",
    "swish": "silu",
    "arctan": "atan",
    "arcsinh": "asinh",
    "logsigmoid": "log_sigmoid",
    "leakyrelu": "leaky_relu",
    "hardsigmoid": "hard_sigmoid",
    "hardswish": "hard_swish",
    "maximum": "max",
    "minimum": "min",
}


def operators() -> dict[str, Operator]:
    """The table, name to row, in the order of definition; a copy."""
    return dict(_TABLE)


def find_operator(name: str) -> Operator:
    """Return the row of a name or an alias.

    Raises:
        OperatorError: the name is unknown; the message names the nearest one.
    """
    row = _TABLE.get(ALIASES.get(name, name))
    if row is None:
        raise OperatorError(f"unknown operator {name!r}{nearest(name, [*_TABLE, *ALIASES])}")
    return row
