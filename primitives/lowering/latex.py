"""LaTeX: the formula of an expression, with no bracket too few."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence

from primitives.expression.expression import Expression, constant, make_node
from primitives.expression.parameters import Parameter
from primitives.expression.traversal import postorder
from primitives.lowering.column import Column
from primitives.lowering.target import ALL_KINDS, Target
from primitives.operators.kernels import COMPARISONS
from primitives.operators.operator import LAYERS
from primitives.operators.table import operators

_SUM, _PRODUCT, _POWER, _ATOM, _SYMBOL = range(2, 7)

#: how tightly an operator's text binds; all others are calls, fractions or in brackets of their own
_LEVEL = {"add": _SUM, "sub": _SUM, "neg": _SUM, "mul": _PRODUCT, "pow": _POWER, "abs": _SYMBOL, "floor": _SYMBOL}

#: how tightly an input must bind to stand without brackets; the arguments of all others are delimited
_ARGUMENT_LEVELS = {
    "add": (_SUM, _SUM),
    "sub": (_SUM, _PRODUCT),
    "mul": (_PRODUCT, _PRODUCT),
    "neg": (_PRODUCT,),
    "pow": (_SYMBOL, 0),
    "log1p": (_SUM,),
}

_GREEK = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi "
    "omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega"
)

_COLUMN = Column(
    "latex",
    {
        "add": "{0} + {1}",
        "sub": "{0} - {1}",
        "mul": r"{0} \, {1}",
        "div": r"\frac{{{0}}}{{{1}}}",
        "pow": "{{{0}}}^{{{1}}}",
        "max": r"\max({0}, {1})",
        "min": r"\min({0}, {1})",
        "paired": r"\operatorname{{paired}}({0}, {1})",
        "neg": "-{0}",
        "reciprocal": r"\frac{{1}}{{{0}}}",
        "gt": r"[{0} > {1}]",
        "ge": r"[{0} \ge {1}]",
        "lt": r"[{0} < {1}]",
        "le": r"[{0} \le {1}]",
        "where": r"\left\{{ {1} \text{{ if }} {0}, \text{{ else }} {2} \right\}}",
        "abs": r"\left|{0}\right|",
        "sign": r"\operatorname{{sign}}({0})",
        "floor": r"\lfloor {0} \rfloor",
        "exp": r"\exp({0})",
        "expm1": r"\left(\exp({0})-1\right)",
        "log": r"\log({0})",
        "log1p": r"\log(1+{0})",
        "log_abs": r"\log(\left|{0}\right|+10^{{-7}})",
        "sqrt": r"\sqrt{{{0}}}",
        "sqrt_abs": r"\sqrt{{\left|{0}\right|}}",
        "symlog": r"\operatorname{{symlog}}({0})",
        "signed_log": r"\operatorname{{slog}}({0})",
        "signed_sqrt": r"\operatorname{{ssqrt}}({0})",
        "symexp": r"\operatorname{{symexp}}({0})",
        "sin": r"\sin({0})",
        "cos": r"\cos({0})",
        "atan": r"\arctan({0})",
        "sinc": r"\operatorname{{sinc}}({0})",
        "sinc_prime": r"\operatorname{{sinc}}'({0})",
        "sinh": r"\sinh({0})",
        "cosh": r"\cosh({0})",
        "tanh": r"\tanh({0})",
        "asinh": r"\operatorname{{arsinh}}({0})",
        "erf": r"\operatorname{{erf}}({0})",
        "erfc": r"\operatorname{{erfc}}({0})",
        "bessel_i0e": r"e^{{-\left|{0}\right|}} I_0({0})",
        "bessel_i1e": r"e^{{-\left|{0}\right|}} I_1({0})",
        "sigmoid": r"\sigma({0})",
        "softplus": r"\operatorname{{softplus}}({0})",
        "log_sigmoid": r"\log(\sigma({0}))",
        "relu": r"\operatorname{{ReLU}}({0})",
        "relu6": r"\operatorname{{ReLU6}}({0})",
        "leaky_relu": r"\operatorname{{LeakyReLU}}({0})",
        "elu": r"\operatorname{{ELU}}({0})",
        "selu": r"\operatorname{{SELU}}({0})",
        "gelu": r"\operatorname{{GELU}}({0})",
        "silu": r"\operatorname{{SiLU}}({0})",
        "mish": r"\operatorname{{Mish}}({0})",
        "softsign": r"\operatorname{{softsign}}({0})",
        "hardtanh": r"\operatorname{{hardtanh}}({0})",
        "hard_sigmoid": r"\operatorname{{hardsigmoid}}({0})",
        "hard_swish": r"\operatorname{{hardswish}}({0})",
        **{
            name: rf"\operatorname{{{{{name.partition('_')[0]}}}}}_{{{{{row.reduces}}}}}({{0}})"
            for name, row in operators().items()
            if row.reduces
        },
    },
)
_Piece = tuple[str, int]


def latex(expression: Expression, *, factor: float = 1.0) -> str:
    r"""Formula of ``factor * expression`` for math mode.

    Parameters with Greek names become Greek letters (sigma becomes ``\varsigma``: ``\sigma`` is the sigmoid); one
    per channel carries the index c. Where a symbol would say two things, as e does, the name is written out in
    ``\mathsf``. ``[a > b]`` is 1 where the comparison holds, else 0; paired(f, g) has the value of f and the
    derivative of g. A statistic has the axes that it reduces as its index: n examples, c channels, p positions, g the
    channels of a group. Of layers(f, g) the factor is in each part. Needs amsmath.
    """
    symbols = _symbols(expression.parameters)
    texts = [_formula(part, symbols, factor) for part in expression.parts]
    return rf"\operatorname{{layers}}({', '.join(texts)})" if expression.op == LAYERS else texts[0]


def _formula(expression: Expression, symbols: Mapping[str, str], factor: float) -> str:
    root = _COLUMN.expand(expression)
    root = root if factor == 1.0 else make_node("mul", constant(factor), root)
    pieces: dict[Expression, _Piece] = {}
    for node in postorder((root,)):
        if isinstance(node.value, Parameter):
            pieces[node] = symbols[node.value.name], _SYMBOL
        else:
            pieces[node] = _piece(node, [pieces[arg] for arg in node.args])
    return pieces[root][0]


def _piece(node: Expression, args: list[_Piece]) -> _Piece:
    """Text of a node that is no parameter, and how tightly it binds."""
    if isinstance(node.value, float):
        return _number(node.value)
    if not node.args:
        return node.op, _SYMBOL
    if node.op == "where" and node.args[0].op not in COMPARISONS:
        args = [(rf"[{args[0][0]} \ne 0]", _SYMBOL), *args[1:]]
    required = [_required(node.op, position) for position in range(len(args))]
    texts = [
        f"\\left({text}\\right)" if level < lowest else text
        for (text, level), lowest in zip(args, required, strict=True)
    ]
    if _clash(node.op, texts):
        texts[-1] = rf"\left({texts[-1]}\right)"
    return _COLUMN.template(node.op).format(*texts), _LEVEL.get(node.op, _ATOM)


def _required(op: str, position: int) -> int:
    """How tightly an input must bind; in code of an operator of one's own all, but between ``(``, ``,`` and ``)``."""
    if op in _COLUMN.templates:
        return _ARGUMENT_LEVELS[op][position] if op in _ARGUMENT_LEVELS else 0
    open_ended = re.sub(rf"[(,] ?\{{{position}\}} ?(?=[,)])", "", _COLUMN.template(op))
    return _SYMBOL if f"{{{position}}}" in open_ended else 0


