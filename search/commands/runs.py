"""Commands that look at a run: status, front, report, export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from search.commands.options import Json, Operators, RunName, Trust


def status(run: RunName, *, trust: Trust = False, as_json: Json = False) -> None:
    """Show how far a run is."""
    from search.commands.shell import print_row
    from search.records.status_codec import status_to_json
    from search.run import Run

    print_row(status_to_json(Run.open(run, trust=trust).status()), as_json)


def front(
    run: RunName,
    every: Annotated[bool, typer.Option("--all", help="Show every trained class, with its reason.")] = False,
    known: Annotated[bool, typer.Option("--known", help="Show the known functions, best first.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw the front to a .svg file.")] = None,
    trust: Trust = False,
    as_json: Json = False,
) -> None:
    """Show the Pareto front of a run, every class, or the known functions."""
    from primitives.quoting import visible
    from search.commands.shell import console, print_json, say, title
    from search.engine.rows import class_rows, front_rows, known_cells, known_csv, known_rows, rows_csv
    from search.report import write_front
    from search.run import Run
    from search.terminal import tables

    opened = Run.open(run, trust=trust)
    with opened.looking():
        study = opened.read(known=known)
        if plot is not None:
            write_front(opened.folder, opened.config, study, plot)
        tasks = opened.config.tasks
        best = known_rows(study, tasks)
        rows = [row for _, row in best] if known else (class_rows if every else front_rows)(study, tasks)
        if known and not (as_json or as_csv):
            console.print(tables.known_table(best, title(opened, rows, "Known functions")))
        elif as_json:
            print_json(known_cells(best) if known else [row.cells for row in rows])
        elif as_csv:
            objectives = opened.config.scoring.objectives
            print(visible(known_csv(best, objectives) if known else rows_csv(rows, objectives)), end="")
        elif every:
            console.print(tables.front_table(rows, f"All {len(rows)} classes of {opened.path}"))
        else:
            console.print(tables.front_table(rows, title(opened, rows)))
            say(tables.best_known_line(best, rows))


def report(
    run: RunName,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="HTML file to write; default: report.html in the run folder.")
    ] = None,
    trust: Trust = False,
    as_json: Json = False,
) -> None:
    """Write one self-contained HTML page of a run."""
    from search.commands.shell import print_row
    from search.run import Run

    path = Run.open(run, trust=trust).report(out)
    print_row({"report": str(path), "bytes": path.stat().st_size}, as_json)


def export(
    run: RunName,
    ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID]...", help="Ids as in front.csv; default: the confirmed ones, or the best one."),
    ] = None,
    *,
    to: Annotated[
        str, typer.Option(help="Languages of `actsearch list targets`, or path/to/file.py:TARGET; separated by commas.")
    ] = "torch,latex",
    out: Annotated[Path | None, typer.Option(help="Folder to write to; default: the run's exports/.")] = None,
    raw: Annotated[bool, typer.Option("--raw", help="Leave the initialisation factor out of the functions.")] = False,
    operators: Operators = [],  # noqa: B006  (typer copies it)
    trust: Trust = False,
    as_json: Json = False,
) -> None:
    """Write functions of a run as code that needs nothing of this project."""
    from primitives.operators.of_files import register_of_files
    from search.commands.shell import print_json, say
    from search.export.export import export as export_functions
    from search.run import Run

    register_of_files(operators)
    opened = Run.open(run, trust=trust)
    paths = export_functions(opened, ids or [], [part.strip() for part in to.split(",")], out, raw=raw)
    if as_json:
        print_json([str(path) for path in paths])
    else:
        for path in paths:
            say(str(path), whole=True)
