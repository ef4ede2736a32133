"""Random graphs of EvoNorm's space mostly fail: fates are told apart, and few graphs are left to train."""

from __future__ import annotations

from collections import Counter

import numpy as np

from benchmarks.evonorm_space import LEFT, LOST, NO_INPUT, fate
from evaluators.rejection.screens import screen
from evaluators.results.reasons import Reason
from primitives.grammars import grammar
from primitives.grammars.graphs.graphs import Graphs

EVONORM = grammar("evonorm")


def test_each_random_graph_has_one_fate_and_most_fail() -> None:
    (space,) = [part.space for part, _ in EVONORM.templates if isinstance(part, Graphs)]
    rng = np.random.default_rng(3)
    drawn = [fate(space, rng) for _ in range(600)]
    for name, f in drawn:
        assert (name == NO_INPUT) == ("x" not in f.inputs)
        assert (f in EVONORM) == (name not in (NO_INPUT, LOST))
        assert name != LEFT or screen(f) is None
        if name == NO_INPUT:
            assert screen(f) is Reason.NO_INPUT
    counts = Counter(name for name, _ in drawn)
    assert counts[NO_INPUT] + counts[LOST] > 500 and 10 < counts[LEFT] < 60


def test_what_is_lost_by_its_moments_is_lost_by_its_values() -> None:
    """At initial parameters, where a vector is the same for all channels; a variance of one number has no x at all."""
    (space,) = [part.space for part, _ in EVONORM.templates if isinstance(part, Graphs)]
    rng = np.random.default_rng(4)
    lost = [f for name, f in (fate(space, rng) for _ in range(300)) if name == LOST]
    reasons = Counter(screen(f) for f in lost)
    assert set(reasons) <= {Reason.LOST_AXIS, Reason.CONSTANT, Reason.OVERFLOW, Reason.NO_INPUT} and len(lost) > 30
