"""The trained classes of a study as flat rows, and ``front.csv``."""

from __future__ import annotations

from collections.abc import Sequence

from evaluators.objectives import DEFAULT, cost
from evaluators.results.records import reference_name
from primitives.expression.parsing import parse
from primitives.user_file import label
from search.engine.rivals import rivals_in
from search.engine.study import Study
from search.records.class_row import ClassRow
from search.records.trial import TrialRecord
from search.storage.files import Cell, csv_text, write_atomically
from search.storage.run_folder import RunFolder


def front_rows(study: Study, tasks: Sequence[str]) -> list[ClassRow]:
    """The Pareto front, cheapest first."""
    rows = _rows(study, study.front_trials, tasks)
    return sorted(rows, key=lambda row: (row.cost, -(row.gain or 0.0), row.id))


def class_rows(study: Study, tasks: Sequence[str]) -> list[ClassRow]:
    """Every trained class, in the order of training."""
    return _rows(study, study.store.trials, tasks)


def known_rows(study: Study, tasks: Sequence[str]) -> list[tuple[str, ClassRow]]:
    """The known functions of the baseline with their names, the one of highest gain first, failures last."""
    best = study.baseline[::-1]
    return list(zip((known.name for known in best), _rows(study, [known.trial for known in best], tasks), strict=True))


def known_cells(rows: Sequence[tuple[str, ClassRow]]) -> list[dict[str, Cell]]:
    """Known functions as flat rows: the name before the columns of ``front.csv``."""
    return [{"name": name, **row.cells} for name, row in rows]


def _rows(study: Study, trials: Sequence[TrialRecord], tasks: Sequence[str]) -> list[ClassRow]:
    rivals = rivals_in(trials)
    others = [name for name in rivals if name != reference_name(rivals)]
    unit = study.unit(tasks)
    return [_row(trial, study.scoring.objectives, tasks, others, unit) for trial in trials]


def _row(
    trial: TrialRecord, objectives: Sequence[str], tasks: Sequence[str], others: Sequence[str], unit: str
) -> ClassRow:
    """The class of a trial. The cost is shown where it is no objective, too."""
    values = dict(trial.objectives)
    if values and "cost" not in values:
        values["cost"] = cost(parse(trial.expression))
    means = {name: sum(gains) / len(gains) for name, gains in trial.gains.items()}
    return ClassRow(
        id=trial.id,
        expression=trial.expression,
        objectives={name: values.get(name) for name in dict.fromkeys((*objectives, "cost"))},
        gain_over={name: trial.gain_over.get(name) for name in others},
        by_task={label(name): means.get(name) for name in tasks},
        unit=unit,
        reason=trial.reason,
        key=trial.key,
        parents=trial.parents,
    )


def rows_csv(rows: Sequence[ClassRow], objectives: Sequence[str] = DEFAULT) -> str:
    """Rows as CSV, floats in full precision; the header alone where there is no row."""
    cells = [row.cells for row in rows]
    return csv_text(list(cells[0]) if cells else ["id", "expression", *objectives], cells)


def known_csv(rows: Sequence[tuple[str, ClassRow]], objectives: Sequence[str] = DEFAULT) -> str:
    """Known functions as CSV, the name first."""
    cells = known_cells(rows)
    return csv_text(list(cells[0]) if cells else ["name", "id", "expression", *objectives], cells)


def write_front_csv(folder: RunFolder, study: Study, tasks: Sequence[str]) -> None:
    """Write ``front.csv``, which is derived: it is not waited for.

    Raises:
        FileError: it cannot be written.
    """
    write_atomically(folder.front, rows_csv(front_rows(study, tasks), study.scoring.objectives), sync=False)
