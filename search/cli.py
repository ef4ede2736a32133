"""The command line. Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from evaluators.evaluate import evaluate as evaluate_expressions
from evaluators.objectives import DEFAULT
from evaluators.tasks import is_reference, label
from evaluators.tasks import task as find_task
from evaluators.tryout import try_out
from primitives.errors import ActsearchError
from primitives.grammars import grammar
from primitives.lowering import targets
from primitives.text import parse
from search import display
from search.card import card
from search.errors import FileError, WorkerError
from search.export import export as export_functions
from search.inspection import curve, describe, dry_run
from search.listing import listed
from search.live import EVERY, Display
from search.recorder import rows_csv
from search.replay import labelled
from search.replay import replay as replay_table
from search.run import Job, Run
from search.score_table import read_table
from search.strategies import settings_of
from search.tabulate import CHANGES, tabulated, write_table

app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help="Search for activation functions."
)
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


@app.command()
def launch(
    config: Annotated[str, typer.Argument(metavar="CONFIG", help="A path, or the name of a shipped config.")],
    *,
    run: Annotated[str | None, typer.Option("--run", help="Name or path of the run folder.")] = None,
    change: Changes = [],  # noqa: B006  (typer copies it)
    seed: Annotated[int | None, typer.Option(min=0, help="The run's seed.")] = None,
    workers: WorkerCount = None,
    address: Address = None,
    max_minutes: Minutes = None,
    dry: Annotated[bool, typer.Option("--dry-run", help="Screen and time one cohort, write nothing.")] = False,
    every: Every = EVERY,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Run a job in a new run folder."""
    given = {"seed": seed, "workers.count": workers, "workers.address": address}
    job = Job.load(config, [*change, *(f"{key}={value}" for key, value in given.items() if value is not None)])
    if dry:
        _print(dry_run(job.config), as_json)
        return
    with Display(console, quiet=quiet or as_json, every=every) as screen:
        made = job.launch(run, screen=screen, max_minutes=max_minutes)
    _results(made, as_json)


