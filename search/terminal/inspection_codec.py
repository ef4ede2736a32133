"""Inspections as JSON: properties of an expression, and the cost of a job."""

from __future__ import annotations

from dataclasses import asdict

from evaluators.results.json_codec import JsonObject
from evaluators.results.reasons import code_of
from primitives.equivalence.canonical import canonical
from search.records.cohort_codec import counts_to_json
from search.terminal.inspection import Description, DryRun
from search.terminal.proof import proof_to_json


def description_to_json(description: Description) -> JsonObject:
    """As ``actsearch show --json`` prints it."""
    expression = description.expression
    return {
        "expression": expression.text,
        "canonical": canonical(expression).text,
        "latex": description.latex,
        "parameters": [{"name": p.name, "initial": p.initial, "per": p.per} for p in expression.parameters],
        "known": None if description.known is None else description.known.row,
        "exact_class": description.classes.exact,
        "scale_class": description.classes.scale,
        "affine_class": description.classes.affine,
        "screen": code_of(description.screen) or "passed",
        "cost": description.cost,
        "size": expression.size,
        "analysis": asdict(description.analysis),
        "proof": proof_to_json(description.proof),
        "edge_of_chaos": [asdict(edge) for edge in description.edges],
        "half_stable": asdict(description.half_stable) if description.half_stable else None,
    }


def dry_run_to_json(dry_run: DryRun) -> JsonObject:
    """As ``actsearch launch --dry-run --json`` prints it."""
    return asdict(dry_run) | {"counts": counts_to_json(dry_run.counts)}
