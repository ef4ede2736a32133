"""The scores of one function as ``actsearch evaluate --json`` prints them."""

from __future__ import annotations

import math
from collections.abc import Mapping

from evaluators.evaluate import Evaluation
from evaluators.results.json_codec import JsonObject, finite


def evaluation_to_json(found: Evaluation) -> JsonObject:
    """JSON's types."""
    return {
        "expression": found.expression,
        **_finite(found.objectives),
        "gain_over": _finite(found.gains),
        "reason": found.reason,
        "interval": None if math.isnan(found.gain) else list(found.interval),
    }


def _finite(values: Mapping[str, float]) -> dict[str, float | None]:
    return {name: finite(value) for name, value in values.items()}