@app.command()
def resume(
    run: RunName,
    *,
    change: Changes = [],  # noqa: B006
    workers: WorkerCount = None,
    address: Address = None,
    max_minutes: Minutes = None,
    every: Every = EVERY,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Continue a run to its budget, or to a larger one (--set budget=N)."""
    opened = Run.open(run)
    with Display(console, quiet=quiet or as_json, every=every) as screen:
        opened.resume(changes=change, workers=workers, address=address, screen=screen, max_minutes=max_minutes)
    _results(opened, as_json)


@app.command()
def status(run: RunName, as_json: Json = False) -> None:
    """Show how far a run is."""
    _print(Run.open(run).status(), as_json)


@app.command()
def front(
    run: RunName,
    every: Annotated[bool, typer.Option("--all", help="Every trained class with its reason.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw the front to a .svg file.")] = None,
    as_json: Json = False,
) -> None:
    """Show the Pareto front of a run, or every class."""
    opened = Run.open(run)
    if plot is not None:
        opened.draw_front(plot)
    rows = opened.classes() if every else opened.front()
    if as_json:
        _json(rows)
    elif as_csv:
        print(rows_csv(rows, opened.config.objectives), end="")
    elif every:
        console.print(display.front_table(rows, f"All {len(rows)} classes of {opened.path}"))
    else:
        console.print(display.front_table(rows, _title(opened)))


@app.command()
def confirm(
    run: RunName, workers: WorkerCount = None, address: Address = None, quiet: Quiet = False, as_json: Json = False
) -> None:
    """Train the finalists again on fresh seeds, data and networks."""
    opened = Run.open(run)
    with Display(console, quiet=quiet or as_json) as screen:
        found = opened.confirm(workers=workers, address=address, screen=screen)
    if as_json:
        _json(found)
    else:
        _confirmation(found, opened)


@app.command()
def export(
    run: RunName,
    ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID]...", help="As in front.csv; default: the confirmed, or the best."),
    ] = None,
    to: Annotated[str, typer.Option(help=f"Separated by commas: {', '.join(targets())}.")] = "torch,latex",
    out: Annotated[Path | None, typer.Option(help="Folder to write to; default: the run's exports/.")] = None,
    raw: Annotated[bool, typer.Option("--raw", help="Leave the initialisation factor out of the functions.")] = False,
    as_json: Json = False,
) -> None:
    """Write functions of a run as code that needs nothing of this project."""
    paths = export_functions(Run.open(run), ids or [], [part.strip() for part in to.split(",")], out, raw=raw)
    if as_json:
        _json([str(path) for path in paths])
    else:
        for path in paths:
            console.print(str(path), markup=False, highlight=False, soft_wrap=True)


@app.command()
def report(
    run: RunName,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Default: report.html in the run folder.")] = None,
    as_json: Json = False,
) -> None:
    """Write one self-contained HTML page of a run."""
    path = Run.open(run).report(out)
    _print({"report": str(path), "bytes": path.stat().st_size}, as_json)


@app.command()
def evaluate(
    expressions: Annotated[list[str], typer.Argument(metavar="EXPR...", help="Such as 'x*sigmoid(x)'.")],
    *,
    task: Annotated[
        str, typer.Option(help="A shipped task, or a class in a file, which is run: path/to/my_task.py:MyTask.")
    ] = "digits",
    seeds: Annotated[int, typer.Option(help="Number of seeds.")] = 8,
    steps: Annotated[int | None, typer.Option(min=1, help="Optimiser steps; default: the task's.")] = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    objectives: Annotated[str, typer.Option(help="Names, separated by commas.")] = ",".join(DEFAULT),
    as_json: Json = False,
) -> None:
    """Train functions and compare them with ReLU, GELU and SiLU on the same seeds."""
    chosen = find_task(task)
    if is_reference(task):
        try_out(chosen)
    names = tuple(name.strip() for name in objectives.split(","))
    found = evaluate_expressions(expressions, chosen, seeds=seeds, steps=steps, seed=seed, objectives=names)
    if as_json:
        _json([
            {"expression": e.expression, **_none(e.objectives), "gain_over": _none(e.gains), "reason": e.reason,
             "interval": list(e.interval) if e.gain == e.gain else None}
            for e in found
        ])  # fmt: skip
        return
    others = [name for name in names if name != "gain"]
    heads = ["expression", "gain", "95 % interval", "over GELU", "over SiLU", *others, "reason"]
    rows = (
        [e.expression, e.gain, f"{e.interval[0]:+.3f} {e.interval[1]:+.3f}", e.gains["gelu"], e.gains["silu"],
         *(e.objectives[name] for name in others), e.reason]
        for e in found
    )  # fmt: skip
    console.print(display.table(f"{label(task)}, {seeds} seeds: gain in nats over ReLU", heads, rows))


@app.command()
def show(
    expression: Annotated[str, typer.Argument(metavar="EXPR", help="Such as 'x*sigmoid(beta*x); beta=1'.")],
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw to a .svg or .png file.")] = None,
    as_json: Json = False,
) -> None:
    """Show what an expression is: formula, class, known name, analysis, and a picture."""
    parsed = parse(expression)
    if plot is not None:
        from search.plot import draw  # matplotlib takes half a second to load

        draw(parsed, plot)
    found = describe(parsed)
    if as_json:
        _json(found)
        return
    for heading, lines in card(found, curve(parsed)):
        console.print(heading, style="bold", highlight=False)
        for name, text in lines:
            console.print(f"  {name:<22} {text}".rstrip(), markup=False, highlight=False, soft_wrap=True)


@app.command()
def tabulate(
    config: Annotated[str, typer.Argument(metavar="CONFIG", help="A path, or the name of a shipped config.")],
    *,
    run: Annotated[str | None, typer.Option("--run", help="Name or path of the run folder.")] = None,
    out: Annotated[Path | None, typer.Option(help="CSV file to write; default: table.csv in the run folder.")] = None,
    change: Changes = [],  # noqa: B006
    workers: WorkerCount = None,
    every: Every = EVERY,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Train all classes that a job proposes to the end and write a table for replay; continue where it was left."""
    job = Job.load(config, [*change, *CHANGES])
    with Display(console, quiet=quiet or as_json, every=every) as screen:
        made = tabulated(job, run, workers=workers, screen=screen)
    path = out or made.folder.table
    _print({"table": str(path), "classes": write_table(made, path)}, as_json)


@app.command()
def replay(
    table: Annotated[Path, typer.Argument(metavar="TABLE", help="CSV: expression, and gain or loss0, loss1, ...")],
    *,
    strategies: Annotated[list[str], typer.Option("--strategy", help="Name, or '{name: ..., setting: ...}'.")],
    source: Annotated[str, typer.Option("--grammar", help="That the strategies sample and mutate in.")] = "default",
    budget: Annotated[int, typer.Option(min=1)] = 200,
    repeats: Annotated[int, typer.Option(min=2)] = 100,
    cohort: Annotated[int, typer.Option(min=1, help="Proposals at once.")] = 8,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    as_json: Json = False,
) -> None:
    """Compare strategies on a table of known scores."""
    runs = labelled([settings_of(text) for text in strategies])
    found = replay_table(
        read_table(table), runs, grammar(source), budget=budget, repeats=repeats, cohort=cohort, seed=seed
    )
    if as_json:
        _json(found)
        return
    console.print(display.replay_table(found, "rank", f"Rank of the best, {repeats} repeats: median (quartiles)"))
    console.print(display.replay_table(found, "regret", "What it lacks of the best gain: median (quartiles)"))
    console.print(display.hits_table(found))


@app.command("list")
def list_(
    what: Annotated[
        str, typer.Argument(help="operators, grammars, catalogue, tasks, strategies, objectives or configs.")
    ],
    as_json: Json = False,
) -> None:
    """List what there is."""
    rows = listed(what)
    if as_json:
        _json(rows)
    else:
        console.print(display.table(what, list(rows[0]), ([*row.values()] for row in rows)))


Row = dict[str, Any]


def _results(run: Run, as_json: bool) -> None:
    """The front and the finalists at the end of a job."""
    found = run.confirmation()
    if as_json:
        _json({"status": run.status(), "front": run.front(), "confirmation": found})
        return
    console.print(display.front_table(run.front(), _title(run)))
    if found:
        _confirmation(found, run)
    console.print(f"actsearch export {run.path} --to torch,latex", markup=False, highlight=False, soft_wrap=True)


def _title(run: Run) -> str:
    return display.front_title(run.config.objectives, run.config.aggregate)


def _confirmation(found: Row, run: Run) -> None:
    console.print(display.confirmation_table(found))
    console.print(display.nulls_line(found), highlight=False)
    console.print(display.times_line(found, run.timing()), highlight=False)


def _print(row: Row, as_json: bool) -> None:
    """A dict, one key a line."""
    if as_json:
        _json(row)
        return
    for key, value in row.items():
        shown = (
            json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else display.number(value, ".6g")
        )
        console.print(f"{key:<20} {shown}", markup=False, highlight=False, soft_wrap=True)


def _json(data: object) -> None:
    print(json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False))


def _none(values: dict[str, float]) -> dict[str, float | None]:
    return {key: value if abs(value) < float("inf") else None for key, value in values.items()}


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
