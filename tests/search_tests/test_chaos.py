"""Promise 2 under all harms at once, on a random schedule; see :mod:`tests.search_tests.chaos`."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.search_tests.chaos import Round, Whole, left_alone


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    return left_alone(tmp_path_factory.mktemp("chaos") / "whole")


@pytest.mark.slow
@pytest.mark.parametrize(("rounds", "workers"), [(5, 0), (1, 2)])
def test_a_harmed_job_ends_as_one_that_was_left_alone(tmp_path: Path, whole: Whole, rounds: int, workers: int) -> None:
    """Other schedules each time; the message of a failure has the seed, which repeats it."""
    first = random.SystemRandom().randrange(10**6)
    for seed in range(first, first + rounds):
        harmed = Round(seed, tmp_path / str(seed), whole, workers)
        harmed.run()
        print(f"seed {seed}, {workers} workers: {dict(harmed.fell)}")
