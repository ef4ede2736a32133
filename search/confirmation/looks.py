"""What a confirmation looked at, for the ledger."""

from __future__ import annotations

from datetime import UTC, datetime

from search.confirmation.record import Confirmation
from search.records.look import Look


def looks_of(confirmation: Confirmation, run: str) -> list[Look]:
    """One look for each task; none of a record of older versions, or without a finalist."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    rows, setting = confirmation.finalists, confirmation.setting
    return [
        Look(
            now, run, task, tested.data, setting.draw, setting.seeds, tuple(row.finalist.expression for row in rows),
            tuple(on_task.p if (on_task := row.verdict.on_task.get(task)) else 1.0 for row in rows),
        )
        for task, tested in setting.tested.items()
    ]  # fmt: skip
