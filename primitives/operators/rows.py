"""The rows of the table of operators: one says all that the project knows about an operator.

The tangent is the total derivative of the output, written
as an expression over the inputs ``a, b, c``, the output ``y`` (so that forward values are used again) and the tangents
of the inputs ``da, db, dc``; the coefficient of ``da`` is the partial derivative by ``a``. Selections (``where``,
``max``, ``min``) select tangents instead of multiplying by 0 or 1, so that an overflow in the branch that is not taken
cannot turn a gradient into NaN.

A row may have a formula over other operators instead, or beside: where a column is empty, the formula stands in. So the
protected and parametric forms of published systems need one line each, and have derivatives and code in every target,
and a target needs entries for elementary operators only.

Costs are nanoseconds per element of the forward operator divided by those of ReLU, float32, one thread,
from ``benchmarks/operator_costs.py``; they are constants, so that a cost is the same on every machine. Those of
statistics are a third of the time of value and gradient.
"""

from __future__ import annotations

import operator
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from primitives.operators import kernels
from primitives.operators.operator import PAIR, Operator
from primitives.operators.statistics import MOMENTS, STATISTICS


def _row(
    name: str, forward: Callable[..., Tensor], tangent: str, cost: float, formula: str = "", shape: str = ""
) -> Operator:
    """``shape`` has ``monotone``, ``curvature``, ``image``, ``slopes``, ``domain``, with semicolons between."""
    monotone, curvature, image, slopes, domain = [*shape.split("; "), "", "", "", ""][:5]
    return Operator(
        name=name, formula=formula, forward=forward, cost=cost, tangent=tangent,
        monotone=(monotone,) if monotone else (), curvature=curvature, image=image,
        slopes=(slopes,) if slopes else (), domain=domain,
    )  # fmt: skip


def _binary(
    name: str, forward: Callable[..., Tensor], tangent: str, cost: float, monotone: str, curvature: str = "neither"
) -> Operator:
    """``monotone`` has a word for each input."""
    return Operator(
        name=name, arity=2, forward=forward, cost=cost, tangent=tangent,
        commutative=name in {"add", "mul", "max", "min"}, monotone=tuple(monotone.split()), curvature=curvature,
        image="[0,1]" if name in kernels.COMPARISONS else "",
        slopes={"add": ("[1,1]", "[1,1]"), "sub": ("[1,1]", "[-1,-1]")}.get(name, ()),
    )  # fmt: skip


def _slope(name: str, forward: Callable[..., Tensor], formula: str, cost: float) -> Operator:
    """A product of the chain rule that torch has as one kernel: of a tangent a and a slope at b."""
    return Operator(name=name, arity=2, formula=formula, forward=forward, cost=cost)


def _defined(name: str, formula: str, arity: int, source: str) -> Operator:
    return Operator(name=name, arity=arity, formula=formula, source=source)


_MISH_T = "tanh(softplus(a))"
_CDF = "(0.5+0.5*erf(0.7071067811865476*b))"
_NORMAL = "0.3989422804014327*exp(-(0.7071067811865476*b)**2)"


_SIGMOID = "increasing; convex to 0, concave from 0"
_CUBIC = "increasing; concave to 0, convex from 0"

