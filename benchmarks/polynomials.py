"""The polynomials of the native engine's functions, and how far the functions are from the true values.

Each polynomial is a weighted least-squares fit at Chebyshev's nodes, in 40 digits, to what is left of a function behind
its leading terms. Coefficients are rounded one after the other, the lowest power first, and the rest is fitted anew.
Weights make the error one of the function's value, relatively; the theoretical error is printed beside it in ulp.

    python -m benchmarks.polynomials             # coefficients, highest power first, as in evaluators/native/engine.c
    python -m benchmarks.polynomials --measure   # the engine's worst errors over 2**24 float32 numbers of all sizes
"""

from __future__ import annotations

import argparse
import ctypes
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import mpmath as mp
import numpy as np
import torch

from evaluators.native.library import library
from evaluators.native.programs import BLOCK, program
from primitives.expression.expression import operation, variable
from primitives.lowering.bytecode.program import bytecode
from primitives.operators.table import forward_of

mp.mp.dps = 40
NODES = 64
SPREAD = 1.0005  # an interval is a bit wider, for reductions round
FUNCTIONS = (
    "exp", "expm1", "log", "log1p", "sin", "cos", "tanh", "erf", "erfc", "sinh", "cosh", "asinh", "atan",
)  # fmt: skip

Function = Callable[[mp.mpf], mp.mpf]


@dataclass(frozen=True, slots=True)
class Fit:
    """One polynomial.

    Args:
        name: of the function.
        rest: what the polynomial stands for.
        share: how much of a relative error of the function an error of the polynomial is.
        interval: of the argument.
        terms: number of coefficients, in float32 and in float64; 0 where the engine takes another way.
        even: it is one in the argument's square.
    """

    name: str
    rest: Function
    share: Function
    interval: tuple[mp.mpf, mp.mpf]
    terms: tuple[int, int]
    even: bool = False


def behind(function: Function, leading: Function, power: int) -> tuple[Function, Function]:
    """(function - leading) / x**power, and the share of its errors."""
    return lambda x: (function(x) - leading(x)) / x**power, lambda x: x**power / function(x)


def beyond(v: mp.mpf) -> mp.mpf:
    """exp(t*t) erfc(t) (t + 2) at v = (t - 2) / (t + 2)."""
    t = 4 / (1 - v) - 2
    return mp.exp(t * t) * mp.erfc(t) * (t + 2)


HALF_LN2, QUARTER = mp.log(2) / 2, mp.pi / 4
FITS = (
    Fit("exp and expm1", *behind(mp.expm1, lambda x: x, 2), (-HALF_LN2, HALF_LN2), (5, 11)),
    Fit("log and log1p", *behind(mp.log1p, lambda x: x - x**2 / 2, 3), (mp.sqrt(0.5) - 1, mp.sqrt(2) - 1), (8, 0)),
    Fit("sin", *behind(mp.sin, lambda x: x, 3), (mp.mpf(0), QUARTER * 1.005), (4, 6), even=True),
    Fit("cos", *behind(mp.cos, lambda x: 1 - x**2 / 2, 4), (mp.mpf(0), QUARTER * 1.005), (3, 6), even=True),
    Fit("tanh, |x| < 0.55", *behind(mp.tanh, lambda x: x, 3), (mp.mpf(0), mp.mpf("0.55")), (4, 0), even=True),
    Fit("erf, |x| < 1", *behind(mp.erf, lambda x: x, 1), (mp.mpf(0), mp.mpf(1)), (7, 0), even=True),
    Fit(
        "-log(erfc), 1 <= x < 4", lambda x: -mp.log(mp.erfc(x)), lambda x: mp.erfc(x) / mp.erf(x),
        (mp.mpf(1), mp.mpf(4)), (7, 0),
    ),
    Fit("erfc", beyond, lambda v: 1 / beyond(v), (mp.mpf(-1), mp.mpf("8.1") / mp.mpf("12.1")), (10, 0)),
    Fit("sinh, |x| < 1", *behind(mp.sinh, lambda x: x, 3), (mp.mpf(0), mp.mpf(1)), (4, 0), even=True),
    Fit("atan, |x| <= 1", *behind(mp.atan, lambda x: x, 3), (mp.mpf(0), mp.mpf(1)), (8, 0), even=True),
)  # fmt: skip


def nodes(interval: tuple[mp.mpf, mp.mpf], count: int) -> list[mp.mpf]:
    """Chebyshev's, of an interval a bit wider."""
    middle, half = (interval[0] + interval[1]) / 2, (interval[1] - interval[0]) / 2 * SPREAD
    return [middle + half * mp.cos(mp.pi * (2 * k + 1) / (2 * count)) for k in range(count)]


