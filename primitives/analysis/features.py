"""Features of a function under standard normal inputs, for initialisation and signal propagation at depth."""

from __future__ import annotations

from dataclasses import dataclass

from primitives.analysis.curve import Curve
from primitives.analysis.gaussian import expectation, hermite_coefficients, normal_grid, unit_factor


@dataclass(frozen=True, slots=True)
class Gaussian:
    """Features of f(z), z standard normal; f as written, not times its factor. None: there is no such number.

    The variance map is V(q) = E f(sqrt(q) z)^2 / second, the correlation map C(c) = E[f(u) f(v)] / second for standard
    normals u and v of correlation c (Poole et al. 2016, Martens et al. 2021).

    Args:
        mean: E f(z).
        second: E f(z)^2.
        slope: E f'(z)^2.
        curvature: E f''(z)^2, f'' between kinks; at 0 a loss with second derivatives sees nothing.
        factor: 1 / sqrt(second), the init scale: weights of deviation factor / sqrt(fan_in) keep E f^2.
        chi: slope / second, the factor by which a layer scales gradients; C'(1) where f does not jump; 1 is critical.
        variance_slope: V'(1); above 1 a variance runs away from 1.
        hermite: a_k = E[f(z) He_k(z)] / sqrt(k!) for k = 0 to 8.
        mean_share: a_0^2 / second = C(0).
        linear_share: a_1^2 / second = C'(0).
        bend: curvature / second = C''(1); None where a kink or a jump makes it infinite, or f has a
            derivative of its own.
        information_exponent: the first k >= 1 with a_k^2 > 1e-12 second.
        odd_share: the share of f's odd part in second; the rest is the even part's.
        zero_mass: P(f(z) = 0), the sparsity of the output.
        dead_mass: P(|f'(z)| < 1e-3).
    """

    mean: float
    second: float
    slope: float | None
    curvature: float | None
    factor: float
    chi: float | None
    variance_slope: float
    hermite: tuple[float, ...]
    mean_share: float
    linear_share: float
    bend: float | None
    information_exponent: int | None
    odd_share: float
    zero_mass: float
    dead_mass: float


def gaussian(curve: Curve, *, kinked: bool) -> Gaussian | None:
    """Features of a function, with or without jumps of f or f'; None where E f^2 is not positive and finite."""
    f, slope, bend = curve.normal.values
    z, weights = normal_grid()
    mean, second, steepness, curvature = (expectation(v) for v in (f, f * f, slope * slope, bend * bend))
    if mean is None or not second:
        return None
    coefficients = hermite_coefficients(f)
    shares = [a * a / second for a in coefficients]
    odd = 0.5 * (f - f.flip(0))
    return Gaussian(
        mean=mean,
        second=second,
        slope=steepness,
        curvature=curvature,
        factor=unit_factor(second),
        chi=None if steepness is None else steepness / second,
        variance_slope=float(weights @ ((z * z - 1.0) * f * f)) / (2.0 * second),
        hermite=coefficients,
        mean_share=shares[0],
        linear_share=shares[1],
        bend=None if kinked or curvature is None else curvature / second,
        information_exponent=next((k for k, share in enumerate(shares) if k and share > 1e-12), None),
        odd_share=float(weights @ (odd * odd)) / second,
        zero_mass=float(weights[f == 0.0].sum()),
        dead_mass=float(weights[slope.abs() < 1e-3].sum()),
    )
