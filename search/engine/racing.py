"""Racing in a job: which gain takes a candidate to more seeds.

Maron and Moore 1994 (NeurIPS 6) race models: those that are soon seen to be worse get no more evaluations. Here a
candidate begins on few seeds, and each lap takes the best share of all candidates to some more.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from evaluators.racing import Lap
from evaluators.training.member import Array
from search.records.trial import TrialRecord

FEWEST = 24  # classes with a gain that limits are learnt from: the second lap's .2 of them are five
RECENT = 240  # a search gets better: of all classes the share that passes would grow, and the cost with it

#: Of each lap: the share of all candidates that takes part, and how many more seeds they get.
Shares = Sequence[tuple[float, int]]


def gains_by_seed(trial: TrialRecord) -> Array:
    """Gain over the reference on each seed, mean over the tasks; empty if it failed, or their gains have no mean."""
    tables = list(trial.gains.values()) if trial.gain_over else []
    return np.array(tables, dtype=np.float64).mean(axis=0) if tables else np.zeros(0)


def laps(race: Shares, seeds: int, known: Sequence[Array]) -> tuple[Lap, ...]:
    """The laps of a cohort, with limits that are learnt from the classes before it.

    Of the last 240 classes the share that takes part in a lap reaches its limit, by the mean over the seeds that are
    known before the lap, or as many of them as a class has. While fewer than 24 classes have a gain, all candidates
    take part in the first lap and none in the others: what a candidate is trained on never depends on its company. So
    it is, too, where the tasks have no common unit.

    Args:
        race: the job's.
        seeds: the number that all candidates have.
        known: gain over the reference on each seed, mean over the tasks, of each class; empty if it failed.
    """
    if sum(len(gains) > 0 for gains in known) < FEWEST:
        return tuple(Lap(-math.inf, more) for _, more in race[:1])
    return tuple(_laps(race, seeds, known[-RECENT:]))


def _laps(race: Shares, seeds: int, known: Sequence[Array]) -> Iterator[Lap]:
    lengths = [len(gains) for gains in known]
    tables = [np.stack([each for each in known if len(each) == length]) for length in sorted({*lengths} - {0})]
    failed = np.full(lengths.count(0), -math.inf)
    for share, more in race:
        # those of one length at once: 240 means of single rows take a millisecond a lap
        means = np.sort(np.concatenate([failed, *[table[:, :seeds].mean(axis=1) for table in tables]]))[::-1]
        yield Lap(float(means[max(1, round(share * len(means))) - 1]), more)
        seeds += more


def announced_race(race: Shares, seeds: int) -> str:
    """One line: who gets how many seeds."""
    more = ", ".join(f"{number} more for the best {100 * share:g}%" for share, number in race)
    return f"racing: {seeds} seed{'s' * (seeds > 1)} for all, {more}"
