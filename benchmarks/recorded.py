"""What a recorded table holds: rows, failures, the noise of its seeds, how early its order shows, its best functions.

Gains are over ReLU, in nats: log(loss of ReLU / loss) by seed at the end, with the same data and the same split.

    python -m benchmarks.recorded benchmarks/data/recorded/*.csv.gz
"""

from __future__ import annotations

import csv
import io
import re
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import kendalltau

from evaluators.rejection.screens import screen
from evaluators.results.reasons import code_of
from evaluators.training.member import Array
from primitives import parse
from primitives.catalogue import catalogue
from primitives.equivalence.signs import sign_class
from search.tabular.packing import read_text

LOSS = re.compile(r"loss(\d+)(?:@(\d+))?")
END = 0  # the mark of a column without one


@dataclass(frozen=True)
class Curves:
    """A table's rows.

    Args:
        texts: the expressions.
        reasons: why a row has no score, or "".
        gains: mean gain over ReLU of each row, as the job has it; NaN where it failed.
        losses: by mark, (rows, seeds), NaN where it failed before.
    """

    texts: list[str]
    reasons: list[str]
    gains: Array
    losses: dict[int, Array]


def curves(path: Path) -> Curves:
    """A table as ``actsearch tabulate`` writes it, of one task."""
    rows = list(csv.DictReader(io.StringIO(read_text(path))))
    columns: dict[int, list[str]] = {}
    for name in rows[0]:
        if found := LOSS.fullmatch(name):
            columns.setdefault(int(found[2] or END), []).append(name)
    losses = {
        mark: np.array([[_number(row[name]) for name in names] for row in rows]) for mark, names in columns.items()
    }
    return Curves(
        [row["expression"] for row in rows], [row["reason"] for row in rows],
        np.array([_number(row["gain"]) for row in rows]), losses,
    )  # fmt: skip


def _number(text: str) -> float:
    return float(text) if text else np.nan


def tau(first: Array, second: Array) -> float:
    """Kendall's tau of the rows that have both numbers."""
    both = np.isfinite(first) & np.isfinite(second)
    return float(kendalltau(first[both], second[both]).statistic)


def described(path: Path) -> list[str]:
    """Lines for people."""
    table = curves(path)
    end, whole = table.losses[END], np.isfinite(table.gains)
    failed = Counter(reason for reason in table.reasons if reason)
    known = {sign_class(entry.expression, exact=False) for entry in catalogue()}
    is_known = np.array([sign_class(parse(text), exact=False) in known for text in table.texts])
    pairs = [(a, b) for a in range(end.shape[1]) for b in range(a)]
    between = float(np.mean([tau(end[:, a], end[:, b]) for a, b in pairs])) if pairs else np.nan
    advised = [code_of(screen(parse(text))) for text in table.texts]
    lines = [
        f"{path.name}: {len(whole):,} rows, {whole.sum():,} with scores, {is_known.sum()} known; "
        + ", ".join(f"{n} {reason}" for reason, n in failed.most_common()),
        f"  gain: quartiles {' '.join(f'{q:+.3f}' for q in np.nanquantile(table.gains, (0.25, 0.5, 0.75)))}, "
        f"{(table.gains > 0).mean():.1%} above ReLU",
        f"  Kendall's tau between the losses of two seeds {between:.3f}",
        "  with the end: "
        + ", ".join(f"{tau(means, end.mean(axis=1)):.2f} at {mark}" for mark, means in _means(table)),
    ]
    order = np.argsort(-np.nan_to_num(table.gains, nan=-np.inf))
    best = [f"{table.texts[row]}{' (known)' * bool(is_known[row])} {table.gains[row]:+.3f}" for row in order[:10]]
    lines += ["  best: " + "; ".join(best)]
    for code in sorted(set(filter(None, advised))):
        rows = [rank for rank, row in enumerate(order, 1) if advised[row] == code and whole[row]]
        lines += [
            f"  the screens advise against {advised.count(code)} rows ({code}); best rank {min(rows, default='-')}"
        ]
    return lines


def _means(table: Curves) -> list[tuple[int, Array]]:
    marks = sorted(mark for mark in table.losses if mark != END)
    return [(mark, table.losses[mark].mean(axis=1)) for mark in marks[:: max(1, len(marks) // 6)]]


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print("\n".join(described(Path(name))))
