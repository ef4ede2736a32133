"""What is known of a function, as groups of lines for a reader."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from search.display import number, sparkline

Row = dict[str, Any]


def card(found: Row, curve: list[float]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Headings with their lines, each a label and a text.

    Args:
        found: as :func:`search.inspection.describe` gives it.
        curve: values on [-3, 3], for a small picture.
    """
    yield "function", _function(found, curve)
    analysis = found["analysis"]
    if analysis["shape"]:
        yield "shape", _shape(analysis["shape"], analysis["at_zero"])
    else:
        yield "shape", [("", "not a number somewhere on [-50, 50]")]
    if analysis["gaussian"]:
        yield "normal inputs z", _gaussian(analysis["gaussian"])
    else:
        yield "normal inputs z", [("", "E f(z)^2 is not a positive finite number")]
    yield "edge of chaos", _edge(found["edge_of_chaos"], found["half_stable"])
    types = ", ".join(analysis["finite_in"]) or "none of float32, bfloat16, float16"
    yield "screens", [("screen", found["screen"]), ("finite on [-50, 50] in", types)]
    yield "classes", [(name, found[f"{name}_class"]) for name in ("exact", "scale", "affine")]


def _function(found: Row, curve: list[float]) -> list[tuple[str, str]]:
    known = found["known"]
    parameters = (f"{p['name']} = {p['initial']:g} per {p['per']}" for p in found["parameters"])
    return [
        ("expression", found["expression"]),
        ("canonical form", found["canonical"]),
        ("LaTeX", found["latex"]),
        ("parameters", ", ".join(parameters) or "none"),
        ("known as", f"{known['name']} ({known['relation']})" if known else "-"),
        ("cost, in ReLUs", number(found["cost"], ".3g")),
        ("nodes", number(found["size"])),
        ("on [-3, 3]", sparkline(curve)),
    ]


def _shape(shape: Row, at_zero: float | None) -> list[tuple[str, str]]:
    low, high = number(shape["low"], ".6g"), number(shape["high"], ".6g")
    return [
        ("smoothness", shape["smoothness"]),
        ("monotone", shape["monotone"]),
        ("infimum, supremum", f"{'-inf' if low == '-' else low}, {'inf' if high == '-' else high}"),
        ("sup |f'|", "inf" if shape["lipschitz"] is None else number(shape["lipschitz"], ".6g")),
        ("slopes of the tails", f"{_value(shape['left_slope'])}, {_value(shape['right_slope'])}"),
        ("f(0)", _value(at_zero)),
    ]


def _gaussian(gaussian: Row) -> list[tuple[str, str]]:
    labels = {
        "mean": "E f",
        "second": "E f^2",
        "slope": "E f'^2",
        "curvature": "E f''^2",
        "factor": "gain 1/sqrt(E f^2)",
        "chi": "chi = E f'^2 / E f^2",
        "variance_slope": "V'(1)",
        "mean_share": "C(0)",
        "linear_share": "C'(0)",
        "bend": "C''(1)",
        "odd_share": "odd share of E f^2",
        "zero_mass": "P(f = 0)",
        "dead_mass": "P(|f'| < 1e-3)",
        "information_exponent": "information exponent",
    }
    lines = [(label, _value(gaussian[key])) for key, label in labels.items()]
    return [*lines, ("Hermite coefficients", " ".join(f"{round(a, 4) + 0.0:.4f}" for a in gaussian["hermite"]))]


def _edge(points: list[Row], half_stable: Row | None) -> list[tuple[str, str]]:
    lines = [(f"bias std {point['bias_std']:.4g}", _point(point)) for point in points]
    if half_stable:
        lines.append((f"half-stable {half_stable['bias_std']:.4g}", _point(half_stable)))
    return lines or [("", "none for bias std 0.05, 0.2 and 0.5")]


def _point(point: Row) -> str:
    names = {"weight std": "weight_std", "variance": "variance", "V'": "variance_slope", "beta": "beta"}
    return ", ".join(f"{label} {number(point[key], '.4g')}" for label, key in names.items())


def _value(value: float | None) -> str:
    return number(0.0 if value is not None and abs(value) < 1e-12 else value, ".6g")  # rounding of sums that vanish
