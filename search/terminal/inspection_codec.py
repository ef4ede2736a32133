"""What is known of an expression, and what a job would cost, as JSON."""

from __future__ import annotations

from dataclasses import asdict

from evaluators.results.json_codec import JsonObject
from evaluators.results.reasons import code_of
from primitives.equivalence.canonical import canonical
from search.records.cohort_codec import counts_to_json
from search.terminal.inspection import Description, DryRun


def description_to_json(found: Description) -> JsonObject:
    """As ``actsearch show --json`` prints it."""
    expression = found.expression
    return {
        "expression": expression.text,
        "canonical": canonical(expression).text,
        "latex": found.latex,
        "parameters": [
            {"name": p.name, "initial": p.initial, "per": "channel" if p.per_channel else "layer"}
            for p in expression.parameters
        ],
        "known": None if found.known is None else found.known.row,
        "exact_class": found.classes.exact,
        "scale_class": found.classes.scale,
        "affine_class": found.classes.affine,
        "screen": code_of(found.screen) or "passed",
        "cost": found.cost,
        "size": expression.size,
        "analysis": asdict(found.analysis),
        "edge_of_chaos": [asdict(edge) for edge in found.edges],
        "half_stable": asdict(found.half_stable) if found.half_stable else None,
    }


def dry_run_to_json(found: DryRun) -> JsonObject:
    """As ``actsearch launch --dry-run --json`` prints it."""
    return asdict(found) | {"counts": counts_to_json(found.counts)}
