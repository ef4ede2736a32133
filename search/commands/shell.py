"""What all commands share: options, and how results are printed."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Annotated

import typer
from rich.console import Console

from search import display
from search.confirmation import Confirmation, confirmation_to_json
from search.rows import front_rows
from search.run import Run
from search.status import status_of
from search.status_codec import status_to_json

console = Console(width=None if sys.stdout.isatty() else 110)

RunName = Annotated[str, typer.Argument(metavar="RUN", help="A path, or a name under runs/.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Show nothing while working.")]
Every = Annotated[
    float, typer.Option("--every", metavar="SECONDS", min=0, help="Between lines of progress where no terminal is.")
]
Changes = Annotated[
    list[str], typer.Option("--set", metavar="KEY=VALUE", help="Change a value of the config; repeatable.")
]
WorkerCount = Annotated[
    int | None, typer.Option("--workers", min=0, help="Number of workers; results do not depend on it.")
]
Address = Annotated[str | None, typer.Option("--address", help="Of a Ray cluster.")]
Minutes = Annotated[
    float | None, typer.Option("--max-minutes", min=0, help="Stop at the end of a cohort after this time.")
]


def print_results(run: Run, as_json: bool) -> None:
    """The front and the finalists at the end of a job."""
    found, study = run.confirmation(), run.read()
    rows = front_rows(study, run.config.tasks)
    if as_json:
        told = None if found is None else confirmation_to_json(found)
        status = status_of(str(run.path), run.config.budget, study.store.trace, found)
        print_json({"status": status_to_json(status), "front": [row.cells for row in rows], "confirmation": told})
        return
    console.print(display.front_table(rows, title(run)))
    if found:
        print_confirmation(found, run)
    console.print(f"actsearch export {run.path} --to torch,latex", markup=False, highlight=False, soft_wrap=True)


def title(run: Run) -> str:
    return display.front_title(run.config.objectives, run.config.aggregate)


def print_confirmation(found: Confirmation, run: Run) -> None:
    console.print(display.confirmation_table(found))
    console.print(display.nulls_line(found.nulls), highlight=False)
    console.print(display.times_line(found, run.timing()), highlight=False)


def print_row(row: Mapping[str, object], as_json: bool) -> None:
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
