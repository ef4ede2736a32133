"""Commands about functions and lists: evaluate, profile, show, monotone, places, fewbit, replay, list."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from search.commands.options import Json, Operators


def evaluate(
    expressions: Annotated[list[str], typer.Argument(metavar="EXPR...", help="Expressions, such as 'x*sigmoid(x)'.")],
    *,
    task: Annotated[
        str, typer.Option(help="A shipped task, or a class in a file, path/to/my_task.py:MyTask; the file is run.")
    ] = "digits",
    seeds: Annotated[int, typer.Option(help="Number of seeds.")] = 8,
    steps: Annotated[int | None, typer.Option(min=1, help="Optimiser steps; default: the task's.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all random numbers.")] = 0,
    initial: Annotated[str | None, typer.Option(help="Initial weights, own or drawn; default: the task's.")] = None,
    scale: Annotated[
        str | None, typer.Option(help="Of the functions, none, unit or critical; default: the task's.")
    ] = None,
    objectives: Annotated[
        str | None, typer.Option(help="Objectives, separated by commas; default: those of a search.")
    ] = None,
    controls: Annotated[
        list[str],
        typer.Option(metavar="EXPR", help="One more control, an expression or a name of the catalogue; repeatable."),
    ] = [],  # noqa: B006
    operators: Operators = [],  # noqa: B006  (typer copies it)
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    as_json: Json = False,
) -> None:
    """Train functions and compare them with the controls, mostly ReLU, GELU and SiLU, on the same seeds.

    On a task of a file they are compared with its network as it stands, too, which is the reference of the gain.
    """
    from evaluators.evaluate import evaluate as evaluate_expressions
    from evaluators.objectives import DEFAULT
    from evaluators.objectives.tryout import try_out_objective
    from evaluators.results.control_labels import label_of
    from evaluators.results.evaluation_codec import evaluation_to_json, evaluations_to_rows
    from evaluators.results.records import reference_name
    from evaluators.tasks import task as find_task
    from evaluators.tasks.conditions import Conditions, conditions_of, under
    from primitives.operators.of_files import register_of_files
    from primitives.quoting import visible
    from primitives.user_file import is_reference, label
    from search.commands.shell import complain, console, print_json, say
    from search.conditions import in_words
    from search.storage.files import csv_text
    from search.terminal import tables

    register_of_files(operators)
    names = DEFAULT if objectives is None else tuple(name.strip() for name in objectives.split(","))
    chosen = under(find_task(task), Conditions(initial, scale))
    for name in filter(is_reference, names):
        try_out_objective(name, chosen, seeds)
    evaluations = evaluate_expressions(
        expressions, task, seeds=seeds, steps=steps, seed=seed, objectives=names, initial=initial, scale=scale,
        controls=controls, say=complain,
    )  # fmt: skip
    for line in tables.control_notes(evaluations):
        complain(line)
    if as_json:
        print_json([evaluation_to_json(each) for each in evaluations])
        return
    if as_csv:
        cells = evaluations_to_rows(evaluations)
        print(visible(csv_text(list(cells[0]), cells)), end="")
        return
    own = reference_name(evaluations[0].gains)
    rivals = [name for name in evaluations[0].gains if name != own]
    heads = ["expression", "gain", "95 % interval", *(f"over {label_of(name)}" for name in rivals), "reason"]
    rows = (
        [e.expression, e.gain, f"{e.interval[0]:+.3f} {e.interval[1]:+.3f}",
         *(e.gains[name] for name in rivals), e.reason]
        for e in evaluations
    )  # fmt: skip
    title = f"{label(task)}, {seeds} seeds: gain in {evaluations[0].unit} over {label_of(own)}"
    console.print(tables.table(title, heads, rows))
    for each in tables.objectives_of(evaluations):
        console.print(each)
    for line in tables.evaluated_readings(evaluations, label_of(own)):
        say(line)
    say(in_words([task], [conditions_of(chosen)]))


def profile(
    expression: Annotated[str, typer.Argument(metavar="EXPR", help="A function of one number, such as 'x*tanh(x)'.")],
    *,
    current: Annotated[
        str | None, typer.Option(metavar="EXPR", help="The function that your network has now, to stand beside it.")
    ] = None,
    sides: Annotated[
        list[str],
        typer.Option("--side", metavar="NAME", help="A side, or a group of sides; repeatable; default: all."),
    ] = [],  # noqa: B006
    task: Annotated[
        str | None, typer.Option(help="A task of your own, path/to/my_task.py:MyTask, as the first side; it is run.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=2, help="Blocks of seeds, of one seed or two each.")] = 8,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all random numbers.")] = 0,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw to a .svg, .png or .pdf file.")] = None,
    operators: Operators = [],  # noqa: B006  (typer copies it)
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    as_json: Json = False,
) -> None:
    """Show what a function is good for: many tasks and objectives, beside ReLU, GELU, SiLU and the nearest known one.

    Each function has its own learning rate on each task. All sides take some 20 minutes of one core.
    """
    from evaluators.profile import Side, chosen_sides
    from evaluators.profile import profile as measure_profile
    from evaluators.profile.codec import profile_to_row
    from evaluators.profile.company import company_of
    from evaluators.tasks import task as find_task
    from evaluators.tasks.tryout import try_out
    from primitives.operators.of_files import register_of_files
    from primitives.quoting import visible
    from search.commands.shell import complain, console, print_json, say
    from search.storage.files import csv_text
    from search.terminal.profile import profile_table, summary

    register_of_files(operators)
    names = company_of(expression, current)
    chosen = chosen_sides(sides)
    if task is not None:
        for note in try_out(find_task(task)):
            complain(note)
        chosen = (Side("own", task), *chosen)
    if plot is not None:
        from search.export.profile_plot import check_path, draw_profile  # matplotlib takes half a second to load

        check_path(plot)
    found = measure_profile(
        list(names), chosen, seeds=seeds, seed=seed, watch=lambda name: complain(f"training {name}")
    )
    if plot is not None:
        draw_profile(found, names, plot)
    rows = [profile_to_row(each, names) for each in found]
    if as_json:
        print_json(rows)
    elif as_csv:
        print(visible(csv_text(list(rows[0]), rows)), end="")
    else:
        console.print(profile_table(found, names))
        say(summary(found, names))


def show(
    expression: Annotated[
        str, typer.Argument(metavar="EXPR", help="An expression, such as 'x*sigmoid(beta*x); beta=1'.")
    ],
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw to a .svg or .png file.")] = None,
    operators: Operators = [],  # noqa: B006  (typer copies it)
    as_json: Json = False,
) -> None:
    """Show what an expression is: formula, kind, class, known name, analysis, and a picture."""
    from primitives.expression.parsing import parse
    from primitives.operators.of_files import register_of_files
    from search.commands.shell import print_json, say
    from search.terminal.card import card
    from search.terminal.inspection import describe
    from search.terminal.inspection_codec import description_to_json

    register_of_files(operators)
    parsed = parse(expression)
    if plot is not None:
        from search.export.plot import draw  # matplotlib takes half a second to load

        draw(parsed, plot)
    description = describe(parsed)
    if as_json:
        print_json(description_to_json(description))
        return
    for heading, lines in card(description):
        say(heading, "bold")
        for name, text in lines:
            say(f"  {name:<22} {text}".rstrip(), whole=True)


def monotone(
    expression: Annotated[
        str, typer.Argument(metavar="EXPR", help="An increasing and convex expression, bounded below: 'softplus(x)'.")
    ],
    operators: Operators = [],  # noqa: B006  (typer copies it)
    as_json: Json = False,
) -> None:
    """Make the three activations of constrained monotonic networks: convex, concave and bounded."""
    from primitives.expression.parsing import parse
    from primitives.monotone import monotone_activations
    from primitives.operators.of_files import register_of_files
    from search.commands.shell import print_json, say
    from search.terminal.proof import activations_to_json

    register_of_files(operators)
    made = activations_to_json(monotone_activations(parse(expression)))
    if as_json:
        print_json(made)
        return
    for name, text in made.items():
        say(f"{name:<8} {text}", whole=True)


def places(
    task: Annotated[
        str, typer.Argument(metavar="TASK", help="A shipped task, or a class in a file, path/to/my_task.py:MyTask.")
    ],
    as_json: Json = False,
) -> None:
    """Show the activations of a task's network: which ones a candidate takes the place of, and which stay."""
    from primitives.user_file import label
    from search.commands.shell import console, print_json, say
    from search.terminal import tables
    from search.terminal.places import HINT, places

    rows = places(task)
    if as_json:
        print_json(rows)
        return
    console.print(tables.table(f"{label(task)}: places", list(rows[0]), ([*row.values()] for row in rows)))
    say(HINT)


