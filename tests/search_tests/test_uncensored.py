"""The calibration set as numbers is what was put in, and what was known at any time."""

from __future__ import annotations

import math

import numpy as np
import pytest

from search.engine.uncensored import Uncensored


def test_rows_are_those_before_a_number() -> None:
    rng, known = np.random.default_rng(0), Uncensored()
    numbers = np.cumsum(rng.integers(1, 5, size=50)).tolist()
    losses = rng.normal(size=(50, 3))
    losses[7, 1:] = math.inf
    for number, row in zip(numbers, losses.tolist(), strict=True):
        known.add(number, row)
    assert len(known) == 50
    np.testing.assert_array_equal(known.rows(), losses)
    for end in range(numbers[-1] + 2):
        np.testing.assert_array_equal(known.rows(end), losses[[n < end for n in numbers]])


def test_rows_that_were_taken_stay_as_they_were() -> None:
    known = Uncensored()
    known.add(3, (1.0, 2.0))
    before = known.rows()
    before[:] = 0.0
    known.add(4, (3.0, 4.0))
    assert known.rows().tolist() == [[1.0, 2.0], [3.0, 4.0]]


def test_there_may_be_none_yet() -> None:
    assert len(Uncensored().rows()) == 0
    assert len(Uncensored().rows(0)[:, -1]) == 0


def test_a_row_of_other_rungs_is_refused() -> None:
    known = Uncensored()
    known.add(0, (1.0, 2.0))
    with pytest.raises(ValueError, match="expected 2 relative losses of trial 1, got 3"):
        known.add(1, (1.0, 2.0, 3.0))
    assert len(known) == 1
