"""The scores of one function as ``actsearch evaluate --json`` prints them."""

from __future__ import annotations

import math
from collections.abc import Mapping

from evaluators.evaluate import Evaluation
from evaluators.results.json_codec import JsonObject, finite


def evaluation_to_json(evaluation: Evaluation) -> JsonObject:
    """JSON's types."""
    unit = {} if evaluation.unit == "nats" else {"unit": evaluation.unit}
    return {
        "expression": evaluation.expression,
        **_finite(evaluation.objectives),
        "gain_over": _finite(evaluation.gains),
        "reason": evaluation.reason,
        "interval": None if math.isnan(evaluation.gain) else list(evaluation.interval),
        **unit,
        **({"readings": dict(evaluation.readings)} if evaluation.readings else {}),
        **({"reference_readings": dict(read)} if (read := evaluation.reference_readings) else {}),
    }


def _finite(values: Mapping[str, float]) -> dict[str, float | None]:
    return {name: finite(value) for name, value in values.items()}
