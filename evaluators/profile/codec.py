"""Profiles as ``actsearch profile --json`` and ``--csv`` print them."""

from __future__ import annotations

from collections.abc import Mapping

from evaluators.profile.measure import Profile
from evaluators.results.json_codec import finite

Cell = str | float | int | None


def profile_to_row(profile: Profile, names: Mapping[str, str]) -> dict[str, Cell]:
    """Cells by column; None where there is no number.

    Args:
        profile: of one function on one side.
        names: for people, by the function's text.
    """
    side, (low, high) = profile.side, profile.interval
    return {
        "group": side.group,
        "side": side.name,
        "task": side.task,
        "objective": side.measure,
        "unit": profile.unit,
        "better": "higher" if side.objective.direction == "maximize" else "lower",
        "name": names[profile.expression],
        "expression": profile.expression,
        "over_relu": finite(profile.mean_over),
        "interval_low": finite(low),
        "interval_high": finite(high),
        "verdict": profile.verdict,
        "value": finite(profile.mean),
        "loss": finite(profile.loss),
        "learning_rate": profile.rate,
        "blocks": len(profile.over),
        "reason": profile.reason,
    }
