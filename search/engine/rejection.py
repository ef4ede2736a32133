"""Early rejection in a job: who is trained to the end by rule, the thresholds of a cohort, and what the audit found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from evaluators.comparison import averages
from evaluators.objectives import mean_gain
from evaluators.rejection import (
    SMALLEST_SET,
    CalibrationSet,
    RecallTarget,
    RungRule,
    best_rows,
    relative_loss,
    rung_rule,
)
from evaluators.results.reasons import SOFT, Reason
from evaluators.results.records import MemberResult
from evaluators.seeds import uniform
from evaluators.statistics import share_interval
from evaluators.tasks import task
from evaluators.training.member import Array, Schedule
from search.config import Config
from search.records.cohort import CohortRecord, Exemption, Plan
from search.records.trace_entry import Findings, TraceEntry
from search.records.trial import TrialRecord

#: Exemptions that make a candidate a row of the calibration set. The screens' audit is another population.
CALIBRATING = frozenset(Exemption)


def with_thresholds(plan: Plan, config: Config, first: int, uncensored: Array) -> Plan:
    """A plan with its exempt candidates and its thresholds.

    Args:
        plan: as proposed.
        config: the job's.
        first: the number in the job of the plan's first candidate. Numbers and chance decide, not quality.
        uncensored: the calibration set, as far as this cohort may know it: (trials, rungs).
    """
    rows = [replace(row, exemption=_exemption(config, first + slot)) for slot, row in enumerate(plan.proposals)]
    if all(row.exempt for row in rows):
        return replace(plan, proposals=rows)
    planned = schedules(config)
    rungs = [(name, step) for name, schedule in zip(config.tasks, planned, strict=True) for step in schedule.rung_steps]
    work = [steps for schedule in planned for steps in schedule.work]
    known = CalibrationSet(uncensored, rungs, work)
    thresholds = rung_rule(config.rejection.rule).calibrate(known, target_of(config))
    return replace(plan, proposals=rows, thresholds=thresholds)


def target_of(config: Config) -> RecallTarget:
    """What a job's rejection has to hold."""
    return RecallTarget(config.rejection.recall, config.rejection.top)


def _exemption(config: Config, number: int) -> Exemption | None:
    if number < config.rejection.warmup:
        return Exemption.WARM_UP
    return Exemption.AUDIT if uniform(config.seed, "audit", number) < config.rejection.audit else None


def schedules(config: Config) -> list[Schedule]:
    """How long and at which learning rates each task is trained. Their rungs, task after task, are those of the job."""
    t = config.training
    rates = [t.learning_rates or task(name).learning_rates for name in config.tasks]
    return [Schedule(t.steps, t.rungs, of_task, t.drop_worst_rate) for of_task in rates]


def relative_losses(record: CohortRecord, row: MemberResult, gain: float | None) -> tuple[float, ...]:
    """A trained candidate as a row of the calibration set: its relative loss at each rung.

    On the seeds that all candidates have, so that no race decides who belongs to the best of the set. At the end it is
    the gain's negative there. Infinite from a failure on. Empty if it says nothing: its worker died, or the reference
    has no loss, or the tasks have no common unit.
    """
    seeds = record.result.seeds
    row, reference = row.first(seeds), record.result.reference.first(seeds)
    reached = [(name, step) for name, step in record.rungs if step in row.losses.get(name, ())]
    common = averages([reference.comparison(name) for name in record.tasks])
    if not (reached and common) or (gain is None and not row.reason):
        return ()
    at = [
        relative_loss(row.losses[name][step], reference.losses[name][step], reference.comparison(name))
        for name, step in reached
    ]
    if gain is not None:
        return (*at[:-1], -mean_gain(row, reference, record.tasks))
    return (*at[:-1], *[math.inf] * (len(record.rungs) - len(at) + 1))


def findings(
    record: CohortRecord, trials: Sequence[TrialRecord], uncensored: Array, config: Config
) -> Findings:  # fmt: skip
    """What a cohort's line of the trace says of early rejection.

    Args:
        record: the finished cohort.
        trials: its classes, in order.
        uncensored: the calibration set with this cohort, (trials, rungs).
        config: the job's.
    """
    thresholds = tuple(record.plan.thresholds.values())
    audited = [t for t in trials if t.exempt is Exemption.AUDIT and t.relative_losses] if thresholds else []
    return Findings(
        thresholds=thresholds,
        compute=_compute(record, schedules(config)),
        seeds=_seeds(record) if record.plan.race else None,
        audited=len(audited),
        missed=tuple(t.gain for t in audited if _would_go(rung_rule(config.rejection.rule), t.relative_losses, record)),
        passed_on=tuple(t.gain for t in trials if t.exempt in SOFT),
        bar=_bar(uncensored[:, -1], target_of(config)),
    )


def _would_go(rule: RungRule, row: Sequence[float], record: CohortRecord) -> bool:
    """True if the rule rejects it before it fails."""
    reached = [(rung, value) for rung, value in zip(record.rungs, row, strict=False) if math.isfinite(value)]
    return any(rule.decide(record.plan.thresholds, rung, value) for rung, value in reached)