_ROWS = (
    # arithmetic
    _binary("add", operator.add, "da+db", 1.5, "increasing increasing", "affine"),
    _binary("sub", operator.sub, "da-db", 1.6, "increasing decreasing", "affine"),
    _binary("mul", operator.mul, "b*da+a*db", 1.5, "neither neither"),
    _binary("div", kernels.div, "(da-y*db)/b", 1.6, "neither neither"),
    _binary("pow", kernels.power, "b*a**(b-1)*da+y*where(a>0,log(a),0)*db", 22.0, "neither neither"),
    _binary("max", kernels.maximum, "where(a>b,da,db)", 1.6, "increasing increasing", "convex"),
    _binary("min", kernels.minimum, "where(a<b,da,db)", 1.7, "increasing increasing", "concave"),
    _row("neg", operator.neg, "-da", 1.0, shape="decreasing; affine; ; [-1,-1]"),
    _row("reciprocal", torch.reciprocal, "-(y*y)*da", 1.3, "1/a"),
    # selection
    _binary("gt", kernels.comparison("gt"), "0", 2.1, "increasing decreasing"),
    _binary("ge", kernels.comparison("ge"), "0", 2.1, "increasing decreasing"),
    _binary("lt", kernels.comparison("lt"), "0", 2.1, "decreasing increasing"),
    _binary("le", kernels.comparison("le"), "0", 2.1, "decreasing increasing"),
    Operator(name="where", arity=3, forward=kernels.where, cost=35.0, tangent="where(a,db,dc)"),
    _row("abs", torch.abs, "sign(a)*da", 1.1, shape="decreasing to 0, increasing from 0; convex; [0,inf); [-1,1]"),
    _row("sign", torch.sign, "0", 1.3, shape="increasing; neither; [-1,1]"),
    _row("floor", torch.floor, "0", 1.2, shape="increasing; neither"),
    # exponentials and logarithms
    _row("exp", torch.exp, "y*da", 10.0, shape="increasing; convex; (0,inf)"),
    _row("expm1", torch.expm1, "(y+1)*da", 11.0, shape="increasing; convex; (-1,inf)"),
    _row("log", torch.log, "da/a", 11.0, shape="increasing; concave; ; ; (0,inf)"),
    _row("log1p", torch.log1p, "da/(1+a)", 8.6, shape="increasing; concave; ; ; (-1,inf)"),
    _row("log_abs", kernels.log_abs, "sign(a)/(abs(a)+1e-7)*da", 14.0, "log(abs(a)+1e-7)"),
    _row("sqrt", torch.sqrt, "0.5/y*da", 4.9, shape="increasing; concave; [0,inf); ; [0,inf)"),
    _row(
        "sqrt_abs",
        kernels.sqrt_abs,
        "0.5*sign(a)/y*da",
        6.2,
        "sqrt(abs(a))",
        "decreasing to 0, increasing from 0; concave to 0, concave from 0; [0,inf)",
    ),
    _row("symlog", kernels.symlog, "1/(1+abs(a))*da", 20.0, "sign(a)*log1p(abs(a))", f"{_SIGMOID}; ; [0,1]"),
    _row("symexp", kernels.symexp, "exp(abs(a))*da", 28.0, "sign(a)*expm1(abs(a))", _CUBIC),
    # EvoNorm's (arXiv 2004.02967): 0 at 0, where their slopes are infinite, so that screens stop them as functions
    Operator(
        name="signed_log",
        formula="where(a,sign(a)*log(abs(a)),0)",
        forward=kernels.signed_log,
        tangent="1/abs(a)*da",
        cost=29.0,
        source="EvoNorm, arXiv 2004.02967",
    ),
    Operator(
        name="signed_sqrt",
        formula="sign(a)*sqrt(abs(a))",
        forward=kernels.signed_sqrt,
        tangent="0.5/abs(y)*da",
        cost=9.0,
        monotone=("increasing",),
        curvature="convex to 0, concave from 0",
        slopes=("[0,inf)",),
        source="EvoNorm, arXiv 2004.02967",
    ),
    # trigonometric and hyperbolic
    _row("sin", torch.sin, "cos(a)*da", 14.0, shape="neither; neither; [-1,1]; [-1,1]"),
    _row("cos", torch.cos, "-sin(a)*da", 15.0, shape="neither; neither; [-1,1]; [-1,1]"),
    _row("atan", torch.atan, "1/(1+a*a)*da", 27.0, shape=f"{_SIGMOID}; (-1.570796326794897,1.570796326794897); [0,1]"),
    _row(
        "sinc",
        kernels.sinc,
        "sinc_prime(a)*da",
        67.0,
        "where(abs(a)<1e-4,1-a*a/6,sin(a)/a)",
        "neither; neither; [-0.2172336283,1]; [-0.4362,0.4362]",
    ),
    _row(
        "sinc_prime",
        kernels.sinc_prime,
        "where(abs(a)<0.01,a*a*(1/10-a*a/168)-1/3,-sinc(a)-2*y/a)*da",
        87.0,
        "where(abs(a)<0.1,a*(-1/3+a*a*(1/30-a*a*(1/840-a*a/45360))),(cos(a)-sin(a)/a)/a)",
        "neither; neither; [-0.4362,0.4362]",
    ),
    _row("sinh", torch.sinh, "cosh(a)*da", 12.0, shape=_CUBIC),
    _row("cosh", torch.cosh, "sinh(a)*da", 12.0, shape="decreasing to 0, increasing from 0; convex; [1,inf)"),
    _row("tanh", torch.tanh, "tanh_slope(da,y)", 27.0, shape=f"{_SIGMOID}; (-1,1); [0,1]"),
    _row("asinh", torch.asinh, "1/sqrt(a*a+1)*da", 190.0, shape=f"{_SIGMOID}; ; [0,1]"),
    _row("erf", torch.erf, "1.1283791670955126*exp(-(a*a))*da", 12.0, shape=f"{_SIGMOID}; (-1,1); [0,1.12838]"),
    _row(
        "erfc",
        torch.erfc,
        "-1.1283791670955126*exp(-(a*a))*da",
        19.0,
        shape="decreasing; concave to 0, convex from 0; (0,2); [-1.12838,0]",
    ),
    # modified Bessel functions of the first kind, scaled by exp(-|x|) (Abramowitz and Stegun 9.6.26 to 9.6.28)
    _row(
        "bessel_i0e",
        torch.special.i0e,
        "(bessel_i1e(a)-sign(a)*y)*da",
        240.0,
        shape="increasing to 0, decreasing from 0; neither; (0,1]",
    ),
    _row(
        "bessel_i1e",
        torch.special.i1e,
        "(bessel_i0e(a)-where(abs(a)<1e-6,0.5-0.5*abs(a),y/a)-sign(a)*y)*da",
        24.0,
        shape="increasing from -1.5 to 1.5, decreasing from 1.6, decreasing to -1.6; neither; [-0.22,0.22]",
    ),
    # known activations
    _row("sigmoid", torch.sigmoid, "sigmoid_slope(da,y)", 4.4, "1/(1+exp(-a))", f"{_SIGMOID}; (0,1); [0,0.25]"),
    _row(
        "softplus",
        kernels.softplus,
        "sigmoid(a)*da",
        16.0,
        "max(a,0)+log1p(exp(-abs(a)))",
        "increasing; convex; (0,inf); [0,1]",
    ),
    _row(
        "log_sigmoid",
        kernels.log_sigmoid,
        "sigmoid(-a)*da",
        19.0,
        "min(a,0)-log1p(exp(-abs(a)))",
        "increasing; concave; (-inf,0); [0,1]",
    ),
    _row("relu", torch.relu, "positive(da,a)", 1.0, "max(a,0)", "increasing; convex; [0,inf); [0,1]"),
    _row(
        "relu6",
        F.relu6,
        "positive(positive(da,a),6-a)",
        1.1,
        "min(max(a,0),6)",
        "increasing; convex to 6, concave from 0; [0,6]; [0,1]",
    ),
    _row(
        "leaky_relu",
        F.leaky_relu,
        "leaky_relu_slope(da,a)",
        1.2,
        "where(a>0,a,0.01*a)",
        "increasing; convex; ; [0.01,1]",
    ),
    _row("elu", F.elu, "elu_slope(da,y)", 12.0, "where(a>0,a,expm1(a))", "increasing; convex; (-1,inf); [0,1]"),
    _row(
        "selu",
        F.selu,
        "selu_slope(da,y)",
        12.0,
        "where(a>0,1.0507009873554805*a,1.7580993408473766*expm1(a))",
        "increasing; convex to 0, affine from 0; (-1.758099340847377,inf); [0,1.7581]",
    ),
    _row(
        "gelu",
        F.gelu,
        "gelu_slope(da,a)",
        6.6,
        "0.5*a*(1+erf(0.7071067811865476*a))",
        "decreasing to -0.7518, increasing from -0.7517; convex from -1.4 to 1.4; [-0.1699712075,inf); [-0.129,1.129]",
    ),
    Operator(
        name="gelu_tanh",
        formula="0.5*a*(1+tanh(0.7978845608028654*(a+0.044715*a**3)))",
        forward=kernels.gelu_tanh,
        cost=15.0,
        monotone=("decreasing to -0.753, increasing from -0.752",),
        curvature="neither",
        image="[-0.1700408,inf)",
        source="torch; arXiv 1606.08415",
    ),
    _row(
        "silu",
        F.silu,
        "silu_slope(da,a)",
        4.6,
        "a*sigmoid(a)",
        "decreasing to -1.2785, increasing from -1.2784; convex from -2.3 to 2.3; [-0.2784645428,inf); [-0.1,1.1]",
    ),
    _row(
        "mish",
        F.mish,
        f"({_MISH_T}+a*sigmoid(a)*(1-{_MISH_T}**2))*da",
        31.0,
        "a*tanh(softplus(a))",
        "decreasing to -1.1925, increasing from -1.1924; neither; [-0.30885,inf); [-0.1132,1.0885]",
    ),
    _row("softsign", F.softsign, "1/(1+abs(a))**2*da", 4.4, "a/(1+abs(a))", f"{_SIGMOID}; (-1,1); [0,1]"),
    _row(
        "hardtanh",
        F.hardtanh,
        "positive(positive(da,a+1),1-a)",
        1.2,
        "min(max(a,-1),1)",
        "increasing; convex to 1, concave from -1; [-1,1]; [0,1]",
    ),
    _row(
        "hard_sigmoid",
        F.hardsigmoid,
        "positive(positive(da/6,a+3),3-a)",
        1.5,
        "min(max(a+3,0),6)/6",
        "increasing; convex to 3, concave from -3; [0,1]; [0,0.1666667]",
    ),
    _row(
        "hard_swish",
        F.hardswish,
        "where(a<3,positive((a/3+0.5)*da,a+3),da)",
        1.9,
        "a*(min(max(a+3,0),6)/6)",
        "decreasing to -1.5, increasing from -1.5; convex from -3 to 3; [-0.375,inf); [-0.5,1.5]",
    ),
    # the chain rule's products, as backward passes have them
    _slope("positive", kernels.positive, "where(b<=0,0,a)", 2.0),
    _slope("leaky_relu_slope", kernels.leaky_relu_slope, "where(b>0,a,0.01*a)", 2.1),
    _slope("elu_slope", kernels.elu_slope, "where(b<=0,(b+1)*a,a)", 2.5),
    _slope("selu_slope", kernels.selu_slope, "where(b<=0,(b+1.7580993408473766)*a,1.0507009873554805*a)", 2.3),
    _slope("sigmoid_slope", kernels.sigmoid_slope, "b*(1-b)*a", 1.8),
    _slope("tanh_slope", kernels.tanh_slope, "(1-b*b)*a", 1.8),
    _slope("silu_slope", kernels.silu_slope, "(sigmoid(b)+silu(b)*(1-sigmoid(b)))*a", 5.0),
    _slope("gelu_slope", kernels.gelu_slope, f"({_CDF}+b*{_NORMAL})*a", 15.0),
)


