"""The scale of a function's input at which layers of it keep the size of signals and of gradients alike.

With pre-activations u ~ N(0, s^2), a layer whose weights keep that variance multiplies the mean square of gradients by
chi(s) = s^2 E f'(s z)^2 / E f(s z)^2, z standard normal. At chi = 1 forward and backward gains balance (VI3NR,
initialisation by the variance of pre-activations). No other s does for most functions: chi of sin, tanh, SiLU and GELU
falls to 1 only as s goes to 0, where they are linear. So a chi that is near enough to 1 is taken.
"""

from __future__ import annotations

import math
from functools import cache, lru_cache

import torch
from torch import Tensor

from primitives.analysis.gaussian import LARGEST
from primitives.analysis.sampling import sample
from primitives.equivalence.input_search import InputMap
from primitives.equivalence.kinds import pointwise_form
from primitives.expression.derivative import derivative
from primitives.expression.expression import Expression, operation
from primitives.operators.operator import LAYERS

#: chi may be so far from 1, as a ratio. At s = 1 sin has 1.31 and relu(x)^2 1.33; a Gaussian has 1/3, a sigmoid 0.15.
TOLERANCE = 1.35
OCTAVES = 10  # s lies between 2**-10 and 2**10
STEPS = 8  # scales of an octave; between two of them log chi is taken as a straight line
POINTS = 4_096  # on each side of 0, evenly spaced in log |u|: one set serves all scales, small and large
DIGITS = 3  # of s: rounding must not tell f from 2*f


def chi_at(expression: Expression, scale: float) -> float:
    """chi(s), see above, at the initial parameters; NaN where a mean square is no positive number of float32.

    Raises:
        ExpressionError: it is no function of one number.
    """
    octaves = torch.tensor([math.log2(scale)], dtype=torch.float64)
    return float(_chi(expression, octaves, _weights(octaves)))


@lru_cache(maxsize=4096)
def critical_scale(expression: Expression) -> float:
    """The s nearest to 1, as a ratio, with chi(s) within 1/1.35 and 1.35; if there is none, the s of the nearest chi.

    It lies within 1/1024 and 1024 and has three digits. It is 1 where no s has a chi, and of powers of x, whose chi is
    the same for every s. Layers with statistics and gates, whose inputs are no single number, have 1.
    """
    if not expression.is_pointwise:
        return 1.0
    found = _chi(expression, _ladder(), _ladder_weights()).log().abs()
    octaves, off = _ladder()[found.isfinite()].tolist(), found[found.isfinite()].tolist()
    near = [n for n, each in enumerate(off) if each <= math.log(TOLERANCE)]
    if not near:  # rounded, since the sums for different s differ in the last digits
        nearest = min(zip((round(each, 4) for each in off), map(abs, octaves), octaves, strict=True), default=(0, 0, 0))
        return _rounded(nearest[-1])
    at = min(near, key=lambda n: abs(octaves[n]))
    inner = at - 1 if octaves[at] > 0 else at + 1  # the next one towards 1, whose chi is too far off
    if octaves[at] == 0 or not 0 <= inner < len(off):
        return _rounded(octaves[at])
    share = (math.log(TOLERANCE) - off[at]) / (off[inner] - off[at])
    return _rounded(octaves[at] + share * (octaves[inner] - octaves[at]))


def critical(expression: Expression) -> Expression:
    """f(s x), s the :func:`critical_scale` of f; of ``layers(f, g)`` each part with its own."""
    if expression.op == LAYERS:
        return operation(LAYERS, *map(critical, expression.args))
    scale = critical_scale(expression)
    return expression if scale == 1.0 else InputMap(scale).of(expression)


def _rounded(octaves: float) -> float:
    return float(f"{2.0**octaves:.{DIGITS}g}")


def _chi(expression: Expression, octaves: Tensor, weights: Tensor) -> Tensor:
    """chi at some scales 2**octaves, from the probabilities of the inputs there."""
    expression = pointwise_form(expression, "chi")
    f, slope = sample((expression, derivative(expression)), _inputs())
    squares = torch.stack([f, slope]).square().nan_to_num(nan=math.inf, posinf=math.inf).clamp(max=LARGEST**4)
    value, gradient = squares @ weights.T
    usable = [(each > LARGEST**-2) & (each < LARGEST**2) for each in (value, gradient)]
    return torch.where(usable[0] & usable[1], octaves.exp2().square() * gradient / value, math.nan)


@cache
def _inputs() -> Tensor:
    """u and -u, |u| from 2**-24 to 8 times the largest scale."""
    size = torch.exp2(torch.linspace(-24.0, OCTAVES + 3.0, POINTS, dtype=torch.float64))
    return torch.cat([-size.flip(0), size])


@cache
def _ladder() -> Tensor:
    """Scales as powers of 2."""
    return torch.arange(-OCTAVES * STEPS, OCTAVES * STEPS + 1, dtype=torch.float64) / STEPS


@cache
def _ladder_weights() -> Tensor:
    return _weights(_ladder())


def _weights(octaves: Tensor) -> Tensor:
    """Probabilities of the inputs under N(0, s^2), s = 2**octaves, shape (scales, inputs); 0 beyond 8 s."""
    z = _inputs() / octaves.exp2()[:, None]
    density = torch.where(z.abs() <= 8.0, torch.exp(-0.5 * z.square()) * z.abs(), 0.0)  # du = |u| d log |u|
    return density / density.sum(dim=1, keepdim=True)
