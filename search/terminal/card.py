"""The card of a function: groups of lines for a reader."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from evaluators.results.reasons import code_of
from primitives.analysis import EdgeOfChaos, Gaussian, Shape
from primitives.catalogue import Match
from primitives.equivalence.canonical import canonical
from primitives.equivalence.classes import has_own_slope
from search.terminal.inspection import Description
from search.terminal.proof import proof_lines
from search.terminal.tables import number, sparkline

INIT_SCALE = "init scale 1/sqrt(E f^2)"


def card(description: Description, curve: list[float]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Headings with their lines, each a label and a text.

    Args:
        description: as :func:`search.terminal.inspection.describe` gives it.
        curve: values on [-3, 3], for a small picture.
    """
    yield "function", _function(description, curve)
    analysis = description.analysis
    if analysis.shape:
        yield "shape", _shape(analysis.shape, analysis.at_zero)
    else:
        yield "shape", [("", "not a number somewhere on [-50, 50]")]
    yield "proved", proof_lines(description.proof, description.expression)
    if analysis.gaussian:
        yield "normal inputs z", _gaussian(analysis.gaussian)
    else:
        yield "normal inputs z", [("", "E f(z)^2 is not a positive finite number")]
    yield "edge of chaos", _edge(description.edges, description.half_stable)
    types = ", ".join(analysis.finite_in) or "none of float32, bfloat16, float16"
    yield "screens", [("screen", code_of(description.screen) or "passed"), ("finite on [-50, 50] in", types)]
    classes = description.classes
    yield "classes", [("exact", classes.exact), ("scale", classes.scale), ("affine", classes.affine)]


def _function(description: Description, curve: list[float]) -> list[tuple[str, str]]:
    expression, known = description.expression, description.known
    parameters = (f"{p.name} = {p.initial:g} per {p.per}" for p in expression.parameters)
    own = has_own_slope(expression)
    return [
        ("expression", expression.text),
        ("canonical form", canonical(expression).text),
        ("LaTeX", description.latex),
        ("parameters", ", ".join(parameters) or "none"),
        ("known as", _known(known) if known else "-"),
        ("cost, in ReLUs", number(description.cost, ".3g")),
        ("nodes", number(expression.size)),
        *([("gradients", "by a derivative of its own, f'; the shape is that of the values")] if own else []),
        ("on [-3, 3]", sparkline(curve)),
    ]


def _known(match: Match) -> str:
    return f"{match.name} ({match.relation}{f': {match.formula}' if match.is_shifted else ''})"


def _shape(shape: Shape, at_zero: float | None) -> list[tuple[str, str]]:
    low, high = number(shape.low, ".6g"), number(shape.high, ".6g")
    return [
        ("smoothness", shape.smoothness),
        ("monotone", shape.monotone),
        ("infimum, supremum", f"{'-inf' if low == '-' else low}, {'inf' if high == '-' else high}"),
        ("sup |f'|", "inf" if shape.lipschitz is None else number(shape.lipschitz, ".6g")),
        ("slopes of the tails", f"{_value(shape.left_slope)}, {_value(shape.right_slope)}"),
        ("f(0)", _value(at_zero)),
    ]


def _gaussian(gaussian: Gaussian) -> list[tuple[str, str]]:
    values = {
        "E f": gaussian.mean,
        "E f^2": gaussian.second,
        "E f'^2": gaussian.slope,
        "E f''^2": gaussian.curvature,
        INIT_SCALE: gaussian.factor,
        "chi = E f'^2 / E f^2": gaussian.chi,
        "V'(1)": gaussian.variance_slope,
        "C(0)": gaussian.mean_share,
        "C'(0)": gaussian.linear_share,
        "C''(1)": gaussian.bend,
        "odd share of E f^2": gaussian.odd_share,
        "P(f = 0)": gaussian.zero_mass,
        "P(|f'| < 1e-3)": gaussian.dead_mass,
        "information exponent": gaussian.information_exponent,
    }
    lines = [(label, _value(value)) for label, value in values.items()]
    return [*lines, ("Hermite coefficients", " ".join(f"{round(a, 4) + 0.0:.4f}" for a in gaussian.hermite))]


def _edge(points: Sequence[EdgeOfChaos], half_stable: EdgeOfChaos | None) -> list[tuple[str, str]]:
    lines = [(f"bias std {point.bias_std:.4g}", _point(point)) for point in points]
    if half_stable:
        lines.append((f"half-stable {half_stable.bias_std:.4g}", _point(half_stable)))
    return lines or [("", "none for bias std 0.05, 0.2 and 0.5")]


def _point(point: EdgeOfChaos) -> str:
    values = {
        "weight std": point.weight_std,
        "variance": point.variance,
        "V'": point.variance_slope,
        "beta": point.beta,
    }
    return ", ".join(f"{label} {number(value, '.4g')}" for label, value in values.items())


def _value(value: float | None) -> str:
    return number(0.0 if value is not None and abs(value) < 1e-12 else value, ".6g")  # rounding of sums that vanish
