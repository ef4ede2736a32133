"""Commands that work: launch, resume, confirm, tabulate."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from search.commands.options import (
    EVERY,
    Address,
    Changes,
    Every,
    Json,
    Minutes,
    Quiet,
    RunName,
    TempDir,
    Trust,
    WorkerCount,
)


def launch(
    config: Annotated[str, typer.Argument(metavar="CONFIG", help="A path, or the name of a shipped config.")],
    *,
    run: Annotated[str | None, typer.Option("--run", help="Name or path of the run folder.")] = None,
    change: Changes = [],  # noqa: B006  (typer copies it)
    seed: Annotated[int | None, typer.Option(min=0, help="The run's seed.")] = None,
    workers: WorkerCount = None,
    address: Address = None,
    temp_dir: TempDir = None,
    max_minutes: Minutes = None,
    trust: Trust = False,
    dry: Annotated[bool, typer.Option("--dry-run", help="Screen and time one cohort; write nothing.")] = False,
    every: Every = EVERY,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Run a job in a new run folder."""
    from search.config import load_config

    given = {"seed": seed, "workers.count": workers, "workers.address": address, "workers.temp_dir": temp_dir}
    loaded = load_config(config, [*change, *_as_changes(given)], trust=trust)

    # only now: a config that is refused need not wait for the engine and the report to load
    from search.commands.shell import console, print_results, print_row
    from search.run import Job
    from search.terminal.display import Display
    from search.terminal.inspection import dry_run
    from search.terminal.inspection_codec import dry_run_to_json

    job = Job(loaded, Path(config).stem)
    if dry:
        print_row(dry_run_to_json(dry_run(job.config)), as_json)
        return
    with Display(console, quiet=quiet or as_json, every=every) as reporter:
        made = job.launch(run, reporter=reporter, max_minutes=max_minutes)
    print_results(made, as_json)


def resume(
    run: RunName,
    *,
    change: Changes = [],  # noqa: B006
    workers: WorkerCount = None,
    address: Address = None,
    temp_dir: TempDir = None,
    max_minutes: Minutes = None,
    trust: Trust = False,
    every: Every = EVERY,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Continue a run to its budget, or to a larger one (--set budget=N)."""
    from search.commands.shell import console, print_results
    from search.run import Run
    from search.terminal.display import Display

    opened = Run.open(run, trust=trust)
    with Display(console, quiet=quiet or as_json, every=every) as reporter:
        opened.resume(
            changes=change,
            workers=workers,
            address=address,
            temp_dir=temp_dir,
            reporter=reporter,
            max_minutes=max_minutes,
        )
    print_results(opened, as_json)


def confirm(
    run: RunName,
    *,
    workers: WorkerCount = None,
    address: Address = None,
    temp_dir: TempDir = None,
    trust: Trust = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Train the finalists again on fresh seeds, data and networks."""
    from search.commands.shell import console, print_confirmation, print_json
    from search.confirmation import confirmation_to_json
    from search.run import Run
    from search.terminal.display import Display

    opened = Run.open(run, trust=trust)
    with Display(console, quiet=quiet or as_json, every=EVERY) as reporter:
        confirmation = opened.confirm(workers=workers, address=address, temp_dir=temp_dir, reporter=reporter)
    if as_json:
        print_json(confirmation_to_json(confirmation))
    else:
        print_confirmation(confirmation, opened)


def tabulate(
    config: Annotated[str, typer.Argument(metavar="CONFIG", help="A path, or the name of a shipped config.")],
    *,
    run: Annotated[str | None, typer.Option("--run", help="Name or path of the run folder.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="CSV file to write, .csv or .csv.gz; default: table.csv in the run folder.")
    ] = None,
    change: Changes = [],  # noqa: B006
    workers: WorkerCount = None,
    temp_dir: TempDir = None,
    trust: Trust = False,
    every: Every = EVERY,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Train all classes that a job proposes to the end and write a table for replay; continue where it was left."""
    from search.commands.shell import console, print_row
    from search.run import Job
    from search.tabular.tabulate import CHANGES, tabulated, write_table
    from search.terminal.display import Display

    job = Job.load(config, [*change, *CHANGES, *_as_changes({"workers.temp_dir": temp_dir})], trust=trust)
    with Display(console, quiet=quiet or as_json, every=every) as reporter:
        made = tabulated(job, run, workers=workers, reporter=reporter)
    path = out or made.folder.table
    print_row({"table": str(path), "classes": write_table(made, path)}, as_json)


def _as_changes(given: Mapping[str, object]) -> list[str]:
    """Options as changes of the config."""
    return [f"{key}={json.dumps(value)}" for key, value in given.items() if value is not None]
