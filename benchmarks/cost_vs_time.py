"""How well the objective ``cost`` predicts measured time: 100 sampled expressions, forward and backward as layers.

Time is the median ratio to ReLU of ``evaluators.machine.timing``, which takes turns with ReLU; one thread, float32.
Printed are rank correlations of cost and time, over all expressions and over the cheaper half, and how far time / cost
spreads.
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy import stats

from evaluators.machine.timing import REPETITIONS, time_ratios
from evaluators.objectives import cost
from evaluators.rejection.screens import screen
from primitives.equivalence.canonical import canonical
from primitives.expression.expression import Expression
from primitives.grammars import grammar


def sampled(name: str, count: int) -> list[Expression]:
    """Different expressions of a grammar that pass the screens."""
    space, rng = grammar(name), np.random.Generator(np.random.PCG64(0))
    found: dict[str, Expression] = {}
    while len(found) < count:
        expression = space.sample(rng)
        if not screen(expression):
            found.setdefault(canonical(expression).text, expression)
    return list(found.values())


def ranks(costs: np.ndarray, times: np.ndarray) -> str:
    spearman, kendall = stats.spearmanr(costs, times).statistic, stats.kendalltau(costs, times).statistic
    return f"Spearman {spearman:.2f}, Kendall {kendall:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--grammar", default="default")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--repetitions", type=int, default=REPETITIONS)
    given = parser.parse_args()
    expressions = sampled(given.grammar, given.count)
    costs = np.array([cost(expression) for expression in expressions])
    times = np.array(time_ratios(expressions, given.repetitions))
    cheap = costs <= np.median(costs)
    print(f"{given.count} expressions of {given.grammar}; cost {costs.min():.1f} to {costs.max():.1f} ReLUs")
    print(f"all:          {ranks(costs, times)}")
    print(f"cheaper half: {ranks(costs[cheap], times[cheap])}")
    low, middle, high = np.quantile(times / costs, [0.1, 0.5, 0.9])
    print(f"time / cost:  median {middle:.2f}, 10 % {low:.2f}, 90 % {high:.2f}")
    within = np.mean(np.abs(np.log2(times / costs / middle)) <= 0.5)
    print(f"within a factor of sqrt(2) of the median: {100 * within:.0f} %")
    print("furthest off:")
    for index in np.argsort(-np.abs(np.log(times / costs / middle)))[:5]:
        print(f"  cost {costs[index]:6.1f}, time {times[index]:6.1f}: {expressions[index].text}")


if __name__ == "__main__":
    main()
