"""A run's status as ``actsearch status --json`` prints it."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict

from evaluators.results.json_codec import JsonObject, all_finite
from evaluators.results.reasons import Reason
from search.records.status import Status
from search.records.trace_codec import best_to_json


def status_to_json(status: Status) -> JsonObject:
    """JSON's types."""
    funnel = status.funnel
    return {
        "run": status.run,
        "trained": status.trained,
        "budget": status.budget,
        "known_functions": status.known_functions,
        "cohorts": status.cohorts,
        "funnel": {
            "proposed": funnel.proposed,
            "screened": _by_code(funnel.screened),
            "known": funnel.known,
            "trained": funnel.trained,
            "rejected": _by_code(funnel.rejected),
        },
        "rejection": asdict(status.rejection),
        "best": best_to_json(status.best),
        "front": status.front,
        "null_gains": all_finite(funnel.null_gains),
        "controls_repeat": status.controls_repeat,
        "confirmed": status.confirmed,
        "conditions": status.conditions,
    }


def _by_code(counts: Counter[Reason]) -> dict[str, int]:
    """The most frequent first."""
    return {reason.code: count for reason, count in counts.most_common()}
