"""The recorder: what is written after each cohort, in one place: the journal, the front, the trace."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from evaluators.objectives import DEFAULT, cost, mean_gain
from evaluators.results import CohortResult
from evaluators.results_codec import controls_digest
from evaluators.tasks import label
from primitives.parsing import parse
from search.class_row import ClassRow
from search.cohort_record import CohortRecord, Plan, Planned
from search.config import Config
from search.files import csv_text, write_atomically
from search.rejection import findings
from search.run_folder import RunFolder
from search.study import CohortStudy, History
from search.tally import Tally
from search.trace import append_trace
from search.trace_entry import Best, Findings, TraceEntry


class Recorder:
    """Enters cohorts, in order, into the study, ``front.csv`` and ``cohorts.jsonl``.

    Args:
        folder: of the run.
        study: ends with the trace's last cohort.
        trace: the lines of ``cohorts.jsonl``.
        config: the job's.
    """

    def __init__(self, folder: RunFolder, study: CohortStudy, trace: Sequence[TraceEntry], config: Config) -> None:
        self.folder, self.study, self.config = folder, study, config
        self.tally = Tally.of(trace)
        self._ends = [0, *(entry.trained for entry in trace)]
        self._controls: str = trace[0].controls_sha256 if trace else ""

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
        numbers = range(self._ends[number], self._ends[number + 1])
        trials = [(self.study.trained(n), self.study.trial(n).system_attrs) for n in numbers]
        return Plan(number, [Planned(t.expression, t.key, t.parents, own) for t, own in trials], {})

    def record(self, record: CohortRecord) -> TraceEntry:
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

    def _entry(self, record: CohortRecord) -> TraceEntry:
        controls = controls_digest(record.result)
        self._controls = self._controls or controls
        reasons = Counter(row.reason for row in record.result.candidates if row.reason)
        return TraceEntry(
            cohort=record.plan.number,
            trained=self.study.trials,
            proposed=sum(record.plan.counts.values()),
            counts=record.plan.counts,
            findings=self._findings(record),
            rejected=dict(sorted(reasons.items(), key=lambda item: item[0].code)),
            front=len(self.study.front.numbers),
            best=self._best(),
            null_gains=self._null_gains(record.result),
            controls_sha256=controls,
            controls_repeat=controls == self._controls,
            finished=record.finished,
            proposed_in=record.plan.seconds,
            seconds=record.result.seconds,
            journal_bytes=self.study.journal.length,
            journal_sha256=self.study.journal.digest,
        )

    def _findings(self, record: CohortRecord) -> Findings:
        trials = [self.study.trained(number) for number in range(self._ends[-2], self._ends[-1])]
        return findings(record, trials, self.uncensored(self.cohorts), self.config)

    def _best(self) -> Best | None:
        front = [self.study.trial(number) for number in self.study.front.numbers]
        best = max(front, key=lambda trial: trial.values[0], default=None)
        return None if best is None else Best(self.study.trained(best.number).expression, best.values[0])

    def _null_gains(self, result: CohortResult) -> tuple[float, ...]:
        """Gains of the null controls over ReLU, where the cohort has them; NaN where one is not finite."""
        found = (mean_gain(row, result.relu, self.config.tasks) for row in result.nulls)
        return tuple(gain if math.isfinite(gain) else math.nan for gain in found)


def front_rows(study: CohortStudy, tasks: Sequence[str]) -> list[ClassRow]:
    """The Pareto front, cheapest first."""
    rows = [class_row(study, number, tasks) for number in study.front.numbers]
    return sorted(rows, key=lambda row: (row.cost, -(row.gain or 0.0), row.id))


def class_row(study: CohortStudy, number: int, tasks: Sequence[str]) -> ClassRow:
    """The class of a trial. The cost is shown where it is no objective, too."""
    found, values = study.trained(number), study.values(study.trial(number))
    if values and "cost" not in values:
        values["cost"] = cost(parse(found.expression))
    means = {name: sum(gains) / len(gains) for name, gains in found.gains.items()}
    return ClassRow(
        id=found.id,
        expression=found.expression,
        objectives={name: values.get(name) for name in dict.fromkeys((*study.scoring.objectives, "cost"))},
        gain_over={name: found.gain_over.get(name) for name in ("gelu", "silu")},
        by_task={label(name): means.get(name) for name in tasks},
        reason=found.reason,
        key=found.key,
        parents=found.parents,
    )


def rows_csv(rows: Sequence[ClassRow], objectives: Sequence[str] = DEFAULT) -> str:
    """Rows as CSV, floats in full precision; the header alone where there is no row."""
    cells = [row.cells for row in rows]
    return csv_text(list(cells[0]) if cells else ["id", "expression", *objectives], cells)
