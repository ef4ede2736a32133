"""The table of operators: one row says all that the project knows about an operator.

A primitive operator has a forward function and a tangent. The tangent is the total derivative of the output, written
as an expression over the inputs ``a, b, c``, the output ``y`` (so that forward values are used again) and the tangents
of the inputs ``da, db, dc``; the coefficient of ``da`` is the partial derivative by ``a``. Selections (``where``,
``max``, ``min``) select tangents instead of multiplying by 0 or 1, so that an overflow in the branch that is not taken
cannot turn a gradient into NaN.

A defined operator is a formula over primitive ones: its derivative and its code in every language come from there.

Costs are nanoseconds per element of the forward operator divided by those of ReLU, float32, one thread,
from ``benchmarks/operator_costs.py``; they are constants, so that a cost is the same on every machine.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from primitives import kernels
from primitives.errors import OperatorError, nearest

INPUTS = ("a", "b", "c", "d", "e")


@dataclass(frozen=True, slots=True)
class Operator:
    """A primitive operator.

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


@dataclass(frozen=True, slots=True)
class Definition:
    """A defined operator.

    Args:
        name: the name in expression text.
        formula: expression text over the inputs ``a, b, ...``; the operator is exactly this.
        arity: number of inputs, 1 to 5.
        source: the system or paper that has the operator under this or a like name.
    """

    name: str
    formula: str
    arity: int
    source: str


def _row(
    name: str, forward: Callable[..., Tensor], tangent: str, torch_source: str, latex: str, cost: float
) -> Operator:
    return Operator(name, forward, tangent, torch_source, latex, cost)


def _binary(name: str, forward: Callable[..., Tensor], tangent: str, source: tuple[str, str], cost: float) -> Operator:
    return Operator(name, forward, tangent, *source, cost, arity=2, commutative=name in {"add", "mul", "max", "min"})


_SOFTPLUS = "F.softplus({0}, 1.0, 40.0)"
_NORMAL = "0.3989422804014327*exp(-(0.7071067811865476*a)**2)"
_CDF = "(0.5+0.5*erf(0.7071067811865476*a))"
_MISH_T = "tanh(softplus(a))"


