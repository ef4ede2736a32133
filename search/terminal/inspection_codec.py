"""Inspections as JSON: properties of an expression, and the cost of a job."""

from __future__ import annotations

from dataclasses import asdict

from evaluators.results.json_codec import JsonObject
from evaluators.results.reasons import code_of
from primitives.equivalence.canonical import canonical
from primitives.operators.axes import letters_of
from search.records.cohort_codec import counts_to_json
from search.terminal.inspection import Description, DryRun
from search.terminal.proof import proof_to_json


def description_to_json(description: Description) -> JsonObject:
    """As ``actsearch show --json`` prints it.

    ``analysis`` is null for what is no function of one number; ``parts`` are the functions of ``layers(...)``.
    """
    expression, profile = description.expression, description.profile
    form = canonical(expression)
    return {
        "expression": expression.text,
        "canonical": form.text,
        "kind": description.kind,
        "inputs": sorted(form.inputs),
        "axes": letters_of(form.axes),
        "latex": description.latex or None,
        "parameters": [{"name": p.name, "initial": p.initial, "per": p.per} for p in expression.parameters],
        "known": None if description.known is None else description.known.row,
        "exact_class": description.classes.exact,
        "scale_class": description.classes.scale,
        "affine_class": description.classes.affine,
        "screen": code_of(description.screen) or "passed",
        "cost": description.cost,
        "complexity": description.complexity,
        "size": expression.size,
        "analysis": None if profile is None else asdict(profile.analysis),
        "proof": None if profile is None else proof_to_json(profile.proof),
        "edge_of_chaos": [] if profile is None else [asdict(edge) for edge in profile.edges],
        "half_stable": asdict(profile.half_stable) if profile and profile.half_stable else None,
        "parts": [description_to_json(part) for part in description.parts],
    }


def dry_run_to_json(dry_run: DryRun) -> JsonObject:
    """As ``actsearch launch --dry-run --json`` prints it."""
    return asdict(dry_run) | {"counts": counts_to_json(dry_run.counts)}
