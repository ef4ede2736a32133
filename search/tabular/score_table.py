"""Tables of known scores, for replays: a CSV file with expressions and what training made of them."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluators.objectives import OBJECTIVES
from evaluators.training.member import Array
from primitives.catalogue import catalogue
from primitives.equivalence.classes import class_of
from primitives.equivalence.signs import sign_class
from primitives.errors import ActsearchError
from primitives.expression.expression import Expression
from primitives.expression.parsing import parse
from primitives.quoting import quoted
from search.errors import ReplayError
from search.strategies.features import shape, size
from search.tabular.packing import read_text

SCALE = "scale"  # a column
ROWS, COLUMNS = 1_000_000, 10_000  #: at most, of a table; a field has at most 131,072 characters


@dataclass(frozen=True)
class Losses:
    """What training gave by seed, each at its own split of the data where the task draws one.

    Args:
        candidates: (functions, seeds, learning rates), float64; not finite where training failed.
        reference: (seeds, learning rates).
    """

    candidates: Array
    reference: Array

    @property
    def seeds(self) -> int:
        """How many there are."""
        return int(self.candidates.shape[1])

    def gains(self, seeds: Sequence[int]) -> Array:
        """Mean log(reference / loss) over some seeds, each at the learning rate that is best on these alone.

        Returns:
            One gain a function; minus infinity where one of the losses is not finite.
        """
        with np.errstate(all="ignore"):
            chosen, reference = (
                _at_best_rate(losses[..., list(seeds), :]) for losses in (self.candidates, self.reference)
            )
            gains = np.log(reference / chosen).mean(axis=-1)
        return np.where(np.isfinite(gains), gains, -np.inf)


def _at_best_rate(losses: Array) -> Array:
    """Losses (..., seeds) out of (..., seeds, rates)."""
    means = losses.mean(axis=-2)
    best = np.where(np.isfinite(means), means, np.inf).argmin(axis=-1)
    return np.take_along_axis(losses, best[..., None, None], axis=-1)[..., 0]


@dataclass(frozen=True)
class Table:
    """Known scores.

    Args:
        expressions: the members, each of a class of its own.
        objectives: of each member, ``gain`` among them.
        losses: by seed, where the file has them.
        exact: functions that differ by a factor are two members; else a class is one of scale.
    """

    expressions: tuple[Expression, ...]
    objectives: tuple[dict[str, float], ...]
    losses: Losses | None = None
    exact: bool = False

    @property
    def gains(self) -> Array:
        """Gain of each function, shape (functions,), float64."""
        return np.array([values["gain"] for values in self.objectives])

    @cached_property
    def row(self) -> Mapping[str, int]:
        """The row of each class."""
        return {class_of(each, exact=self.exact): number for number, each in enumerate(self.expressions)}

    @cached_property
    def shapes(self) -> Array:
        """Where each function lies among the others, one row a member."""
        return np.array([place_of(each, exact=self.exact) for each in self.expressions])

    @cached_property
    def _squares(self) -> Array:
        return np.asarray((self.shapes**2).sum(axis=1))

    def distances(self, place: Array) -> Array:
        """Squared distance of each function from a place, up to a constant."""
        return np.asarray(self._squares - 2.0 * (self.shapes @ place))

    @cached_property
    def known(self) -> NDArray[np.bool_]:
        """Which functions the catalogue has, up to signs; shape (functions,), bool."""
        classes = {sign_class(entry.expression, exact=self.exact) for entry in catalogue()}
        return np.array([sign_class(each, exact=self.exact) in classes for each in self.expressions])


def read_table(path: Path) -> Table:
    """Read a CSV file as :func:`search.tabular.tabulate.write_table` writes it: ``expression``, and ``gain`` or losses.

    One whose name ends in ``.gz`` is packed by gzip.

    With ``gain``, every column that has the name of an objective counts, and a row without a number failed. Without,
    the gain comes from the losses ``loss0``, ``loss1``, ... by seed: the mean of log(median loss of the column / loss);
    losses at or below 0 are refused. Where there are several seeds, all above 0, the table has losses by seed; those
    beside ``gain`` of several tasks do not count. A column ``scale`` that says ``none`` tells that functions were
    trained as they are, so that a factor makes another class. Other columns are passed over. Of rows of one class the
    first counts.

    Raises:
        ReplayError: names the file, the line and what was expected.
    """
    try:
        reader = csv.DictReader(io.StringIO(read_text(path), newline=""))
        header = reader.fieldnames or ()
        if len(header) > COLUMNS:
            raise ReplayError(f"{path}: expected at most {COLUMNS:,} columns, got {len(header):,}")
        scores, losses = _scores(path, header), _losses(header)
        exact, rows = False, []
        for row in reader:
            exact |= row.get(SCALE) == "none"
            rows.append(_row(path, reader.line_num, row, [*scores, *losses]))
            if len(rows) > ROWS:
                raise ReplayError(f"{path}: expected at most {ROWS:,} rows, got more")
    except OSError as error:
        raise ReplayError(f"{path}: cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise ReplayError(f"{path}: cannot be read: {error}") from None
    first: dict[str, tuple[Expression, list[float]]] = {}
    for expression, numbers in rows:
        first.setdefault(class_of(expression, exact=exact), (expression, numbers))
    if len(first) < 2:
        raise ReplayError(f"{path}: expected at least two different functions, found {len(first)}")
    expressions, values = zip(*first.values(), strict=True)
    by_score = [row[: len(scores)] for row in values]
    objectives = _named(scores, by_score) if "gain" in scores else _gains(by_score)
    return Table(expressions, objectives, _by_seed([row[len(scores) :] for row in values]), exact)


def place_of(expression: Expression, *, exact: bool) -> Array:
    """Where a function lies among others: its shape, with its size where a factor makes another class."""
    return np.append(shape(expression), size(expression)) if exact else shape(expression)


def _scores(path: Path, header: Sequence[str]) -> list[str]:
    """The columns that say how good a row is."""
    losses = [name for name in header if re.fullmatch(r"loss\d+(:[^@]+)?", name)]
    columns = [name for name in header if name in OBJECTIVES] if "gain" in header else losses
    if "expression" not in header or not columns:
        named = quoted(", ".join(header))[1:-1] or "nothing"
        raise ReplayError(f"{path}: expected columns 'expression' and 'gain', or 'loss0', ...; found {named}")
    return columns


def _losses(header: Sequence[str]) -> list[str]:
    """The columns of the losses of a single task by seed."""
    return [name for name in header if re.fullmatch(r"loss\d+", name)]


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


def _by_seed(losses: Sequence[Sequence[float]]) -> Losses | None:
    """Losses of several seeds against the median of each; None where they are no ratios' losses."""
    table = np.array(losses, dtype=np.float64)
    if table.shape[1] < 2 or (table <= 0).any() or np.isnan(table).all(axis=0).any():
        return None
    with np.errstate(all="ignore"):
        return Losses(table[..., None], np.nanmedian(table, axis=0)[:, None])
