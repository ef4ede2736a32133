"""The funnel: how many candidates were left after each step, and why the others were dropped."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from evaluators.results.reasons import Reason
from search.records.cohort import Passed
from search.report.run_data import RunData


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the funnel: its name, how many are left, and their share of all that were proposed."""

    name: str
    count: int
    share: float


@dataclass(frozen=True, slots=True)
class Loss:
    """How many left for one reason: before training by a screen or as known, or while they were trained."""

    where: str
    reason: str
    meaning: str
    count: int


def steps(run_data: RunData) -> list[Step]:
    """From all that was proposed to what was confirmed; the last steps only where there was a confirmation."""
    counts = _counts(run_data)
    finished = [c for c in run_data.candidates if c.gain is not None]
    rows = [
        ("proposed", counts.total()),
        ("passed the screens", counts[Passed.ACCEPTED] + counts[Passed.KNOWN]),
        ("new class, trained", len(run_data.candidates)),
        ("trained to the end", len(finished)),
        (f"lower loss than {run_data.reference} in the search", sum(c.better for c in finished)),
        ("on the Pareto front", len(run_data.front)),
    ]
    if run_data.confirmation:
        rows += [
            ("finalists, trained on fresh seeds", len(run_data.finalists)),
            ("confirmed", sum(row.verdict.confirmed for row in run_data.finalists)),
        ]
    most = max(1, rows[0][1], len(run_data.candidates))
    return [Step(name, count, count / most) for name, count in rows]


def losses(run_data: RunData) -> list[Loss]:
    """Why candidates went, the most frequent first, before training and then in it."""
    counts = _counts(run_data)
    screened = [(why, count) for why, count in counts.most_common() if isinstance(why, Reason)]
    before = [Loss("screen", reason.code, reason.meaning, count) for reason, count in screened]
    if known := counts[Passed.KNOWN]:
        before.insert(0, Loss("known", "known", "its class was trained before, or is a control's", known))
    trained = Counter(c.trial.reason for c in run_data.candidates if c.trial.reason)
    after = [Loss("training", reason.code, reason.meaning, count) for reason, count in trained.most_common()]
    return before + after


def _counts(run_data: RunData) -> Counter[Passed | Reason]:
    total: Counter[Passed | Reason] = Counter()
    for entry in run_data.trace:
        total.update(entry.counts)
    return total