def rounded(value: mp.mpf, double: bool) -> mp.mpf:
    """The nearest number of the type."""
    return mp.mpf(float(value) if double else float(np.float32(float(value))))


def coefficients(fit: Fit, *, double: bool) -> list[mp.mpf]:
    """Those of a type, lowest power first."""
    step, terms = 2 if fit.even else 1, fit.terms[double]
    at = nodes(fit.interval, NODES)
    shares = [fit.share(x) for x in at]
    left = [fit.rest(x) for x in at]
    found: list[mp.mpf] = []
    for first in range(terms):
        matrix = mp.matrix(NODES, terms - first)
        for row, (x, share) in enumerate(zip(at, shares, strict=True)):
            for column in range(terms - first):
                matrix[row, column] = share * x ** (step * (first + column))
        goal = mp.matrix([share * each for share, each in zip(shares, left, strict=True)])
        found.append(rounded(mp.qr_solve(matrix, goal)[0][0], double))
        left = [each - found[-1] * x ** (step * first) for each, x in zip(left, at, strict=True)]
    return found


def error(fit: Fit, found: Iterable[mp.mpf], *, double: bool) -> float:
    """The largest in units of the last place, without rounding of the arithmetic."""
    own, step = list(found), 2 if fit.even else 1
    far = [
        abs(fit.share(x) * (sum(c * x ** (step * k) for k, c in enumerate(own)) - fit.rest(x)))
        for x in nodes(fit.interval, 401)
    ]
    return float(max(far) * 2 ** (53 if double else 24))


def print_fits() -> None:
    """All coefficients."""
    for fit in FITS:
        for double in (False, True):
            if fit.terms[double]:
                own = coefficients(fit, double=double)
                digits, mark = (17, "") if double else (9, "f")
                texts = [f"{float(each):.{digits}g}{mark}" for each in reversed(own)]
                print(f"{fit.name}, {'float64' if double else 'float32'}, {error(fit, own, double=double):.3f} ulp")
                print("   ", ", ".join(texts))
    for double in (False, True):
        first = mp.floor(mp.log(2) * 2 ** (42 if double else 16)) / 2 ** (42 if double else 16)
        print(
            "ln 2, of which the first part is short:", *(float(rounded(p, double)) for p in (first, mp.log(2) - first))
        )
        print("pi / 2:", *(float(part) for part in parts(mp.pi / 2, double=double)))


def parts(value: mp.mpf, *, double: bool) -> list[mp.mpf]:
    """Three numbers of which each is what those before it leave."""
    found: list[mp.mpf] = []
    for _ in range(3):
        found.append(rounded(value - sum(found), double))
    return found


def computed(name: str, x: torch.Tensor) -> torch.Tensor:
    """The engine's function of contiguous float32 numbers."""
    loaded = library()
    assert loaded is not None
    code = bytecode((operation(name, variable()),), ())
    out = torch.empty_like(x)
    memory = np.zeros((code.registers + 2) * BLOCK, dtype=np.float32)
    scratch = memory[-memory.ctypes.data % 64 // 4 :]
    loaded.interpret(
        ctypes.byref(program(code)), ctypes.c_void_p(x.data_ptr()), ctypes.c_int64(x.numel()), None, None,
        ctypes.c_int64(1), ctypes.c_float(1.0), (ctypes.c_void_p * 1)(out.data_ptr()),
        ctypes.c_void_p(scratch.ctypes.data),
    )  # fmt: skip
    return out


def worst(name: str) -> tuple[float, float]:
    """The largest error, in ulp of the value in float64, over every 256th float32 number, and where it is."""
    bits = torch.arange(-(2**31), 2**31, 256, dtype=torch.int64) + 17
    found = (0.0, 0.0)
    for x in bits.to(torch.int32).view(torch.float32).split(2**20):
        true = forward_of(name)(x.double())
        size = true.abs().clamp(torch.finfo(torch.float32).smallest_normal, torch.finfo(torch.float32).max)
        far = (computed(name, x).double() - true).abs() / 2.0 ** (torch.frexp(size).exponent.double() - 24)
        far[true.float().isinf() | true.isnan()] = 0.0  # special values are the tests'
        found = max(found, (float(far.max()), float(x[int(far.argmax())])))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", action="store_true", help="the engine's errors instead of coefficients")
    if not parser.parse_args().measure:
        print_fits()
        return
    for name in FUNCTIONS:
        far, at = worst(name)
        print(f"{name:6} {far:.2f} ulp at {at:.9g}", flush=True)


if __name__ == "__main__":
    main()
