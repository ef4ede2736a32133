"""Export: one folder for each function, with its source in other languages and a card of evidence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evaluators.initialisation import output_factor
from evaluators.tasks import label
from primitives.catalogue import known_name
from primitives.errors import ActsearchError, nearest
from primitives.expressions import Expression
from primitives.lowering import files, targets
from primitives.text import parse
from search.errors import RunError
from search.files import write_atomically
from search.run import Run

Row = dict[str, Any]


def export(
    run: Run, ids: Sequence[str], to: Sequence[str], out: Path | None = None, *, raw: bool = False
) -> list[Path]:
    """Write functions of a run in other languages.

    Args:
        run: where they were found.
        ids: candidates as in ``front.csv``; none for the confirmed finalists, or else the front's best.
        to: targets.
        out: folder to write to; the run's ``exports`` by default.
        raw: write f as it was found and the factor beside it, instead of factor * f.

    Returns:
        The files written.

    Raises:
        RunError: an id is not in the run; the message names the nearest one.
        ActsearchError: a target is unknown.
    """
    unknown = [target for target in to if target not in targets()]
    if unknown:
        raise ActsearchError(
            f"unknown target {unknown[0]!r}{nearest(unknown[0], targets())}; there are {', '.join(targets())}"
        )
    rows = _chosen(run, ids)
    return [path for row in rows for path in _write(run, row, to, out or run.folder.exports, raw)]


def _chosen(run: Run, ids: Sequence[str]) -> list[Row]:
    by_id = {row["id"]: row for row in run.classes()}
    for name in ids:
        if name not in by_id:
            raise RunError(
                f"{run.path} has no candidate {name!r}{nearest(name, by_id)}; see actsearch front {run.name}"
            )
    if ids:
        return [by_id[name] for name in ids]
    confirmed = [f["id"] for f in (run.confirmation() or {"finalists": []})["finalists"] if f["confirmed"]]
    front = run.front()
    if not front:
        raise RunError(f"{run.path}: the front is empty; there is nothing to export")
    best = max(front, key=lambda row: float(row["gain"]))
    return [by_id[name] for name in confirmed or [best["id"]]]


def _write(run: Run, row: Row, to: Sequence[str], out: Path, raw: bool) -> list[Path]:
    expression = parse(row["expression"])
    name = f"act_{row['id'].replace('.', '_')}"
    factor = output_factor(expression)
    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for target in to:
        for file, text in files(expression, target, name=name, factor=1.0 if raw else factor).items():
            write_atomically(folder / file, text)
            paths.append(folder / file)
    card = folder / "README.md"
    write_atomically(card, _card(run, row, expression, factor, raw))
    return [*paths, card]


def _card(run: Run, row: Row, expression: Expression, factor: float, raw: bool) -> str:
    """What the function is, and the evidence for it."""
    known = known_name(expression)
    applied = "left out of the files; multiply by it" if raw else "written into the files"
    lines = [
        f"# act_{row['id'].replace('.', '_')}",
        "",
        f"    f(x) = {expression.text}",
        "",
        f"- factor: {factor!r}, 1/sqrt(E f(z)^2) for a standard normal z; {applied}",
        f"- known as: {f'{known.name} ({known.relation})' if known else 'no function of the catalogue'}",
        f"- found in run `{run.name}`, candidate {row['id']}, parents: {row['parents'] or 'none'}",
        f"- search: gain {_number(row['gain'])} nats over ReLU on {', '.join(map(label, run.config.tasks))}, "
        f"{run.config.training.seeds} seeds; cost {_number(row['cost'])} ReLUs",
        *_evidence(run, row["id"]),
    ]
    return "\n".join(lines) + "\n"


def _evidence(run: Run, name: str) -> list[str]:
    found = run.confirmation()
    row = next((f for f in found["finalists"] if f["id"] == name), None) if found else None
    if found is None or row is None:
        return ["- confirmation: none for this candidate"]
    if not row["gains"]:
        return [f"- confirmation: failed ({row['reason']})"]
    seeds = found["setting"]["seeds"]
    return [
        f"- confirmation on {seeds} fresh seeds, held-out data: "
        + ", ".join(f"{_number(g['mean'])} over {control}" for control, g in row["gains"].items()),
        f"- against {row['best_control']}, its best control: Holm-corrected p = {_number(row['p_holm'])}, "
        f"{'confirmed' if row['confirmed'] else 'not confirmed'}",
    ]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