def _bar(final: Array, target: RecallTarget) -> float | None:
    best = best_rows(final, target)
    return -float(final[best].max()) if len(final) >= SMALLEST_SET and best.any() else None


def _compute(record: CohortRecord, planned: Sequence[Schedule]) -> float:
    rows = record.result.candidates
    tasks = list(zip(record.tasks, planned, strict=True))
    taken = sum(sum(schedule.work[: len(row.losses.get(name, ()))]) for row in rows for name, schedule in tasks)
    full = len(rows) * sum(schedule.steps * len(schedule.rates) for schedule in planned)
    return round(taken / full, 4)


def _seeds(record: CohortRecord) -> float:
    """Seeds of a class in the mean; those of a class that was not trained to the end are the first ones."""
    rows = record.result.candidates
    return round(sum(max(row.seeds, record.result.seeds) for row in rows) / len(rows), 4)


@dataclass(frozen=True, slots=True)
class Summary:
    """What early rejection and the audits come to.

    Args:
        compute: as a share of training all candidates to the end on the seeds that all have; None where nothing was
            trained.
        seeds: of a class in the mean; None where that is not told.
        unpromising: how many thresholds rejected.
        audited: how many were exempt by lot.
        missed, missed_good: how many of these a threshold would have rejected, and how many of those are good.
        good_share: a 95 % interval of that share.
        passed_on, passed_on_good, passed_on_share: the same of the screens.
    """

    compute: float | None
    seeds: float | None
    unpromising: int
    audited: int
    missed: int
    missed_good: int
    good_share: tuple[float, float]
    passed_on: int
    passed_on_good: int
    passed_on_share: tuple[float, float]


def summary(trace: Sequence[TraceEntry]) -> Summary:
    """The sums over the lines of the trace; runs of older versions have nothing on rejection."""
    entries = [(entry.findings, size) for entry, size in zip(trace, sizes(trace), strict=True) if entry.findings]
    bar = entries[-1][0].bar if entries else None
    missed = [gain for findings, _ in entries for gain in findings.missed]
    passed = [gain for findings, _ in entries for gain in findings.passed_on]
    trained = sum(size for _, size in entries)
    good, fair = _good(missed, bar), _good(passed, bar)
    raced = [(f.seeds, size) for f, size in entries if f.seeds is not None]
    return Summary(
        compute=round(sum(f.compute * size for f, size in entries) / trained, 4) if trained else None,
        seeds=round(sum(s * size for s, size in raced) / sum(size for _, size in raced), 4) if raced else None,
        unpromising=sum(entry.rejected.get(Reason.UNPROMISING, 0) for entry in trace),
        audited=sum(findings.audited for findings, _ in entries),
        missed=len(missed),
        missed_good=good,
        good_share=share_interval(good, len(missed)),
        passed_on=len(passed),
        passed_on_good=fair,
        passed_on_share=share_interval(fair, len(passed)),
    )


def sizes(trace: Sequence[TraceEntry]) -> list[int]:
    """How many classes each cohort trained."""
    return [after - before for before, after in pairwise([0, *(entry.trained for entry in trace)])]


def _good(gains: Sequence[float | None], bar: float | None) -> int:
    """How many reach the bar; without one, how many are better than the reference."""
    return sum(1 for gain in gains if gain is not None and gain >= (0.0 if bar is None else bar))


def announced(config: Config) -> str:
    """One line: what will be rejected in this job."""
    r = config.rejection
    rungs = len(config.tasks) * len(schedules(config)[0].rung_steps)
    exempt = r.warmup + r.audit * max(0, config.budget - r.warmup)
    thresholds = rung_rule(r.rule).describe(target_of(config))
    failed = failures_in_words(config)
    if not thresholds or rungs == 1 or r.audit == 1 or exempt < SMALLEST_SET:
        return f"rejection: {failed} only"
    if config.budget <= r.warmup:
        return f"rejection: {failed} only; a job of up to {r.warmup} classes is too short to learn more"
    return f"rejection: {failed} only for {r.warmup} classes, then {thresholds}"


def failures_in_words(config: Config) -> str:
    """What goes whatever the rule."""
    r = config.rejection
    found = ["failures"]
    found += [] if r.accuracy is None else [f"accuracies below {100 * r.accuracy:g}% at a rung"]
    found += ["gradients that can be made to explode"] if r.stability else []
    return " and ".join(filter(None, (", ".join(found[:-1]), found[-1])))


def concluded(summary: Summary) -> str:
    """One line: what rejection saved, and what the audits say that it cost."""
    line = f"rejection: {summary.compute:.0%} of the full training steps, {summary.unpromising} unpromising"
    if summary.seeds is not None:
        line += f"; {summary.seeds:.2g} seeds a class"
    if summary.missed:
        line += f"; audit: of {summary.missed} that would have gone {_told(summary.missed_good, summary.good_share)}"
    if summary.passed_on:
        line += f"; of {summary.passed_on} screened {_told(summary.passed_on_good, summary.passed_on_share)}"
    return line


def _told(good: int, interval: Sequence[float]) -> str:
    return f"{good} were good (95 %: {interval[0]:.0%} to {interval[1]:.0%})"
