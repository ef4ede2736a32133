"""What becomes of random graphs of EvoNorm's space before any training.

Graphs are drawn node by node as published (Liu et al. 2020, arXiv 2004.02967), and none is drawn again. Each is counted
under the first of these that holds: its output does not depend on x; it has no value of its own for each example,
channel or position, by what its moments leave; its expression is above the limits; a screen stops it, at initial
parameters; nothing does. Those that are left are counted by classes, too. At the end stands the share of the grammar's
own samples, which are members, that pass all screens.

    python -m benchmarks.evonorm_space --graphs 1000
"""

from __future__ import annotations

import argparse
from collections import Counter

import numpy as np

from evaluators.rejection.screens import screen
from evaluators.statistics import share_interval
from primitives.equivalence.classes import class_of
from primitives.expression.expression import Expression
from primitives.grammars import grammar
from primitives.grammars.graphs.graphs import Graphs
from primitives.grammars.graphs.space import Space
from primitives.grammars.template import Rng
from primitives.operators.axes import ALL_AXES

NO_INPUT, LOST, LARGE, LEFT = "does not depend on x", "loses an axis", "above the limits", "left"


def fate(space: Space, rng: Rng) -> tuple[str, Expression]:
    """What becomes of one random graph, and its expression."""
    written = space.write(space.random(rng))
    if not written.body.uses_input:
        return NO_INPUT, written.whole
    if written.body.axes != ALL_AXES:
        return LOST, written.whole
    if not space.has(written):
        return LARGE, written.whole
    reason = screen(written.whole)
    return (LEFT if reason is None else f"screened: {reason.code}"), written.whole


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--graphs", type=int, default=1000)
    parser.add_argument("--grammar", default="evonorm")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    chosen, rng = grammar(asked.grammar), np.random.default_rng(asked.seed)
    spaces = [part.space for part, _ in chosen.templates if isinstance(part, Graphs)]
    if not spaces:
        parser.error(f"--grammar: expected one with a template 'graph', as evonorm, got {asked.grammar!r}")
    drawn = [fate(spaces[0], rng) for _ in range(asked.graphs)]
    for name, number in Counter(name for name, _ in drawn).most_common():
        low, high = share_interval(number, asked.graphs)
        print(f"{name:24} {number:5}  {number / asked.graphs:6.1%} ({low:.1%} to {high:.1%})")
    print(f"classes of what is left  {len({class_of(f, exact=False) for name, f in drawn if name == LEFT}):5}")
    samples = [chosen.sample(rng) for _ in range(asked.graphs)]
    usable = sum(screen(f) is None for f in samples)
    print(f"samples of the grammar that pass all screens: {usable / asked.graphs:.1%}")
    print("those that do not:", dict(Counter(reason.code for f in samples if (reason := screen(f))).most_common()))


if __name__ == "__main__":
    main()
