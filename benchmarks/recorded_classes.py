"""Which row of a recorded table stands for each expression of its grammar: so other tools need none of our classes.

Columns: ``expression``, each derivation of the grammar once; ``row``, the expression of the table's row that is the
same function up to a factor, empty where there is none; ``reason``, why there is none: the screen that it fails, or
``control``, as what all rows are trained beside has no row.

    python -m benchmarks.recorded_classes aquasurf benchmarks/data/recorded/mnist1d-cnn.csv.gz classes.csv.gz
"""

from __future__ import annotations

import sys
from collections import Counter
from functools import cache
from pathlib import Path

from evaluators.controls import CONTROLS
from evaluators.rejection.screens import screen
from evaluators.results.reasons import code_of
from primitives import parse
from primitives.equivalence.classes import class_of
from primitives.expression.expression import Expression
from primitives.grammars import grammar
from search.storage.files import csv_text
from search.tabular.packing import write_text
from search.tabular.score_table import read_table

COLUMNS = ("expression", "row", "reason")
CONTROL, MISSING = "control", "not-recorded"


def stands_for(expression: Expression, rows: dict[str, str]) -> dict[str, str]:
    """Row and reason of one expression; ``rows`` are texts by class."""
    key = class_of(expression, exact=False)
    if row := rows.get(key, ""):
        return {"expression": expression.text, "row": row, "reason": ""}
    reason = CONTROL if key in _controls() else code_of(screen(expression)) or MISSING
    return {"expression": expression.text, "row": "", "reason": reason}


@cache
def _controls() -> set[str]:
    return {class_of(parse(text), exact=False) for text in CONTROLS.values()}


def main(name: str, table: str, out: str) -> None:
    recorded = read_table(Path(table))
    rows = {class_of(each, exact=False): each.text for each in recorded.expressions}
    found = [stands_for(each, rows) for each in grammar(name).enumerate()]
    write_text(Path(out), csv_text(COLUMNS, found))
    counts = Counter(row["reason"] or "recorded" for row in found)
    print(f"{out}: {len(found):,} expressions, {len(rows):,} rows;", ", ".join(f"{n:,} {w}" for w, n in counts.items()))


if __name__ == "__main__":
    main(*sys.argv[1:])
