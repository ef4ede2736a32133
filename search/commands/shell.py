"""How commands print what they found."""

from __future__ import annotations

import json
import sys
from typing import Any

from rich.console import Console

from search import display
from search.run import Run

Row = dict[str, Any]

console = Console(width=None if sys.stdout.isatty() else 110)


def print_results(run: Run, as_json: bool) -> None:
    """The front and the finalists at the end of a job."""
    found = run.confirmation()
    if as_json:
        print_json({"status": run.status(), "front": run.front(), "confirmation": found})
        return
    console.print(display.front_table(run.front(), title(run)))
    if found:
        print_confirmation(found, run)
    console.print(f"actsearch export {run.path} --to torch,latex", markup=False, highlight=False, soft_wrap=True)


def title(run: Run) -> str:
    return display.front_title(run.config.objectives, run.config.aggregate)


def print_confirmation(found: Row, run: Run) -> None:
    console.print(display.confirmation_table(found))
    console.print(display.nulls_line(found), highlight=False)
    console.print(display.times_line(found, run.timing()), highlight=False)


def print_row(row: Row, as_json: bool) -> None:
    """A dict, one key a line."""
    if as_json:
        print_json(row)
        return
    for key, value in row.items():
        shown = (
            json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else display.number(value, ".6g")
        )
        console.print(f"{key:<20} {shown}", markup=False, highlight=False, soft_wrap=True)


def print_json(data: object) -> None:
    print(json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False))


def finite(values: dict[str, float]) -> dict[str, float | None]:
    return {key: value if abs(value) < float("inf") else None for key, value in values.items()}