def fewbit(
    expression: Annotated[
        str, typer.Argument(metavar="EXPR", help="An expression without parameters, such as 'gelu(x)'.")
    ],
    *,
    bits: Annotated[int, typer.Option(help="Bits kept for an element, 1 to 4.")] = 2,
    fit: Annotated[
        str,
        typer.Option(
            help="What is minimised: slope, E (f' - q)^2 for normal inputs, or value, the squared distance of f and g "
            "on the line."
        ),
    ] = "slope",
    output: Annotated[
        Path | None, typer.Option(metavar="FILE.py", help="Write a torch module that keeps these bits alone.")
    ] = None,
    operators: Operators = [],  # noqa: B006  (typer copies it)
    as_json: Json = False,
) -> None:
    """Find the derivative q of few constant levels for a function f, as paired(f,g) with g' = q.

    The torch module keeps level numbers instead of its input, so it can be differentiated once.
    """
    from primitives.expression.parsing import parse
    from primitives.fewbit.fit import few_bit
    from primitives.operators.of_files import register_of_files
    from search.commands.shell import print_json, say
    from search.export.packed import write_packed
    from search.terminal.fewbit import few_bit_lines, few_bit_to_json

    register_of_files(operators)
    found = few_bit(parse(expression), bits, fit)
    if output is not None:
        write_packed(found.pair, output)
    if as_json:
        print_json(few_bit_to_json(found))
        return
    for line in few_bit_lines(found):
        say(line, whole=True)


