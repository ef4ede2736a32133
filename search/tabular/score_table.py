"""Tables of known scores, for replays: a CSV file with expressions and what training made of them."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evaluators.objectives import OBJECTIVES
from evaluators.training.member import Array
from primitives.equivalence.classes import class_of
from primitives.errors import ActsearchError
from primitives.expression.expression import Expression
from primitives.expression.parsing import parse
from search.errors import ReplayError
from search.strategies.features import shape, size

SCALE = "scale"  # a column


@dataclass(frozen=True)
class Table:
    """Known scores.

    Args:
        expressions: the members.
        objectives: of each member, ``gain`` among them.
        row: of each class.
        shapes: one row a member.
        exact: functions that differ by a factor are two members; else a class is one of scale.
    """

    expressions: tuple[Expression, ...]
    objectives: tuple[dict[str, float], ...]
    row: Mapping[str, int]
    shapes: Array
    exact: bool = False

    @property
    def gains(self) -> Array:
        """Gain of each function, shape (functions,), float64."""
        return np.array([values["gain"] for values in self.objectives])


def read_table(path: Path) -> Table:
    """Read a CSV file as :func:`search.tabular.tabulate.write_table` writes it: ``expression``, and ``gain`` or losses.

    With ``gain``, every column that has the name of an objective counts, and a row without a number failed. Without,
    the gain comes from the losses ``loss0``, ``loss1``, ... by seed: the mean of log(median loss of the column / loss);
    losses at or below 0 are refused. A column ``scale`` that says ``none`` tells that functions were trained as they
    are, so that a factor makes another class. Other columns are passed over. Of rows of one class the first counts.

    Raises:
        ReplayError: names the file, the line and what was expected.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            columns, exact, rows = _scores(path, reader.fieldnames or ()), False, []
            for row in reader:
                exact |= row.get(SCALE) == "none"
                rows.append(_row(path, reader.line_num, row, columns))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ReplayError(f"{path}: cannot be read: {error}") from None
    first: dict[str, tuple[Expression, list[float]]] = {}
    for expression, numbers in rows:
        first.setdefault(class_of(expression, exact=exact), (expression, numbers))
    if len(first) < 2:
        raise ReplayError(f"{path}: expected at least two different functions, found {len(first)}")
    expressions, values = zip(*first.values(), strict=True)
    objectives = _named(columns, values) if "gain" in columns else _gains(values)
    by_class = {key: number for number, key in enumerate(first)}
    shapes = np.array([place_of(expression, exact=exact) for expression in expressions])
    return Table(expressions, objectives, by_class, shapes, exact)


def place_of(expression: Expression, *, exact: bool) -> Array:
    """Where a function lies among others: its shape, with its size where a factor makes another class."""
    return np.append(shape(expression), size(expression)) if exact else shape(expression)


def _scores(path: Path, header: Sequence[str]) -> list[str]:
    """The columns that say how good a row is."""
    losses = [name for name in header if re.fullmatch(r"loss\d+(:[^@]+)?", name)]
    columns = [name for name in header if name in OBJECTIVES] if "gain" in header else losses
    if "expression" not in header or not columns:
        named = ", ".join(header) or "nothing"
        raise ReplayError(f"{path}: expected columns 'expression' and 'gain', or 'loss0', ...; found {named}")
    return columns


def _row(path: Path, line: int, row: Mapping[str, str], columns: Sequence[str]) -> tuple[Expression, list[float]]:
    try:
        return parse(row["expression"]), [float(row[name]) if row[name] != "" else math.nan for name in columns]
    except (ActsearchError, ValueError, TypeError) as error:
        raise ReplayError(f"{path}, line {line}: {error}") from None


def _named(columns: Sequence[str], values: Sequence[Sequence[float]]) -> tuple[dict[str, float], ...]:
    """Objectives by name; the gain is minus infinity where one has no number."""
    rows = [dict(zip(columns, row, strict=True)) for row in values]
    return tuple(row if np.isfinite(list(row.values())).all() else row | {"gain": -math.inf} for row in rows)


def _gains(losses: Sequence[Sequence[float]]) -> tuple[dict[str, float], ...]:
    table = np.array(losses, dtype=np.float64)
    if (table <= 0).any():
        lowest = f"{table[table <= 0].min():g}"
        raise ReplayError(
            f"loss0, ...: expected losses above 0, as gains are ratios, got {lowest}; give a column 'gain'"
        )
    with np.errstate(all="ignore"):
        gains = np.log(np.nanmedian(table, axis=0) / table).mean(axis=1)
    return tuple({"gain": float(gain) if np.isfinite(gain) else -math.inf} for gain in gains)
