"""Tables of known scores, for replays: a CSV file with expressions and what training made of them."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evaluators.member import Array
from primitives.errors import ActsearchError
from primitives.expressions import Expression
from primitives.text import parse
from search.errors import ReplayError
from search.strategies.features import shape


@dataclass(frozen=True)
class Table:
    """Known scores.

    Args:
        expressions: the members.
        objectives: of each member, ``gain`` among them.
        row: of each scale class.
        shapes: one row a member.
    """

    expressions: tuple[Expression, ...]
    objectives: tuple[dict[str, float], ...]
    row: Mapping[str, int]
    shapes: Array

    @property
    def gains(self) -> Array:
        return np.array([values["gain"] for values in self.objectives])


def read_table(path: Path) -> Table:
    """Read a CSV file: ``expression``, then ``gain`` and other objectives, or losses ``loss0``, ``loss1``, ... by seed.

    From losses the gain is the mean over the seeds of log(median loss of the column / loss). Of rows of one class the
    first counts.

    Raises:
        ReplayError: names the file, the line and what was expected.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            columns = [name for name in reader.fieldnames or () if name != "expression"]
            losses = [name for name in columns if name.startswith("loss")]
            if "expression" not in (reader.fieldnames or ()) or not (losses or "gain" in columns):
                found = ", ".join(reader.fieldnames or ()) or "nothing"
                raise ReplayError(f"{path}: expected columns 'expression' and 'gain', or 'loss0', ...; found {found}")
            rows = [_row(path, reader.line_num, row, losses or columns) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ReplayError(f"{path}: cannot be read: {error}") from None
    rows = list({expression.scale_class(): (expression, values) for expression, values in reversed(rows)}.values())[
        ::-1
    ]
    if len(rows) < 2:
        raise ReplayError(f"{path}: expected at least two different functions, found {len(rows)}")
    expressions = tuple(expression for expression, _ in rows)
    values = [numbers for _, numbers in rows]
    objectives = _gains(values) if losses else [dict(zip(columns, row, strict=True)) for row in values]
    return Table(
        expressions,
        tuple(objectives),
        {expression.scale_class(): number for number, expression in enumerate(expressions)},
        np.array([shape(expression) for expression in expressions]),
    )


def _row(path: Path, line: int, row: dict[str, Any], columns: Sequence[str]) -> tuple[Expression, list[float]]:
    try:
        return parse(row["expression"]), [float(row[name]) for name in columns]
    except (ActsearchError, ValueError, TypeError) as error:
        raise ReplayError(f"{path}, line {line}: {error}") from None


def _gains(losses: Sequence[Sequence[float]]) -> list[dict[str, float]]:
    table = np.array(losses, dtype=np.float64)
    with np.errstate(all="ignore"):
        gains = np.log(np.nanmedian(table, axis=0) / table).mean(axis=1)
    return [{"gain": float(gain)} if np.isfinite(gain) else {"gain": -np.inf} for gain in gains]
