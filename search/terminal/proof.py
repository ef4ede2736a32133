"""What is proved of a function, in words and as JSON."""

from __future__ import annotations

from dataclasses import asdict

from evaluators.results.json_codec import JsonObject
from primitives.expression.expression import Expression
from primitives.monotone import MonotoneActivations, Monotonicity


def proof_lines(known: Monotonicity, expression: Expression) -> list[tuple[str, str]]:
    """Lines of the card, each a label and a text."""
    return [
        ("monotone", _monotone(known, expression)),
        *([("not increasing", known.falls.text)] if known.falls and known.proved != "decreasing" else []),
        *([("not decreasing", known.rises.text)] if known.rises and known.proved != "increasing" else []),
        ("curvature", _curvature(known)),
        ("bounds", _bounds(known.low, known.high)),
        ("slopes", _bounds(known.least_slope, known.greatest_slope)),
    ]


def _monotone(known: Monotonicity, expression: Expression) -> str:
    names = ", ".join(p.name for p in expression.parameters)
    if known.verdict == "proved":
        return f"proved {known.proved}{f', for all values of {names}' if names else ''}"
    if known.verdict == "refuted":
        return f"refuted{f', over all values of {names}' if names else ''}"
    return f"unknown: {known.missing}"


def _curvature(known: Monotonicity) -> str:
    if known.convex and known.concave:
        return "proved affine"
    return "proved convex" if known.convex else "proved concave" if known.concave else "unknown"


def _bounds(low: float | None, high: float | None) -> str:
    parts = [f"{word} {value + 0.0:.9g}" for word, value in (("from", low), ("to", high)) if value is not None]
    return f"proved {' '.join(parts)}" if parts else "unknown"


def proof_to_json(known: Monotonicity) -> JsonObject:
    """As ``actsearch show --json`` has it under ``proof``."""
    return {"verdict": known.verdict} | asdict(known)


def activations_to_json(made: MonotoneActivations) -> JsonObject:
    """As ``actsearch monotone --json`` prints it."""
    return {"convex": made.convex.text, "concave": made.concave.text, "bounded": made.bounded.text}