def _clash(op: str, texts: list[str]) -> bool:
    """True if the last input, not in brackets, would melt into what stands before it."""
    if op in {"add", "sub", "log1p"}:
        return texts[-1].startswith("-")
    if op != "mul":
        return False
    # 3 \, 2 reads as 32, and 3 \, \frac{1}{2} as a mixed number
    return texts[1].lstrip("{")[0].isdigit() or (texts[1].startswith(r"\frac") and texts[0][-1].isdigit())


def _symbols(parameters: Sequence[Parameter]) -> Mapping[str, str]:
    """Name -> symbol; a2 and a_2 have the same one, and x_ that of the input."""
    symbols = {p: _parameter(p) for p in parameters}
    uses = Counter([*symbols.values(), "x", "z", "e", r"\pi", "I_0", "I_1"])
    return {p.name: symbol if uses[symbol] == 1 else _written_out(p) for p, symbol in symbols.items()}


def _written_out(p: Parameter) -> str:
    name = p.name.replace("_", r"\_")
    return rf"\mathsf{{{name}}}" + ("_c" if p.per == "channel" else "")


def _parameter(p: Parameter) -> str:
    match = re.fullmatch(r"([A-Za-z]+?)_?(\d*)", p.name)
    stem, number = match.groups() if match else (p.name, "")
    index = ",".join([*filter(None, [number]), *(["c"] if p.per == "channel" else [])])
    symbol = _symbol(stem)
    return symbol if not index else f"{symbol}_{index}" if len(index) == 1 else f"{symbol}_{{{index}}}"


def _symbol(stem: str) -> str:
    if stem == "sigma":
        return r"\varsigma"
    if stem in _GREEK.split():
        return f"\\{stem}"
    escaped = stem.replace("_", r"\_")
    return stem if len(stem) == 1 and stem != "_" else rf"\mathrm{{{escaped}}}"


def _number(value: float) -> _Piece:
    """Shortest decimal that reads back to the same float; powers of ten written out."""
    if abs(value) == math.pi:
        return (r"\pi", _SYMBOL) if value > 0 else (r"-\pi", _SUM)
    text = repr(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    mantissa, _, exponent = text.partition("e")
    if exponent:
        power = f"10^{{{int(exponent)}}}"
        text = power if mantissa == "1" else f"{mantissa} \\cdot {power}"
    return text, _SUM if value < 0 else _PRODUCT if exponent else _SYMBOL


LATEX = Target(".tex", lambda expression, name, factor: latex(expression, factor=factor), kinds=ALL_KINDS)