_ROWS = (
    # arithmetic
    _binary("add", operator.add, "da+db", ("{0} + {1}", "{0} + {1}"), 1.5),
    _binary("sub", operator.sub, "da-db", ("{0} - {1}", "{0} - {1}"), 1.6),
    _binary("mul", operator.mul, "b*da+a*db", ("{0} * {1}", r"{0} \, {1}"), 1.5),
    _binary("div", kernels.div, "(da-y*db)/b", ("{0} / {1}", r"\frac{{{0}}}{{{1}}}"), 1.6),
    _binary("pow", kernels.power, "b*a**(b-1)*da+y*where(a>0,log(a),0)*db", ("{0} ** {1}", "{{{0}}}^{{{1}}}"), 27.0),
    _binary("max", kernels.maximum, "where(a>b,da,db)", ("torch.maximum({0}, {1})", r"\max({0}, {1})"), 1.6),
    _binary("min", kernels.minimum, "where(a<b,da,db)", ("torch.minimum({0}, {1})", r"\min({0}, {1})"), 1.7),
    _row("neg", operator.neg, "-da", "-{0}", "-{0}", 1.0),
    _row("reciprocal", torch.reciprocal, "-(y*y)*da", "torch.reciprocal({0})", r"\frac{{1}}{{{0}}}", 1.3),
    # selection
    _binary("gt", kernels.comparison("gt"), "0", ("({0} > {1}).to(x.dtype)", r"[{0} > {1}]"), 2.1),
    _binary("ge", kernels.comparison("ge"), "0", ("({0} >= {1}).to(x.dtype)", r"[{0} \ge {1}]"), 2.1),
    _binary("lt", kernels.comparison("lt"), "0", ("({0} < {1}).to(x.dtype)", r"[{0} < {1}]"), 2.1),
    _binary("le", kernels.comparison("le"), "0", ("({0} <= {1}).to(x.dtype)", r"[{0} \le {1}]"), 2.1),
    Operator(
        "where",
        kernels.where,
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
        kernels.log_abs,
        "sign(a)/(abs(a)+1e-7)*da",
        "torch.log(torch.abs({0}) + 1e-7)",
        r"\log(\left|{0}\right|+10^{{-7}})",
        14.0,
    ),
    _row("sqrt", torch.sqrt, "0.5/y*da", "torch.sqrt({0})", r"\sqrt{{{0}}}", 4.9),
    _row(
        "sqrt_abs",
        kernels.sqrt_abs,
        "0.5*sign(a)/y*da",
        "torch.sqrt(torch.abs({0}))",
        r"\sqrt{{\left|{0}\right|}}",
        6.2,
    ),
    _row(
        "symlog",
        kernels.symlog,
        "1/(1+abs(a))*da",
        "torch.sign({0}) * torch.log1p(torch.abs({0}))",
        r"\operatorname{{symlog}}({0})",
        20.0,
    ),
    _row(
        "symexp",
        kernels.symexp,
        "exp(abs(a))*da",
        "torch.sign({0}) * torch.expm1(torch.abs({0}))",
        r"\operatorname{{symexp}}({0})",
        28.0,
    ),
    # trigonometric and hyperbolic
    _row("sin", torch.sin, "cos(a)*da", "torch.sin({0})", r"\sin({0})", 14.0),
    _row("cos", torch.cos, "-sin(a)*da", "torch.cos({0})", r"\cos({0})", 15.0),
    _row("atan", torch.atan, "1/(1+a*a)*da", "torch.atan({0})", r"\arctan({0})", 27.0),
    _row("sinc", kernels.sinc, "sinc_prime(a)*da", "torch.sinc({0} / math.pi)", r"\operatorname{{sinc}}({0})", 79.0),
    _row(
        "sinc_prime",
        kernels.sinc_prime,
        "where(abs(a)<0.01,a*a/10-1/3,-sinc(a)-2*y/a)*da",
        "_sinc_prime({0})",
        r"\operatorname{{sinc}}'({0})",
        180.0,
    ),
    _row("sinh", torch.sinh, "cosh(a)*da", "torch.sinh({0})", r"\sinh({0})", 14.0),
    _row("cosh", torch.cosh, "sinh(a)*da", "torch.cosh({0})", r"\cosh({0})", 14.0),
    _row("tanh", torch.tanh, "(1-y*y)*da", "torch.tanh({0})", r"\tanh({0})", 27.0),
    _row("asinh", torch.asinh, "1/sqrt(a*a+1)*da", "torch.asinh({0})", r"\operatorname{{arsinh}}({0})", 230.0),
    _row("erf", torch.erf, "1.1283791670955126*exp(-(a*a))*da", "torch.erf({0})", r"\operatorname{{erf}}({0})", 14.0),
    _row(
        "erfc", torch.erfc, "-1.1283791670955126*exp(-(a*a))*da", "torch.erfc({0})", r"\operatorname{{erfc}}({0})", 19.0
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
    _row("softplus", kernels.softplus, "sigmoid(a)*da", _SOFTPLUS, r"\operatorname{{softplus}}({0})", 16.0),
    _row(
        "log_sigmoid",
        kernels.log_sigmoid,
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
    _row("softsign", F.softsign, "1/(1+abs(a))**2*da", "F.softsign({0})", r"\operatorname{{softsign}}({0})", 4.4),
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

_R10 = "3.1622776601683795"  # sqrt(10); GRAFS keeps outputs within 10

_DEFINITIONS = (
    Definition("clip", "min(max(a,b),c)", 3, "numpy.clip"),
    # AQuaSurF and PANGAEA: Bingham and Miikkulainen, arXiv 2301.05785 and 2006.03179
    Definition("zero", "0", 1, "AQuaSurF"),
    Definition("one", "1", 1, "AQuaSurF"),
    Definition("identity", "a", 1, "AQuaSurF"),
    Definition("square", "a**2", 1, "AQuaSurF"),
    Definition("keras_hard_sigmoid", "clip(0.2*a+0.5,0,1)", 1, "AQuaSurF, as in Keras 2"),
    Definition("elish", "where(a>=0,a,expm1(a))*sigmoid(a)", 1, "AQuaSurF; arXiv 1808.00783"),
    # Swish: Ramachandran, Zoph, Le 2017, arXiv 1710.05941; c is its beta
    Definition("cube", "a**3", 1, "Swish"),
    Definition("gaussian", "exp(-a**2)", 1, "Swish"),
    Definition("div_eps", "a/(b+1e-7)", 2, "Swish"),
    Definition("gate", "sigmoid(a)*b", 2, "Swish"),
    Definition("gaussian_distance", "exp(-c*(a-b)**2)", 3, "Swish"),
    Definition("laplace_distance", "exp(-c*abs(a-b))", 3, "Swish"),
    Definition("mix", "c*a+(1-c)*b", 3, "Swish; GRAFS has sigmoid(beta) as c"),
    # GRAFS: Strack, Safari, Hutter 2024, arXiv 2408.06820; its forms clipped so that |output| <= 10
    Definition("square_10", f"clip(a,-{_R10},{_R10})**2", 1, "GRAFS"),
    Definition("cube_10", "clip(a,-2.154434690031884,2.154434690031884)**3", 1, "GRAFS"),
    Definition("sqrt_eps", "sqrt(max(a,0.001))", 1, "GRAFS"),
    Definition("exp_10", "exp(min(a,2.302585092994046))", 1, "GRAFS"),
    Definition("sinh_10", "sinh(clip(a,-2.99822295029797,2.99822295029797))", 1, "GRAFS"),
    Definition("mul_10", f"clip(a,-{_R10},{_R10})*clip(b,-{_R10},{_R10})", 2, "GRAFS"),
    Definition("left", "a", 2, "GRAFS"),
    Definition("right", "b", 2, "GRAFS"),
    # SAFS: Loni et al. 2023, arXiv 2305.10964; inputs after the first are its alpha, beta and further scalars
    Definition("acon", "(b-c)*a*sigmoid(d*(b-c)*a)+c*a", 4, "SAFS; arXiv 2009.04759"),
    Definition("srs", "a/(a/b+exp(-a/c))", 3, "SAFS"),
    Definition("tanhsoft1", "tanh(b*a)*softplus(a)", 2, "SAFS; arXiv 2009.03863"),
    Definition("tanhsoft2", "a*tanh(b*exp(c*a))", 3, "SAFS; arXiv 2009.03863"),
    Definition("srelu", "-relu(b-a)*c+relu(a-d)*e+relu(a-b)-relu(a-d)", 5, "SAFS; arXiv 1512.07030"),
    Definition("hard_elish", "where(a>=0,a,expm1(a))*clip((a+1)/2,0,1)", 1, "SAFS; arXiv 1808.00783"),
    # EvoActiv
    Definition("exp_clip", "exp(clip(a,-10,10))", 1, "EvoActiv"),
    Definition("log_eps", "log(abs(a)+1e-6)", 1, "EvoActiv"),
    Definition("div_abs", "a/(abs(b)+1e-6)", 2, "EvoActiv"),
    Definition("pow_clip", "a**clip(b,-2,2)", 2, "EvoActiv"),
    # Lapid and Sipper 2022, arXiv 2206.12089: torch's modules at their defaults
    Definition("hardshrink", "where(abs(a)>0.5,a,0)", 1, "Lapid and Sipper; torch"),
    Definition("softshrink", "where(a>0.5,a-0.5,where(a<-0.5,a+0.5,0))", 1, "Lapid and Sipper; torch"),
    Definition("rrelu", "where(a>=0,a,0.22916666666666666*a)", 1, "Lapid and Sipper; torch in evaluation mode"),
)

_TABLE: dict[str, Operator | Definition] = {row.name: row for row in (*_ROWS, *_DEFINITIONS)}

#: Operators of any number of inputs, at least one: written as a chain of a binary operator.
CHAINS = {"sum_n": "add", "prod_n": "mul", "max_n": "max", "min_n": "min"}

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
    "celu": "elu",  # torch.nn.CELU at its default alpha of 1
}


def operators() -> dict[str, Operator | Definition]:
    """The table, name to row, in the order of definition; a copy."""
    return dict(_TABLE)


def find_operator(name: str) -> Operator | Definition:
    """Return the row of a name or an alias.

    Raises:
        OperatorError: the name is unknown; the message names the nearest one.
    """
    row = _TABLE.get(ALIASES.get(name, name))
    if row is None:
        raise OperatorError(f"unknown operator {name!r}{nearest(name, [*_TABLE, *ALIASES])}")
    return row


def is_defined(name: str) -> bool:
    """True for the own name of a defined operator."""
    return isinstance(_TABLE.get(name), Definition)


def primitive(name: str) -> Operator:
    """Return the row of a primitive operator by its own name.

    Raises:
        OperatorError: there is no such operator, or it is a defined one.
    """
    row = find_operator(name)
    if isinstance(row, Definition):
        raise OperatorError(f"operator {name!r} is defined by a formula; write it out first")
    return row


def add_operator(row: Operator | Definition) -> None:
    """Put a row into the table; use :func:`primitives.register`, which probes it first."""
    _TABLE[row.name] = row
