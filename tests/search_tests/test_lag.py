"""The lag that follows from the number of workers, and a loop with simulated workers."""

from __future__ import annotations

from typing import Any

import pytest

from search.config import Config, automatic_lag, checked
from search.errors import ConfigError


def config(workers: int, budget: int, **cohorts: Any) -> Config:
    return checked({"budget": budget, "workers": {"count": workers}, "cohorts": {"size": 24, **cohorts}}, "a test")


@pytest.mark.parametrize("workers", [0, 1, 2, 16, 100, 1000])
@pytest.mark.parametrize("cohorts", [1, 10, 100, 1_000, 100_000])
def test_every_worker_has_work(workers: int, cohorts: int) -> None:
    lag = automatic_lag(workers, cohorts)
    assert lag >= max(1, workers - 1)
    assert lag <= max(1, 3 * workers - 1)
    assert lag + 1 <= max(2, workers, cohorts / 10)


def test_auto_becomes_a_number() -> None:
    """It is written back as such: a run keeps its lag, whatever the number of workers that go on with it."""
    assert config(16, 100_000, lag="auto").cohorts.lag == 47
    assert config(16, 4_800, lag="auto").cohorts.lag == 19
    assert config(2, 200, lag="auto") == config(2, 200) == config(2, 200, lag=1)


def test_other_words_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"cohorts\.lag: .*'automatic'"):
        config(2, 200, lag="automatic")
    with pytest.raises(ConfigError, match="workers"):
        config(-1, 200, lag="auto")
