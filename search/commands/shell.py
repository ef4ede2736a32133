"""Shared by the commands: how results are printed."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence

from rich.console import Console

from evaluators.results.control_labels import RELU
from primitives.quoting import command, visible
from search.confirmation import Confirmation, confirmation_to_json
from search.confirmation.conclusion import conclusion
from search.confirmation.in_words import power_in_words
from search.engine.rows import front_rows, known_cells, known_rows
from search.records.class_row import ClassRow
from search.records.status import status_of
from search.records.status_codec import status_to_json
from search.run import Run
from search.terminal import tables

console = Console(width=None if sys.stdout.isatty() else 110, markup=False, emoji=False, highlight=False)


def say(line: str, style: str = "", *, whole: bool = False) -> None:
    """Print a line of text as it is; ``whole`` leaves it to the terminal where it breaks."""
    console.print(tables.shown(line), style=style, soft_wrap=whole)


def complain(line: str) -> None:
    """Print a line for people beside the results."""
    print(visible(line), file=sys.stderr)


def print_results(run: Run, as_json: bool) -> None:
    """The front and the finalists at the end of a job."""
    confirmation, study = run.confirmation(), run.read()
    rows, best = front_rows(study, run.config.tasks), known_rows(study, run.config.tasks)
    if as_json:
        told = None if confirmation is None else confirmation_to_json(confirmation)
        status = status_of(str(run.path), run.config, study.store.trace, confirmation, len(best))
        front, known = [row.cells for row in rows], known_cells(best)
        print_json({"status": status_to_json(status), "front": front, "known": known, "confirmation": told})
        return
    console.print(tables.front_table(rows, title(run, rows)))
    say(tables.best_known_line(best, rows))
    if confirmation:
        print_confirmation(confirmation, run)
    say(command("export", run.path, "--to", "torch,latex"), whole=True)


def title(run: Run, rows: Sequence[ClassRow], what: str = "Pareto front") -> str:
    """Heading of the table of the front, or of other classes."""
    reference = rows[0].reference if rows else RELU
    return tables.rows_title(what, run.config.scoring.objectives, run.config.aggregate, run.unit, reference)


def print_confirmation(confirmation: Confirmation, run: Run) -> None:
    """Print the finalists, the null controls and the measured times."""
    if confirmation.finalists:
        console.print(tables.confirmation_table(confirmation, run.unit))
    if confirmation.known_tried:
        console.print(tables.carried_table(confirmation, run.unit))
    if confirmation.tuned:
        console.print(tables.tuned_table(confirmation))
    lines = [
        *tables.reading_lines(confirmation),
        *conclusion(confirmation, run.unit),
        power_in_words(confirmation, run.unit),
        *run.looks_before(confirmation),
    ]
    for line in filter(None, lines):
        say(line)
    say(tables.nulls_line(confirmation.nulls, confirmation.reference))
    if confirmation.finalists:
        say(tables.times_line(confirmation, run.timing()))


def print_row(row: Mapping[str, object], as_json: bool) -> None:
    """A dict, one key a line."""
    if as_json:
        print_json(row)
        return
    for key, value in row.items():
        shown = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else tables.number(value, ".6g")
        say(f"{key:<20} {shown}", whole=True)


def print_json(data: object) -> None:
    """Print JSON; a number that is not finite is an error."""
    print(visible(json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False)))
