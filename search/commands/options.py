"""Options and arguments that several commands share; they are declared without what the commands run."""

from __future__ import annotations

from typing import Annotated

import typer

EVERY = 10.0  # seconds between plain lines of progress

RunName = Annotated[str, typer.Argument(metavar="RUN", help="A path, or a name under runs/.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Show nothing while working.")]
Every = Annotated[
    float,
    typer.Option("--every", metavar="SECONDS", min=0, help="Time between two lines of progress, without a terminal."),
]
Changes = Annotated[
    list[str], typer.Option("--set", metavar="KEY=VALUE", help="Change a value of the config; repeatable.")
]
Operators = Annotated[
    list[str],
    typer.Option("--operators", metavar="FILE:NAME", help="An operator of a file, path/to/file.py:row; repeatable."),
]
WorkerCount = Annotated[
    int | None, typer.Option("--workers", min=0, help="Number of workers; results do not depend on it.")
]
Address = Annotated[str | None, typer.Option("--address", help="Address of a Ray cluster.")]
Trust = Annotated[
    bool, typer.Option("--trust", help="Run the files that the run names; look at them before, they have your rights.")
]
Minutes = Annotated[
    float | None, typer.Option("--max-minutes", min=0, help="Stop at the end of a cohort after this time.")
]
