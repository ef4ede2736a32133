"""Candidates a second on one core: sample, canonical form, fingerprint, float32 screen; the tests of survivors apart.

Each expression goes through all stages before the next one is drawn, as in a search. The last column is the ratio to
what torch alone needs: the value at the fingerprint's 1,001 points in float64 and value and slope at the screen's 2,008
in float32, once for each expression, from plans that are ready. Times are the thread's own.

Then the one-unit Swish space is enumerated and classed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import torch

from evaluators.rejection.screens import flags, screen_values
from primitives import canonical, derivative, fingerprint, grammar, moments
from primitives.equivalence.outputs import points
from primitives.expression.evaluation import compiled
from primitives.expression.expression import Expression

STAGES = ("sample", "canonical form", "fingerprint", "float32 screen")
AFTER = ("survivor: bfloat16, float16", "survivor: moments", "torch alone")
SCREENED = torch.linspace(-100.0, 100.0, 2_008)


def measure(name: str, count: int, seed: int) -> dict[str, float]:
    """Mean seconds of each stage for each expression that it saw, and the fraction of survivors."""
    space, rng = grammar(name), np.random.Generator(np.random.PCG64(seed))
    clock = Clock()
    survivors = []
    expressions = []
    for _ in range(count):
        expression = clock.time("sample", space.sample, rng)
        clock.time("canonical form", canonical, expression)
        clock.time("fingerprint", fingerprint, expression)
        reason = clock.time("float32 screen", screen_values, expression)
        expressions.append(expression)
        survivors += [] if reason else [expression]
    for expression in expressions:
        plans = compiled((canonical(expression),)), compiled((expression, derivative(expression)))
        clock.time("torch alone", evaluate_once, plans, expression)
    for expression in survivors:
        compiled((expression, derivative(expression)))  # as the screen leaves it
        clock.time("survivor: bfloat16, float16", flags, expression)
        clock.time("survivor: moments", moments, expression)
    return clock.means() | {"survivors": len(survivors) / count}


def evaluate_once(plans: tuple[Any, Any], expression: Expression) -> None:
    """What torch alone needs; a canonical form may have renamed parameters."""
    value, slope = plans
    value.run(points(), canonical(expression).initial_values)
    slope.run(SCREENED, expression.initial_values)


class Clock:
    """Processor time of each call, by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {}

    def time(self, stage: str, call: Callable[..., Any], *args: Any) -> Any:
        started = time.thread_time()
        result = call(*args)
        self.seconds.setdefault(stage, []).append(time.thread_time() - started)
        return result

    def means(self) -> dict[str, float]:
        return {stage: sum(values) / len(values) for stage, values in self.seconds.items()}


def report(name: str, count: int, rounds: int) -> None:
    measure(name, 200, seed=0)  # warms up
    found = [measure(name, count, seed) for seed in range(1, rounds + 1)]
    for row in found:
        row["all four stages"] = sum(row[stage] for stage in STAGES)
    alone = median(row["torch alone"] for row in found)
    print(f"\n{name}: {count} expressions, {rounds} rounds; {median(r['survivors'] for r in found):.0%} survive")
    print(f"{'':<30}{'us':>8}{'  smallest to largest':<24}{'a second':>10}{'to torch':>10}")
    for stage in (*STAGES, "all four stages", *AFTER):
        values = [row[stage] for row in found]
        mid, spread = median(values), f"  {1e6 * min(values):.0f} to {1e6 * max(values):.0f}"
        print(f"{stage:<30}{1e6 * mid:>8.0f}{spread:<24}{1 / mid:>10,.0f}{mid / alone:>10.2f}")


def enumerate_swish() -> None:
    started = time.thread_time()
    expressions = list(grammar("swish2017").enumerate())
    enumerated = time.thread_time() - started
    classes = [fingerprint(expression) for expression in expressions]
    seconds = time.thread_time() - started
    distinct = len({found.exact for found in classes})
    print(f"\nswish2017: {len(expressions)} enumerated in {enumerated:.1f} s, {distinct} classes after {seconds:.1f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--expressions", type=int, default=2000, help="in each round")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    enumerate_swish()
    for name in ("default", "swish2017-2", "grafs"):
        report(name, arguments.expressions, arguments.rounds)


if __name__ == "__main__":
    main()
