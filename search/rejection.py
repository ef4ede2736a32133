"""Early rejection in a job: who is trained to the end by rule, the thresholds of a cohort, and what the audit found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from evaluators.member import Schedule
from evaluators.rejection import SMALLEST_SET, UNPROMISING, Aim, best_rows, calibrate, promise
from evaluators.screens import SOFT
from evaluators.seeds import lot
from evaluators.statistics import share_interval
from evaluators.tasks import task
from search.config import Config
from search.proposer import Plan

Row = dict[str, Any]

#: Reasons to be spared that make a candidate a row of the calibration set. The screens' audit is another population.
CALIBRATING = frozenset({"warm-up", "audit"})


def ruled(plan: Plan, config: Config, first: int, uncensored: Sequence[Sequence[float]]) -> Plan:
    """A plan with its spared candidates and its thresholds.

    Args:
        plan: as proposed.
        config: the job's.
        first: the number in the job of the plan's first candidate. Numbers and lots decide, not quality.
        uncensored: the calibration set, as far as this cohort may know it.
    """
    reasons = [_why_spared(config, first + slot) for slot in range(len(plan.proposals))]
    rows = [({"spared": why} if why else {}) | row for row, why in zip(plan.proposals, reasons, strict=True)]
    if all("spared" in row for row in rows):
        return replace(plan, proposals=rows)
    work = [steps for schedule in schedules(config) for steps in schedule.work]
    return replace(plan, proposals=rows, thresholds=calibrate(np.array(uncensored), work, aim_of(config)))


def aim_of(config: Config) -> Aim:
    """What a job's rejection has to hold."""
    return Aim(config.rejection.recall, config.rejection.top)


def _why_spared(config: Config, number: int) -> str:
    if number < config.rejection.warmup:
        return "warm-up"
    return "audit" if lot(config.seed, "audit", number) < config.rejection.audit else ""


def schedules(config: Config) -> list[Schedule]:
    """How long and at which learning rates each task is trained. Their marks, task after task, are the stages."""
    t = config.training
    rates = [t.learning_rates or task(name).learning_rates for name in config.tasks]
    return [Schedule(t.steps, t.rungs, own, t.drop_worst_rate) for own in rates]


def promises(record: Row, row: Row, gain: float | None) -> list[float | None]:
    """A trained candidate as a row of the calibration set: its promise at each stage, at the end its gain's negative.

    None stands for infinity, from a failure on. Empty if it says nothing: its worker died, or ReLU has no loss.
    """
    relu = record["result"]["controls"]["relu"]["losses"]
    stages = [(name, mark) for name in record["tasks"] for mark in sorted(relu[name], key=int)]
    reached = [(name, mark) for name, mark in stages if mark in row["losses"].get(name, {})]
    if not reached or (gain is None and not row["reason"]):
        return []
    at = [promise(np.array(row["losses"][n][m], float), np.array(relu[n][m], float)) for n, m in reached]
    if gain is not None:
        return [value if math.isfinite(value) else None for value in (*at[:-1], -gain)]
    finite = [value if math.isfinite(value) else None for value in at[:-1]]
    return finite + [None] * (len(stages) - len(finite))


def findings(
    record: Row, attributes: Sequence[Row], uncensored: Sequence[Sequence[float]], config: Config
) -> Row:  # fmt: skip
    """What a cohort's line of the trace says of early rejection.

    Args:
        record: the finished cohort.
        attributes: of its trials.
        uncensored: the calibration set with this cohort.
        config: the job's.

    Returns:
        ``thresholds``; ``compute``, the share of all models' full steps that was taken; ``audited``, how many
        were spared by lot while thresholds held; ``missed``, the gains of those that a threshold would have rejected
        (None for a failure later); ``passed_on``, the gains of screened candidates that were trained; ``bar``, the
        gain from which on a candidate is among the best of the calibration set, None if that is too small.
    """
    thresholds = record["thresholds"]
    audited = [a for a in attributes if a.get("spared") == "audit" and a["promises"]] if thresholds else []
    missed = [a for a in audited if _above(a["promises"], thresholds)]
    return {
        "thresholds": thresholds,
        "compute": _compute(record, schedules(config)),
        "audited": len(audited),
        "missed": [_gain(a) for a in missed],
        "passed_on": [_gain(a) for a in attributes if a.get("spared") in SOFT],
        "bar": _bar(np.array([row[-1] for row in uncensored]), aim_of(config)),
    }


