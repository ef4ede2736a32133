"""The scores of functions as ``actsearch evaluate --json`` and ``--csv`` print them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

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
        "controls": {name: _finite(values) for name, values in evaluation.controls.items()},
        **({"reference_readings": dict(read)} if (read := evaluation.reference_readings) else {}),
    }


def evaluations_to_rows(evaluations: Sequence[Evaluation]) -> list[dict[str, str | float | None]]:
    """Cells by column: functions in order, then the controls, which have their objectives alone; None: no number."""
    rows: list[dict[str, str | float | None]] = [
        {
            "kind": "function",
            "expression": each.expression,
            **_finite(each.objectives),
            "interval_low": finite(each.interval[0]),
            "interval_high": finite(each.interval[1]),
            **{f"gain_over_{name}": finite(gain) for name, gain in each.gains.items()},
            "reason": each.reason,
        }
        for each in evaluations
    ]
    controls = evaluations[0].controls.items()
    return rows + [{"kind": "control", "expression": name, **_finite(values)} for name, values in controls]


def _finite(values: Mapping[str, float]) -> dict[str, float | None]:
    return {name: finite(value) for name, value in values.items()}
