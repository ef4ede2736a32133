"""The recorder: what is written after each cohort, in one place: the journal, the front, the trace."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

from evaluators.objectives import DEFAULT, cost, gains
from evaluators.tasks import label
from primitives.parsing import parse
from search.config import Config
from search.files import csv_text, write_atomically
from search.proposer import Plan
from search.rejection import findings
from search.run_folder import RunFolder
from search.study import CohortStudy, History
from search.tally import Tally
from search.trace import append_trace

Row = dict[str, Any]


class Recorder:
    """Enters cohorts, in order, into the study, ``front.csv`` and ``cohorts.jsonl``.

    Args:
        folder: of the run.
        study: ends with the trace's last cohort.
        trace: the lines of ``cohorts.jsonl``.
        config: the job's.
    """

    def __init__(self, folder: RunFolder, study: CohortStudy, trace: list[Row], config: Config) -> None:
        self.folder, self.study, self.config = folder, study, config
        self.tally = Tally.of(trace)
        self._ends = [0, *(entry["trained"] for entry in trace)]
        self._controls: str = trace[0]["controls_sha256"] if trace else ""

    @property
    def cohorts(self) -> int:
        """Number of cohorts recorded."""
        return len(self._ends) - 1

    def history(self, cohorts: int) -> History:
        """Results of the first cohorts."""
        return self.study.history(self._ends[max(0, cohorts)])

    def uncensored(self, cohorts: int) -> list[list[float]]:
        """The calibration set of early rejection after the first cohorts."""
        end = self._ends[max(0, cohorts)]
        return [row for number, row in self.study.uncensored if number < end]

    def plan(self, number: int) -> Plan:
        """What a recorded cohort proposed."""
        trials = (self.study.trial(n) for n in range(self._ends[number], self._ends[number + 1]))
        keys = ("expression", "class", "parents")
        rows = [{key: t.user_attrs[key] for key in keys} | {"attributes": t.system_attrs} for t in trials]
        return Plan(number, rows, {})

    def record(self, record: Row) -> Row:
        """Enter a finished cohort; return its line of the trace."""
        self.study.add(record)
        self._ends.append(self.study.trials)
        self.write_front()
        entry = self._entry(record)
        append_trace(self.folder.trace, entry)
        self.tally.add(entry)
        return entry

    def write_front(self) -> None:
        """Write ``front.csv``."""
        write_atomically(
            self.folder.front, rows_csv(front_rows(self.study, self.config.tasks), self.study.scoring.objectives)
        )

    def _entry(self, record: Row) -> Row:
        controls = hashlib.sha256(json.dumps(record["result"]["controls"]).encode()).hexdigest()
        self._controls = self._controls or controls
        rows = record["result"]["candidates"]
        reasons = [row["reason"] for row in rows if row["reason"]]
        best = max((self.study.trial(n) for n in self.study.front.numbers), key=lambda t: t.values[0], default=None)
        return {
            "cohort": record["cohort"],
            "trained": self.study.trials,
            "proposed": sum(record["counts"].values()),
            "counts": record["counts"],
            "rejection": self._rejection(record),
            "rejected": {reason: reasons.count(reason) for reason in sorted(set(reasons))},
            "front": len(self.study.front.numbers),
            "best": None if best is None else {"expression": best.user_attrs["expression"], "gain": best.values[0]},
            "null_gains": self._null_gains(record["result"]),
            "controls_sha256": controls,
            "controls_repeat": controls == self._controls,
            "finished": record["finished"],
            "proposed_in": record.get("proposed_in"),
            "seconds": record["result"]["seconds"],
            "journal_bytes": self.study.journal.length,
            "journal_sha256": self.study.journal.digest,
        }

    def _rejection(self, record: Row) -> Row:
        attributes = [self.study.trial(number).user_attrs for number in range(self._ends[-2], self._ends[-1])]
        return findings(record, attributes, self.uncensored(self.cohorts), self.config)

    def _null_gains(self, result: Row) -> list[float | None]:
        """Gains of the null controls over ReLU, where the cohort has them; None where one is not finite."""
        found = [float(gains(row, result["controls"]["relu"], self.config.tasks).mean()) for row in result["nulls"]]
        return [value if math.isfinite(value) else None for value in found]


def front_rows(study: CohortStudy, tasks: tuple[str, ...]) -> list[Row]:
    """The Pareto front, cheapest first."""
    rows = [trial_row(study, number, tasks) for number in study.front.numbers]
    return sorted(rows, key=lambda row: (row["cost"], -row["gain"], row["id"]))


def trial_row(study: CohortStudy, number: int, tasks: tuple[str, ...]) -> Row:
    """One class as a flat row; numbers are None where it failed. The cost is shown where it is no objective, too."""
    trial = study.trial(number)
    a, values = trial.user_attrs, study.values(trial)
    if values and "cost" not in values:
        values["cost"] = cost(parse(a["expression"]))
    by_task = {f"gain_{label(name)}": sum(g) / len(g) if (g := a["gains"].get(name)) else None for name in tasks}
    return {
        "id": a["id"],
        "expression": a["expression"],
        **{name: values.get(name) for name in dict.fromkeys((*study.scoring.objectives, "cost"))},
        "gain_over_gelu": a["gain_over"].get("gelu"),
        "gain_over_silu": a["gain_over"].get("silu"),
        **by_task,
        "reason": a["reason"],
        "class": a["class"],
        "parents": " ".join(a["parents"]),
    }


def rows_csv(rows: list[Row], objectives: tuple[str, ...] = DEFAULT) -> str:
    """Rows as CSV, floats in full precision; the header alone where there is no row."""
    return csv_text(list(rows[0]) if rows else ["id", "expression", *objectives], rows)