def _above(row: Sequence[float | None], thresholds: Sequence[float]) -> bool:
    return any(value is not None and value > limit for value, limit in zip(row, thresholds, strict=False))


def _gain(attributes: Row) -> float | None:
    gain: float | None = attributes["gain_over"].get("relu")
    return gain


def _bar(final: Any, aim: Aim) -> float | None:
    best = best_rows(final, aim)
    return -float(final[best].max()) if len(final) >= SMALLEST_SET and best.any() else None


def _compute(record: Row, planned: Sequence[Schedule]) -> float:
    rows = record["result"]["candidates"]
    tasks = list(zip(record["tasks"], planned, strict=True))
    taken = sum(sum(own.work[: len(row["losses"].get(name, ()))]) for row in rows for name, own in tasks)
    full = len(rows) * sum(own.steps * len(own.rates) for own in planned)
    return round(taken / full, 4)


def summary(trace: Sequence[Row]) -> Row:
    """What early rejection and the audits come to, from the lines of the trace.

    Returns:
        ``compute``, as a share of training all candidates to the end; ``unpromising``, how many thresholds rejected;
        ``audited``, ``missed`` and ``missed_good``: how many were spared by lot, how many of these a threshold would
        have rejected, and how many of those are among the best; ``good_share``: a 95 % interval of that share;
        ``passed_on``, ``passed_on_good``, ``passed_on_share``: the same of the screens.
    """
    entries = [(entry["rejection"], after - before) for entry, before, after in _sized(trace)]
    bar = entries[-1][0]["bar"] if entries else None
    missed = [gain for entry, _ in entries for gain in entry["missed"]]
    passed = [gain for entry, _ in entries for gain in entry["passed_on"]]
    trained = sum(size for _, size in entries)
    good, fair = _good(missed, bar), _good(passed, bar)
    return {
        "compute": round(sum(e["compute"] * size for e, size in entries) / trained, 4) if trained else None,
        "unpromising": sum(entry["rejected"].get(UNPROMISING, 0) for entry in trace),
        "audited": sum(entry["audited"] for entry, _ in entries),
        "missed": len(missed),
        "missed_good": good,
        "good_share": share_interval(good, len(missed)),
        "passed_on": len(passed),
        "passed_on_good": fair,
        "passed_on_share": share_interval(fair, len(passed)),
    }


def _sized(trace: Sequence[Row]) -> list[tuple[Row, int, int]]:
    """Lines with the numbers of trials before and after; runs of older versions have nothing on rejection."""
    ends = [0, *(entry["trained"] for entry in trace)]
    return [item for item in zip(trace, ends, ends[1:], strict=False) if "rejection" in item[0]]


def _good(gains: Sequence[float | None], bar: float | None) -> int:
    """How many reach the bar; without one, how many are better than ReLU."""
    return sum(1 for gain in gains if gain is not None and gain >= (0.0 if bar is None else bar))


def announced(config: Config) -> str:
    """One line: what will be rejected in this job."""
    r = config.rejection
    stages = len(config.tasks) * len(schedules(config)[0].marks)
    spared = r.warmup + r.audit * max(0, config.budget - r.warmup)
    if stages == 1 or r.audit == 1 or spared < SMALLEST_SET:
        return "rejection: failures only"
    if config.budget <= r.warmup:
        return f"rejection: failures only; a job of up to {r.warmup} classes is too short to learn more"
    return (
        f"rejection: failures only for {r.warmup} classes, then thresholds for {r.recall:.0%} of the best {r.top:.0%}"
    )


def concluded(found: Row) -> str:
    """One line: what rejection saved, and what the audits say that it cost."""
    line = f"rejection: {found['compute']:.0%} of the full training steps, {found['unpromising']} unpromising"
    if found["missed"]:
        line += f"; audit: of {found['missed']} that would have gone {_told(found['missed_good'], found['good_share'])}"
    if found["passed_on"]:
        line += f"; of {found['passed_on']} screened {_told(found['passed_on_good'], found['passed_on_share'])}"
    return line


def _told(good: int, interval: Sequence[float]) -> str:
    return f"{good} were good (95 %: {interval[0]:.0%} to {interval[1]:.0%})"
