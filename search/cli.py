"""The command line. Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""

from __future__ import annotations

import sys

import typer

from primitives.errors import ActsearchError
from search.commands import functions, jobs, runs
from search.errors import FileError, WorkerError

app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help="Search for activation functions."
)
for command in (
    *(jobs.launch, jobs.resume, runs.status, runs.front, jobs.confirm, runs.report, runs.export),
    *(functions.evaluate, functions.show, jobs.tabulate, functions.replay),
):
    app.command()(command)
app.command("list")(functions.list_)


def main() -> None:
    """Entry point: the user's mistakes end in one clear message and exit code 2."""
    try:
        app()
    except ActsearchError as error:
        print(f"actsearch: {error}", file=sys.stderr)
        sys.exit(1 if isinstance(error, WorkerError | FileError) else 2)
    except OSError as error:
        print(f"actsearch: {error}", file=sys.stderr)
        sys.exit(1)
