"""The card of a function: groups of lines for a reader."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from evaluators.results.reasons import code_of
from primitives.analysis import EdgeOfChaos, Gaussian, Shape
from primitives.catalogue import Match
from primitives.equivalence.canonical import canonical
from primitives.equivalence.classes import has_own_slope
from primitives.operators.axes import letters_of
from search.report.pictures.sampling import why_no_curve
from search.terminal.inspection import Description
from search.terminal.proof import proof_lines
from search.terminal.tables import number, sparkline

INIT_SCALE = "init scale 1/sqrt(E f^2)"


#: Of a group of lines: each a label and a text.
Lines = list[tuple[str, str]]

_AXES = {"n": "examples", "c": "channels", "p": "positions"}


def card(description: Description) -> Iterator[tuple[str, Lines]]:
    """Headings with their lines.

    Args:
        description: as :func:`search.terminal.inspection.describe` gives it.
    """
    yield "function", _function(description)
    for place, part in enumerate(description.parts, 1):
        which = f"{place} of {len(description.parts)}"
        yield f"function {which}", _function(part)
        for heading, lines in _analysis(part):
            yield f"{heading}, function {which}", lines
    if not description.parts:
        yield from _analysis(description)
    yield "screens", _screens(description)
    classes = description.classes
    yield "classes", [("exact", classes.exact), ("scale", classes.scale), ("affine", classes.affine)]


def _analysis(description: Description) -> Iterator[tuple[str, Lines]]:
    """What is known of a function of one number; of another kind why there is nothing."""
    profile = description.profile
    if profile is None:
        yield "analysis", [("", f"none: it needs a function of one number; this is {description.kind}")]
        return
    analysis = profile.analysis
    if analysis.shape:
        yield "shape", _shape(analysis.shape, analysis.at_zero)
    else:
        yield "shape", [("", "not a number somewhere on [-50, 50]")]
    yield "proved", proof_lines(profile.proof, description.expression)
    if analysis.gaussian:
        yield "normal inputs z", _gaussian(analysis.gaussian)
    else:
        yield "normal inputs z", [("", "E f(z)^2 is not a positive finite number")]
    yield "edge of chaos", _edge(profile.edges, profile.half_stable)


def _screens(description: Description) -> Lines:
    lines = [("screen", code_of(description.screen) or "passed")]
    if description.profile:
        types = ", ".join(description.profile.analysis.finite_in) or "none of float32, bfloat16, float16"
        lines.append(("finite on [-50, 50] in", types))
    return lines


def _function(description: Description) -> Lines:
    expression, known = description.expression, description.known
    form = canonical(expression)
    parameters = (f"{p.name} = {p.initial:g} per {p.per}" for p in expression.parameters)
    varies = [_AXES[letter] for letter in letters_of(form.axes)]
    pictures = [(label, sparkline(values)) for label, values in description.curves]
    if why := "" if description.parts else why_no_curve(expression):
        pictures = [("on [-3, 3]", f"no picture: {why}")]
    own = has_own_slope(expression) and not description.parts
    gradients = "by a derivative of its own" + (", f'; the shape is that of the values" if description.profile else "")
    return [
        ("expression", expression.text),
        ("canonical form", form.text),
        ("kind", description.kind),
        ("inputs", ", ".join(sorted(form.inputs)) or "none"),
        ("varies over", ", ".join(varies) or "nothing"),
        *([] if description.parts else [("LaTeX", description.latex or "none")]),
        ("parameters", ", ".join(parameters) or "none"),
        ("known as", _known(known) if known else "-"),
        ("cost, in ReLUs", number(description.cost, ".3g")),
        ("nodes", number(expression.size)),
        ("complexity", number(description.complexity, ".6g")),
        *([("gradients", gradients)] if own else []),
        *pictures,
    ]


def _known(match: Match) -> str:
    return f"{match.name} ({match.relation}{f': {match.formula}' if match.is_shifted else ''})"


def _shape(shape: Shape, at_zero: float | None) -> Lines:
    low, high = number(shape.low, ".6g"), number(shape.high, ".6g")
    return [
        ("smoothness", shape.smoothness),
        ("monotone", shape.monotone),
        ("infimum, supremum", f"{'-inf' if low == '-' else low}, {'inf' if high == '-' else high}"),
        ("sup |f'|", "inf" if shape.lipschitz is None else number(shape.lipschitz, ".6g")),
        ("slopes of the tails", f"{_value(shape.left_slope)}, {_value(shape.right_slope)}"),
        ("f(0)", _value(at_zero)),
    ]


def _gaussian(gaussian: Gaussian) -> Lines:
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


def _edge(points: Sequence[EdgeOfChaos], half_stable: EdgeOfChaos | None) -> Lines:
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
