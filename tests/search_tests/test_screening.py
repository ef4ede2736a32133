"""Screening for a job: layers and gates are screened with the axes that its networks have."""

from __future__ import annotations

from pathlib import Path

import pytest

from evaluators.results.reasons import Reason
from primitives.expression.parsing import parse
from search import Job
from search.config import Config
from search.errors import ConfigError
from search.screening import screened


@pytest.mark.parametrize(
    ("tasks", "reason"),
    [(["digits"], None), (["digits-cnn"], Reason.LOST_AXIS), (["digits", "digits-cnn"], Reason.LOST_AXIS)],
)
def test_positions_count_where_a_task_has_them(tasks: list[str], reason: Reason | None) -> None:
    config = Config.model_validate({"budget": 1, "tasks": tasks})
    assert screened(parse("relu(mean_p(x))"), config) is reason
    assert screened(parse("relu(x)"), config) is None


def test_an_objective_without_a_number_for_a_kind_is_refused_at_launch(small: Path) -> None:
    changes = ["objectives=[gain, lipschitz]", "start=['x/rms_c(x)']"]
    with pytest.raises(ConfigError, match=r"objectives: .*'lipschitz'.*x/rms_c\(x\) is a layer with statistics"):
        Job.load(small, changes)