# by its formula nothing of b is computed where values are wanted
_PAIRS = (
    Operator(name=PAIR, arity=2, formula="a", tangent="db", source="HeLU, arXiv 2411.10573; BiPer, arXiv 2404.01278"),
)

#: A third of value and gradient, of all index sets together: these differ by a third, torch's own kernels by more.
_STATISTIC_COSTS = {"mean": 3.7, "var": 14.0, "sum": 1.3, "max": 8.0}

_STATISTICS = (
    *(
        Operator(name=name, forward=kernel, cost=_STATISTIC_COSTS[name.split("_")[0]], reduces=letters)
        for name, letters, kernel in STATISTICS
    ),
    *(
        Operator(name=name, formula=formula, reduces=letters, source="EvoNorm, arXiv 2004.02967")
        for name, letters, formula in MOMENTS
    ),
)

_R10 = "3.1622776601683795"  # sqrt(10); GRAFS keeps outputs within 10

_DEFINITIONS = (
    _defined("clip", "min(max(a,b),c)", 3, "numpy.clip"),
    # AQuaSurF and PANGAEA: Bingham and Miikkulainen, arXiv 2301.05785 and 2006.03179
    _defined("zero", "0", 1, "AQuaSurF"),
    _defined("one", "1", 1, "AQuaSurF"),
    _defined("identity", "a", 1, "AQuaSurF"),
    _defined("square", "a**2", 1, "AQuaSurF"),
    _defined("keras_hard_sigmoid", "clip(0.2*a+0.5,0,1)", 1, "AQuaSurF, as in Keras 2"),
    _defined("elish", "where(a>=0,a,expm1(a))*sigmoid(a)", 1, "AQuaSurF; arXiv 1808.00783"),
    # Swish: Ramachandran, Zoph, Le 2017, arXiv 1710.05941; c is its beta
    _defined("cube", "a**3", 1, "Swish"),
    _defined("gaussian", "exp(-a**2)", 1, "Swish"),
    _defined("div_eps", "a/(b+1e-7)", 2, "Swish"),
    _defined("gate", "sigmoid(a)*b", 2, "Swish"),
    _defined("gaussian_distance", "exp(-c*(a-b)**2)", 3, "Swish"),
    _defined("laplace_distance", "exp(-c*abs(a-b))", 3, "Swish"),
    _defined("mix", "c*a+(1-c)*b", 3, "Swish; GRAFS has sigmoid(beta) as c"),
    # GRAFS: Strack, Safari, Hutter 2024, arXiv 2408.06820; its forms clipped so that |output| <= 10
    _defined("square_10", f"clip(a,-{_R10},{_R10})**2", 1, "GRAFS"),
    _defined("cube_10", "clip(a,-2.154434690031884,2.154434690031884)**3", 1, "GRAFS"),
    _defined("sqrt_eps", "sqrt(max(a,0.001))", 1, "GRAFS"),
    _defined("exp_10", "exp(min(a,2.302585092994046))", 1, "GRAFS"),
    _defined("sinh_10", "sinh(clip(a,-2.99822295029797,2.99822295029797))", 1, "GRAFS"),
    _defined("mul_10", f"clip(a,-{_R10},{_R10})*clip(b,-{_R10},{_R10})", 2, "GRAFS"),
    _defined("left", "a", 2, "GRAFS"),
    _defined("right", "b", 2, "GRAFS"),
    # SAFS: Loni et al. 2023, arXiv 2305.10964; inputs after the first are its alpha, beta and further scalars
    _defined("acon", "(b-c)*a*sigmoid(d*(b-c)*a)+c*a", 4, "SAFS; arXiv 2009.04759"),
    _defined("srs", "a/(a/b+exp(-a/c))", 3, "SAFS"),
    _defined("tanhsoft1", "tanh(b*a)*softplus(a)", 2, "SAFS; arXiv 2009.03863"),
    _defined("tanhsoft2", "a*tanh(b*exp(c*a))", 3, "SAFS; arXiv 2009.03863"),
    _defined("srelu", "-relu(b-a)*c+relu(a-d)*e+relu(a-b)-relu(a-d)", 5, "SAFS; arXiv 1512.07030"),
    _defined("hard_elish", "where(a>=0,a,expm1(a))*clip((a+1)/2,0,1)", 1, "SAFS; arXiv 1808.00783"),
    # EvoActiv
    _defined("exp_clip", "exp(clip(a,-10,10))", 1, "EvoActiv"),
    _defined("log_eps", "log(abs(a)+1e-6)", 1, "EvoActiv"),
    _defined("div_abs", "a/(abs(b)+1e-6)", 2, "EvoActiv"),
    _defined("pow_clip", "a**clip(b,-2,2)", 2, "EvoActiv"),
    # Lapid and Sipper 2022, arXiv 2206.12089: torch's modules at their defaults
    _defined("hardshrink", "where(abs(a)>0.5,a,0)", 1, "Lapid and Sipper; torch"),
    _defined("softshrink", "where(a>0.5,a-0.5,where(a<-0.5,a+0.5,0))", 1, "Lapid and Sipper; torch"),
    _defined("rrelu", "where(a>=0,a,0.22916666666666666*a)", 1, "Lapid and Sipper; torch in evaluation mode"),
)

#: All rows, in the order in which lists have them.
ROWS = (*_ROWS, *_PAIRS, *_STATISTICS, *_DEFINITIONS)
