"""The command line. Exit codes: 0 done, 1 failed, 2 wrong usage, 130 Ctrl-C, 143 SIGTERM, 129 SIGHUP."""

from __future__ import annotations

import faulthandler
import sys
from contextlib import suppress
from typing import Annotated

import typer

from search.commands import functions, jobs, machine, runs
from search.records.packages import installed
from search.stopping import at_once

app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help="Search for activation functions."
)
for command in (
    *(jobs.launch, jobs.resume, runs.status, runs.front, jobs.confirm, runs.report, runs.export),
    *(functions.evaluate, functions.profile, functions.show, functions.monotone, functions.places, functions.fewbit),
    *(jobs.tabulate, functions.replay, machine.doctor),
):
    app.command()(command)
app.command("list")(functions.list_)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"actsearch {installed('actsearch')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Show the version and exit.")
    ] = False,
) -> None:
    """What comes before the name of a command."""


def main() -> None:
    """Entry point: the user's mistakes end in one clear message and exit code 2."""
    if not faulthandler.is_enabled():
        faulthandler.enable(2, all_threads=False)  # a user's code may call C that aborts
    try:
        with at_once():
            app()
    except Exception as error:
        code = _exit_code(error)
        if code is None:
            raise
        from primitives.quoting import message  # late, as below

        with suppress(OSError):  # of an output that is gone
            print(message(f"actsearch: {error}"), file=sys.stderr)
        sys.exit(code)


def _exit_code(error: Exception) -> int | None:
    """2 for the user's mistakes, 1 for what failed around us, None for a defect of the project."""
    if isinstance(error, OSError):
        return 1
    # imported late: with its package comes torch, and the help needs neither
    from evaluators.errors import RecordError, ReferenceLossError
    from primitives.errors import ActsearchError
    from search.errors import DamageError, FileError, WorkerError

    if isinstance(error, ActsearchError):
        around = WorkerError | FileError | DamageError | RecordError | ReferenceLossError
        return 1 if isinstance(error, around) else 2
    return None
