"""Operators that a target lacks, as formulas for float32 over those that it has, within 5 units in the last place.

Bodies of sinh, tanh and atan are those of the single-precision functions of Moshier's Cephes library (netlib).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from primitives.expression.expression import Expression, constant, make_node, parameter, with_args
from primitives.expression.parsing import parse_body
from primitives.expression.traversal import postorder, rewrite
from primitives.lowering.c.chebyshev import SERIES

_SMALLEST = 1e-9  # terms below it do not change a float32 sum of about 0.3


def _written(text: str, names: Mapping[str, Expression]) -> Expression:
    """The text with its names replaced, of any size: what is shared is one node."""
    body = parse_body(text, {name: parameter(name) for name in names})
    new = {parameter(name): value for name, value in names.items()}
    return rewrite(body, lambda node, args: new.get(node) or with_args(node, args))


def _by(text: str) -> Callable[[Expression], Expression]:
    return lambda a: _written(text, {"a": a})


def _series(name: str, u: Expression) -> Expression:
    """Sum of c_k T_k(u) by Clenshaw's recurrence."""
    first, *rest = (c for c in SERIES[name] if abs(c) > _SMALLEST)
    above, before = constant(rest[-1]), constant(0.0)
    for c in rest[-2::-1]:
        names = {"u": u, "above": above, "before": before}
        above, before = _written(f"2*u*above-before+{c!r}", names), above
    return _written(f"u*above-before+{first!r}", {"u": u, "above": above, "before": before})


def _erfc(a: Expression) -> Expression:
    z = _written("min(max(abs(a),0.5),12)", {"a": a})  # in float32 erfc is 0 from 10.1 on
    near = _written("1-a*series", {"a": a, "series": _series("erf", _written("2*a*a-1", {"a": a}))})
    names = {"a": a, "z": z, "cut": _written("floor(16*z)/16", {"z": z}), "near": near}
    names["series"] = _series("erfcx", _written("(7*(z-3)/(z+3)-1)/6", names))
    # the square of cut is exact: the rounding of z*z would cost a digit
    names["tail"] = _written("exp((cut-z)*(cut+z))*series/z*exp(-(cut*cut))", names)
    return _written("where(abs(a)<0.5,near,where(a<0,2-tail,tail))", names)


def _bessel(order: int) -> Callable[[Expression], Expression]:
    def written(a: Expression) -> Expression:
        size = make_node("abs", a)
        far = make_node("max", size, constant(8.0))
        names = {
            "a": a,
            "size": size,
            "far": far,
            "inner": _series(f"i{order}e_near", _written("min(size,8)/4-1", {"size": size})),
            "outer": _series(f"i{order}e_far", _written("16/far-1", {"far": far})),
        }
        odd = ("a*", "sign(a)*") if order else ("", "")
        return _written(f"where(size<8,{odd[0]}inner,{odd[1]}outer/sqrt(far))", names)

    return written


Formulas = Mapping[str, Callable[[Expression], Expression]]

_ATAN = "u+u*u*u*(((0.0805374449538*(u*u)-0.138776856032)*(u*u)+0.199777106478)*(u*u)-0.333329491539)"


def _atan(a: Expression) -> Expression:
    names = {"size": make_node("abs", a), "a": a}
    names["u"] = _written("where(size>2.4142135,-1/size,where(size>0.41421356,(size-1)/(size+1),size))", names)
    names["start"] = _written("where(size>2.4142135,pi/2,where(size>0.41421356,pi/4,0))", names)
    names["found"] = _written(f"start+({_ATAN})", names)
    return _written("where(a<0,-found,found)", names)


def _sinh(a: Expression) -> Expression:
    half = _written("exp(abs(a)/2)", {"a": a})  # exp(|a|) would overflow before sinh
    names = {"a": a, "half": half, "z": _written("a*a", {"a": a})}
    names["near"] = _written("a+a*z*((0.000203721912945*z+0.00833028376239)*z+0.166667160211)", names)
    names["far"] = _written("(0.5*half)*half-0.5/half/half", names)
    return _written("where(abs(a)<1,near,where(a<0,-far,far))", names)


def _tanh(a: Expression) -> Expression:
    names = {"a": a, "z": _written("a*a", {"a": a}), "far": _written("1-2/(exp(2*abs(a))+1)", {"a": a})}
    series = "(((-0.00570498872745*z+0.0206390887954)*z-0.0537397155531)*z+0.133314422036)*z-0.333332819422"
    names["near"] = _written(f"a+a*z*({series})", names)
    return _written("where(abs(a)<0.625,near,where(a<0,-far,far))", names)


#: over exp, log and sqrt
HYPERBOLIC: Formulas = {
    "sinh": _sinh,
    "cosh": _by("(0.5*exp(abs(a)/2))*exp(abs(a)/2)+0.5/exp(abs(a)/2)/exp(abs(a)/2)"),
    "tanh": _tanh,
    "asinh": _by(
        "where(a<0,-1,1)*where(abs(a)>1e9,log(abs(a))+0.6931471805599453,log1p(abs(a)+a*a/(1+sqrt(min(a*a,1e19)+1))))"
    ),
    "atan": _atan,
}

#: over those, exp and log
SPECIAL: Formulas = {
    "expm1": _by("tanh(a/2)*(exp(a)+1)"),
    # the quotient is what the rounding of 1+a lost
    "log1p": _by("where(abs(a)<1,log(1+a)+(a-((1+a)-1))/(1+a),log(1+a))"),
    "erfc": _erfc,
    "bessel_i0e": _bessel(0),
    "bessel_i1e": _bessel(1),
}


def substituted(root: Expression, formulas: Formulas) -> Expression:
    """The same function with the formulas in the place of their operators."""

    def change(node: Expression, args: tuple[Expression, ...]) -> Expression:
        return formulas[node.op](*args) if node.op in formulas else with_args(node, args)

    while any(node.op in formulas for node in postorder((root,))):
        root = rewrite(root, change)
    return root
