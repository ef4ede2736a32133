"""Export: one folder for each function, with its source in other languages and a card of evidence."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from primitives.analysis import critical, critical_scale, output_factor
from primitives.errors import LoweringError, nearest
from primitives.expression.parsing import parse
from primitives.lowering import files, find_target, lacks
from primitives.quoting import command, quoted
from search.confirmation import Confirmation
from search.engine.rows import class_rows, front_rows, known_rows
from search.engine.study import Study
from search.errors import DamageError, RunError
from search.export.exported import Exported
from search.export.function_card import evidence, function_card, pictured
from search.export.lineage import ancestors
from search.records.class_row import ClassRow, best_of
from search.run import Run
from search.storage.folders import write_folders

ANCESTORS = 12  # on a card


def export(
    run: Run, ids: Sequence[str], to: Sequence[str], out: Path | None = None, *, raw: bool = False
) -> list[Path]:
    """Write functions of a run in other languages, each with its card, picture and self-tests in a folder of its own.

    Args:
        run: where they were found.
        ids: candidates as in ``front.csv``, or short forms as in the confirmation; none for the confirmed finalists,
            or else the front's best.
        to: targets; names, or references to targets in files. One that lacks the kind of a function is left out for
            it, and its card says why.
        out: folder to write to; the run's ``exports`` by default.
        raw: write f as it was found and the factor beside it, instead of factor * f; where a task's scale is none, f is
            written as it is. Where all have the scale critical, the same holds for the factor of the input.

    Returns:
        The files written. Nothing is written if one of them cannot be.

    Raises:
        RunError: an id is not in the run; the message names the nearest one.
        UserFileError: a target of a file cannot be used.
        FileError: a file cannot be written.
        LoweringError: a target is unknown, or it has no word for an operator; the message names both. Or all targets
            lack the kind of a function.
    """
    folder = out or run.folder.exports
    if os.path.lexists(folder) and not os.path.isdir(folder):
        raise RunError(f"{folder} is there and no folder; export writes a folder for each function into one")
    for target in to:
        find_target(target)
    with run.looking():
        written = _written(run, ids, to, raw)
    write_folders(folder, written)
    return [folder / path for path in written]


def _written(run: Run, ids: Sequence[str], to: Sequence[str], raw: bool) -> dict[Path, str | bytes]:
    """What is written, by the path in the folder to write to."""
    study, confirmation = run.read(), run.confirmation()
    tasks = run.config.tasks
    rows = {row.id: row for row in [*class_rows(study, tasks), *(row for _, row in known_rows(study, tasks))]}
    chosen = _chosen(run, ids, rows, confirmation) or [_best(run, study)]
    written: dict[Path, str | bytes] = {}
    for row in chosen:
        written |= _folder(run, row, rows, study.trials, confirmation, to, raw)
    return written


def _chosen(
    run: Run, ids: Sequence[str], rows: Mapping[str, ClassRow], confirmation: Confirmation | None
) -> list[Exported]:
    """The functions that were named, or else the confirmed ones; none where there are none."""
    tested = confirmation.finalists if confirmation else ()
    known = {row.id: Exported(row.id, row.expression, row.cost, row) for row in rows.values()}
    for finalist in (row.finalist for row in tested):
        if finalist.original not in known:
            raise DamageError(f"{run.folder.confirmation}: finalist {finalist.id} is not in the run")
        if finalist.of:
            known[finalist.id] = Exported(finalist.id, finalist.expression, finalist.cost, rows[finalist.original])
    for name in ids:
        if name not in known:
            shown = command("front", run.path, "--all")
            raise RunError(f"{run.path} has no candidate {quoted(name)}{nearest(name, known)}; see {shown}")
    confirmed = [row.finalist.id for row in tested if row.verdict.confirmed]
    return [known[name] for name in dict.fromkeys(ids or confirmed)]


def _best(run: Run, study: Study) -> Exported:
    """The front's member of highest gain."""
    front = front_rows(study, run.config.tasks)
    if not front:
        raise RunError(f"{run.path}: nothing to export: the front is empty")
    best = best_of(front)
    return Exported(best.id, best.expression, best.cost, best)


def _folder(
    run: Run,
    row: Exported,
    rows: Mapping[str, ClassRow],
    trained: int,
    confirmation: Confirmation | None,
    to: Sequence[str],
    raw: bool,
) -> dict[Path, str | bytes]:
    """The files of one function, by their path below the folder of exports."""
    from search.export.plot import picture  # matplotlib takes half a second to load

    expression = parse(row.expression)
    lacking = {target: why for target in to if (why := lacks(expression, target))}
    if len(lacking) == len({*to}):
        raise LoweringError(next(iter(lacking.values())))
    name = f"act_{row.id.replace('.', '_').replace('-', '_')}"
    if not name.isidentifier():
        raise RunError(f"{run.path}: {quoted(row.id)} is no id of a candidate")
    scale = run.config.scale
    applied = critical(expression) if scale == "critical" else expression
    factors, exact = [output_factor(part) for part in applied.parts], scale == "none"
    written = [1.0] * len(factors) if raw or exact else factors
    made: dict[str, str | bytes] = {}
    for target in to:
        made |= {} if target in lacking else files(expression if raw else applied, target, name=name, factor=written)
    pictures = pictured(expression, name)
    lineage = ancestors(row.origin.id, rows, ANCESTORS)
    card = function_card(
        name,
        expression,
        factors=factors,
        inputs=[critical_scale(part) for part in expression.parts] if scale == "critical" else (),
        raw=raw,
        exact=exact,
        evidence=evidence(run.name, run.config, row, trained, confirmation, unit=run.unit),
        lineage=[row.origin, *lineage] if row.is_short_form else lineage,
        files=list(made),
        lacking=list(lacking.values()),
    )
    made |= {file: picture(part, ".svg") for file, part in pictures.items()}
    made["README.md"] = card
    return {Path(name) / file: data for file, data in made.items()}
