"""How strategies did on a table: ranks, regrets, and the functions that each would hand to confirmation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evaluators.seeds import numpy_generator
from evaluators.statistics import interval
from evaluators.training.member import Array
from primitives.grammars import Grammar
from search.errors import ReplayError
from search.strategies import Settings
from search.strategies.gaussian_process import posterior_mean
from search.tabular.replay import Replayed, Scores, Setting, drawn
from search.tabular.score_table import Table

EVALUATIONS = (8, 16, 32, 64, 100, 200, 500, 1000)
TOPS = (0.01, 0.001)
CHOSEN = 5  # finalists, as in a job


@dataclass(frozen=True, slots=True)
class Difference:
    """A mean over the repeats, paired, with its 95 % t interval.

    Args:
        mean: in the gain's unit.
        low: end of the interval.
        high: the other end.
    """

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a strategy did on a table, over the repeats. Good is judged by seeds that it has not seen.

    Args:
        rank: of the best function tried so far among the table's unknown ones, from 1: number of evaluations ->
            quantiles of 25 %, 50 % and 75 %.
        regret: what the best so far lacks of the best unknown function's gain, likewise.
        hits: evaluations until one of the top 1 % and 0.1 % was found in 90 % of the repeats, None if the budget was
            too small.
        better: mean difference of the best function tried from random's.
        chosen: regret of the best of the five that have the highest gain by the seeds seen, mean.
        believed: the same of the five that a Gaussian process believes in after the same results.
        swept: the same of a sweep of all unknown functions with the same seeds.
        over_sweep: the gain of the chosen over the sweep's.
        in_vain: share of its proposals that were no untried members.
        nearest: share of its mutations and crossings that stand for the nearest members.
    """

    rank: Mapping[int, list[float]]
    regret: Mapping[int, list[float]]
    hits: Mapping[float, int | None]
    better: Difference
    chosen: float
    believed: float
    swept: float
    over_sweep: Difference
    in_vain: float
    nearest: float


@dataclass(frozen=True, slots=True)
class _Run:
    """One repeat: true gains of the best so far and the ranks, by evaluation; regrets of five chosen three ways."""

    best: Array
    rank: Array
    top: float
    chosen: float
    believed: float
    swept: float
    asked: int
    in_vain: int
    children: Mapping[str, int]


def compare(
    table: Table, strategies: Mapping[str, Settings], source: Grammar, setting: Setting, repeats: int
) -> dict[str, Comparison]:
    """Run strategies and ``random`` on a table, each ``repeats`` times, on the same seeds and splits.

    Returns:
        For each strategy how it did.

    Raises:
        ReplayError: fewer than two of the functions are unknown, or see :func:`search.tabular.replay.drawn`.
    """
    if (unknown := int((~table.known).sum())) < 2:
        raise ReplayError(f"table: expected at least two functions that the catalogue does not have, found {unknown}")
    named: dict[str, Settings] = {"random": {"name": "random"}, **strategies}
    runs = {
        name: [_run(table, settings, source, setting, number) for number in range(repeats)]
        for name, settings in named.items()
    }
    return {name: _summary(of, runs["random"], unknown) for name, of in runs.items()}


def _run(table: Table, settings: Settings, source: Grammar, setting: Setting, number: int) -> _Run:
    rng = numpy_generator(setting.seed, "replay", number)
    seed, scores = int(rng.integers(2**62)), drawn(table, setting.seeds, rng)
    replayed = Replayed(table, scores, settings, source, seed, setting)
    order = replayed.run()
    unknown = np.flatnonzero(~table.known)
    ordered = np.sort(scores.true[unknown])
    best: Array = np.maximum.accumulate(scores.true[order])
    return _Run(
        best=best,
        rank=(1 + len(ordered) - np.searchsorted(ordered, best, side="right")).astype(np.float64),
        top=float(ordered[-1]),
        chosen=float(ordered[-1]) - _of_best(scores.shown, scores, order),
        believed=float(ordered[-1]) - _of_best(_believed(table, scores, [*replayed.baseline, *order]), scores, order),
        swept=float(ordered[-1]) - _of_best(scores.shown, scores, unknown.tolist()),
        asked=replayed.asked,
        in_vain=replayed.in_vain,
        children=replayed.members.counts,
    )


def _of_best(worth: Array, scores: Scores, rows: Sequence[int]) -> float:
    """True gain of the best of the five rows that are worth most."""
    chosen = sorted(rows, key=lambda row: -worth[row])[:CHOSEN]
    return float(scores.true[chosen].max())


def _believed(table: Table, scores: Scores, rows: Sequence[int]) -> Array:
    """Posterior means of some rows after what is shown of them; minus infinity for the others."""
    worth: Array = np.full(len(table.expressions), -np.inf)
    shown = scores.shown[rows]
    if np.isfinite(shown).any():
        worth[rows] = posterior_mean([table.expressions[row] for row in rows], shown.tolist(), exact=table.exact)
    return worth


def _summary(runs: Sequence[_Run], random: Sequence[_Run], members: int) -> Comparison:
    best, ranks = (np.array([getattr(run, name) for run in runs]) for name in ("best", "rank"))
    regrets = np.array([run.top for run in runs])[:, None] - best
    counts = sorted({*(count for count in EVALUATIONS if count < best.shape[1]), best.shape[1]})
    children = {key: sum(run.children[key] for run in runs) for key in ("own", "nearest")}
    return Comparison(
        rank={count: _quartiles(ranks[:, count - 1]) for count in counts},
        regret={count: _quartiles(regrets[:, count - 1]) for count in counts},
        hits={top: _hit(ranks, max(1, round(top * members))) for top in TOPS},
        better=_difference([run.best[-1] - other.best[-1] for run, other in zip(runs, random, strict=True)]),
        chosen=float(np.mean([run.chosen for run in runs])),
        believed=float(np.mean([run.believed for run in runs])),
        swept=float(np.mean([run.swept for run in runs])),
        over_sweep=_difference([run.swept - run.chosen for run in runs]),
        in_vain=sum(run.in_vain for run in runs) / max(1, sum(run.asked for run in runs)),
        nearest=children["nearest"] / max(1, sum(children.values())),
    )


def _difference(values: Sequence[float]) -> Difference:
    low, high = interval(values) or (float("nan"), float("nan"))
    return Difference(float(np.mean(values)), low, high)


def _quartiles(values: Array) -> list[float]:
    return [float(value) for value in np.quantile(values, (0.25, 0.5, 0.75))]


def _hit(ranks: Array, within: int) -> int | None:
    """Evaluations after which 90 % of the repeats have found a member of the best ``within``."""
    share = (ranks <= within).mean(axis=0)
    enough = np.flatnonzero(share >= 0.9)
    return int(enough[0]) + 1 if len(enough) else None
