"""Finalists: the members of the front that are worth a confirmation, and what is expected of them."""

from __future__ import annotations

from evaluators.expected_gain import Expected, expected_gains, padded
from evaluators.objectives import cost
from primitives.expression.parsing import parse
from search.baseline.functions import catalogue_classes
from search.config import Config
from search.confirmation.record import Estimate, Finalist
from search.engine.racing import gains_by_seed
from search.engine.study import Study
from search.records.trial import TrialRecord

RECENT = 10_000  # classes: a second of EM on one core


def finalists(study: Study, config: Config) -> list[Finalist]:
    """The front's members of highest gain above 0, with the gain that is expected after the winner's curse.

    In a job with a baseline those of a class of the catalogue are none: they are compared with.

    The field that they were chosen from are the last 10,000 classes that were trained to the end. Those that thresholds
    let through are among them: a threshold cuts the field off from below, which says little of its upper end, while a
    sample of a few hundred may hold none of the best. Where not all have equally many seeds, the highest are those of
    which most is expected: a gain on few seeds is more easily the highest by luck.
    """
    trials = study.store.trials
    best = sorted(study.front.numbers, key=lambda number: (-trials[number].objectives["gain"], number))
    known = catalogue_classes(exact=config.exact, signs=config.scoring.signs) if study.baseline else {}
    front = (trials[number] for number in best)
    better = [trial for trial in front if (trial.gain or 0.0) > 0 and trial.key not in known]
    field = [gains_by_seed(trials[number]) for number in range(max(0, study.trials - RECENT), study.trials)]
    table = padded([*map(gains_by_seed, better), *(row for row in field if len(row))])
    expected = expected_gains(table[len(better) :], table[: len(better)])
    rows = [_finalist(trial, expected[n] if expected else None) for n, trial in enumerate(better)]
    if config.aggregate == "mean" and len({trial.seeds for trial in better}) > 1:
        rows.sort(key=lambda row: -row.expected.mean if row.expected else 0.0)
    return rows[: config.confirmation.finalists]


def _finalist(trial: TrialRecord, expected: Expected | None) -> Finalist:
    # a gain above 0: the mean over the tasks, however they are aggregated
    estimate = None if expected is None else Estimate(expected.mean, expected.low, expected.high)
    return Finalist(trial.id, trial.expression, cost(parse(trial.expression)), trial.gain, estimate)
