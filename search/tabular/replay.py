"""Replay: strategies against a table of scores that are known already, in seconds instead of days.

A strategy samples its grammar freely; each proposal stands for the table's member of its class, or, where that was
tried or is not in the table, for the untried member with the nearest shape (see :mod:`search.strategies.features`). The
strategy is told that member's formula and score, as if it had proposed it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evaluators.seeds import numpy_generator
from evaluators.statistics import sign_flip
from evaluators.training.member import Array
from primitives.equivalence.classes import class_of
from primitives.expression.expression import Expression
from primitives.grammars import Grammar
from primitives.user_file import label
from search.errors import ReplayError
from search.strategies import Proposal, Result, Settings, strategy
from search.tabular.score_table import Table, place_of

EVALUATIONS = (10, 25, 50, 100, 200, 500, 1000)
TOPS = (0.01, 0.001)


class Replayed:
    """One strategy on a table until the budget is spent.

    Args:
        table: known scores.
        settings: of the strategy, ``name`` among them.
        source: the strategy's grammar.
        seed: of all randomness.
        cohort: proposals asked for at once.
    """

    def __init__(self, table: Table, settings: Settings, source: Grammar, seed: int, cohort: int) -> None:
        self.table, self.cohort, self.seed = table, cohort, seed
        self.strategy = strategy(settings, source, exact=table.exact)
        self.untried = np.ones(len(table.expressions), dtype=bool)
        self.order: list[int] = []

    def run(self, budget: int) -> list[int]:
        """Rows of the table in the order in which they were tried."""
        history: list[Result] = []
        while len(self.order) < min(budget, len(self.table.expressions)):
            rng = numpy_generator(self.seed, "ask", len(history))
            wanted = min(self.cohort, budget - len(self.order), int(self.untried.sum()))
            asked = self.strategy.ask(history, [], wanted, rng)
            if not asked:
                break
            history += [self._try(proposal, len(history) + n) for n, proposal in enumerate(asked[:wanted])]
        return self.order

    def _try(self, proposal: Proposal, number: int) -> Result:
        row = self._member(proposal.expression)
        self.untried[row] = False
        self.order.append(row)
        values = self.table.objectives[row]
        failed = not np.isfinite(values["gain"])
        return Result(
            str(number),
            self.table.expressions[row],
            {} if failed else values,
            "failed" if failed else "",
            attributes=proposal.attributes,
        )

    def _member(self, expression: Expression) -> int:
        row = self.table.row.get(class_of(expression, exact=self.table.exact))
        if row is not None and self.untried[row]:
            return row
        distance = ((self.table.shapes - place_of(expression, exact=self.table.exact)) ** 2).sum(axis=1)
        distance[~self.untried] = np.inf
        return int(distance.argmin())


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a strategy did on a table, over the repeats.

    Args:
        rank: of the best so far in the table, from 1: number of evaluations -> quantiles of 25 %, 50 % and 75 %.
        regret: what the best so far lacks of the best gain, likewise.
        hits: evaluations until one of the top 1 % and 0.1 % was found in 90 % of the repeats, None if the budget was
            too small.
        better: mean difference of the final gain from random's.
        p: of a paired sign-flip test of that.
    """

    rank: Mapping[int, list[float]]
    regret: Mapping[int, list[float]]
    hits: Mapping[float, int | None]
    better: float
    p: float


def replay(
    table: Table, strategies: Mapping[str, Settings], source: Grammar, *, budget: int, repeats: int,
    cohort: int = 8, seed: int = 0,
) -> dict[str, Comparison]:  # fmt: skip
    """Run strategies and ``random`` on a table, each ``repeats`` times.

    Returns:
        For each strategy how it did.
    """
    runs: dict[str, Settings] = {"random": {"name": "random"}, **strategies}
    orders = {
        name: [Replayed(table, settings, source, _seed(seed, n), cohort).run(budget) for n in range(repeats)]
        for name, settings in runs.items()
    }
    best = {name: np.array([_best_so_far(table, order) for order in curves]) for name, curves in orders.items()}
    return {name: _summary(table, curves, best["random"], seed) for name, curves in best.items()}


def _seed(seed: int, number: int) -> int:
    return int(numpy_generator(seed, "replay", number).integers(2**62))


def _best_so_far(table: Table, order: Sequence[int]) -> Array:
    best: Array = np.maximum.accumulate(table.gains[list(order)])
    return best


def _summary(table: Table, best: Array, random: Array, seed: int) -> Comparison:
    ordered = np.sort(table.gains)
    ranks = (1 + len(ordered) - np.searchsorted(ordered, best, side="right")).astype(np.float64)
    regrets = ordered[-1] - best
    counts = sorted({*(count for count in EVALUATIONS if count < best.shape[1]), best.shape[1]})
    differences = best[:, -1] - random[:, -1]
    return Comparison(
        rank={count: _quartiles(ranks[:, count - 1]) for count in counts},
        regret={count: _quartiles(regrets[:, count - 1]) for count in counts},
        hits={top: _hit(ranks, max(1, round(top * len(ordered)))) for top in TOPS},
        better=float(differences.mean()),
        p=sign_flip(differences.tolist(), numpy_generator(seed, "replay", "p")),
    )


def _quartiles(values: Array) -> list[float]:
    return [float(value) for value in np.quantile(values, (0.25, 0.5, 0.75))]


def _hit(ranks: Array, within: int) -> int | None:
    """Evaluations after which 90 % of the repeats have found a member of the best ``within``."""
    share = (ranks <= within).mean(axis=0)
    enough = np.flatnonzero(share >= 0.9)
    return int(enough[0]) + 1 if len(enough) else None


def labelled(strategies: Sequence[Settings]) -> dict[str, Settings]:
    """Strategies by a label: the name, with the settings where there are some.

    Raises:
        ReplayError: one is named twice.
    """
    by_label: dict[str, Settings] = {}
    for settings in strategies:
        extra = ", ".join(f"{key}={value}" for key, value in settings.items() if key != "name")
        name = label(str(settings["name"]))
        whole = f"{name} ({extra})" if extra else name
        if whole in by_label:
            raise ReplayError(f"strategy {whole!r} is named twice")
        by_label[whole] = settings
    return by_label