def replay(
    table: Annotated[
        Path,
        typer.Argument(
            metavar="TABLE", help="CSV file, or .csv.gz, with columns expression and gain, or loss0, loss1, ..."
        ),
    ],
    *,
    strategies: Annotated[
        list[str], typer.Option("--strategy", help="A strategy's name, or '{name: ..., setting: ...}'; repeatable.")
    ],
    source: Annotated[
        str, typer.Option("--grammar", help="Grammar in which the strategies sample and mutate.")
    ] = "default",
    budget: Annotated[int, typer.Option(min=1, help="Number of evaluations in a repeat.")] = 200,
    repeats: Annotated[int, typer.Option(min=2, help="Number of repeats of each strategy.")] = 100,
    cohort: Annotated[int, typer.Option(min=1, help="Number of proposals at once.")] = 8,
    seeds: Annotated[
        int | None,
        typer.Option(min=1, help="Seeds of the table that a strategy sees, the rest judge; half, at most 2."),
    ] = None,
    baseline: Annotated[
        bool, typer.Option(help="Begin with the results of the table's known functions, as a job does.")
    ] = True,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all random numbers.")] = 0,
    operators: Operators = [],  # noqa: B006  (typer copies it)
    as_json: Json = False,
) -> None:
    """Compare strategies on a table of known scores."""
    from primitives.grammars import grammar
    from primitives.operators.of_files import register_of_files
    from search.commands.shell import console, print_json, say
    from search.strategies import settings_of
    from search.tabular.compare import compare
    from search.tabular.replay import Setting, labelled, said, seen_by_default
    from search.tabular.score_table import read_table
    from search.terminal import tables

    register_of_files(operators)
    runs = labelled([settings_of(text) for text in strategies])
    known = read_table(table)
    setting = Setting(budget, cohort, seeds or seen_by_default(known), baseline, seed)
    comparisons = compare(known, runs, grammar(source), setting, repeats)
    if as_json:
        print_json({name: asdict(row) for name, row in comparisons.items()})
        return
    say(said(known, setting))
    console.print(tables.replay_table(comparisons, "rank", f"Rank of the best, {repeats} repeats: median (quartiles)"))
    console.print(tables.replay_table(comparisons, "regret", "What it lacks of the best gain: median (quartiles)"))
    console.print(tables.hits_table(comparisons))
    console.print(tables.chosen_table(comparisons))


def list_(
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help="operators, grammars, catalogue, tasks, strategies, objectives, configs or targets.",
        ),
    ],
    as_json: Json = False,
) -> None:
    """List what there is."""
    from search.commands.shell import console, print_json
    from search.terminal import tables
    from search.terminal.listing import listed

    rows = listed(what)
    if as_json:
        print_json(rows)
    else:
        console.print(tables.table(what, list(rows[0]), ([*row.values()] for row in rows)))
