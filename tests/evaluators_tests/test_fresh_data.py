"""What a confirmation tests on: the digest of its examples and the sizes of its split; seeds of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from evaluators.cohort import CohortRequest, run_cohort
from evaluators.errors import TaskError
from evaluators.tasks.base import Part, Task
from evaluators.tasks.checks.settings import check_settings
from evaluators.tasks.fresh_data import OWN_WEIGHTS, FreshData, fresh_data
from evaluators.tasks.loop_task import LoopTask


class Points(Task):
    name, learning_rates, reference = "points", (0.01,), "relu"

    def __init__(self, shift: float = 0.0) -> None:
        self.shift = shift

    def network(self) -> nn.Module:
        return nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 2))

    def data(self, part: Part) -> tuple[Tensor, Tensor]:
        x = torch.randn(200, 2, generator=torch.Generator().manual_seed(len(part)))
        return x + self.shift, (x[:, 0] > 0).long()


class Loop(LoopTask):
    name = "loop"

    def network(self) -> nn.Module:
        return Points().network()

    def data(self, part: Part) -> tuple[Tensor, Tensor]:
        return Points().data(part)

    def fit(self, network: nn.Module, part: Part, seed: int, rate: float, rung_steps: Sequence[int]) -> Iterator[float]:
        yield from ()


def test_the_digest_tells_the_data_and_the_ratio_is_the_splits() -> None:
    one, again, other = (fresh_data(Points(shift), "points") for shift in (0.0, 0.0, 0.5))
    assert one == again and one.data != other.data
    assert one.ratio == other.ratio == OWN_WEIGHTS * 30 / (200 - 30 - 30)
    same = Points()
    same.pretrained = True
    assert fresh_data(same, "points").ratio == 30 / (200 - 30 - 30)


def test_a_loop_of_its_own_says_its_ratio() -> None:
    loop = Loop()
    assert fresh_data(loop, "my.py#12:Loop") == FreshData("my.py#12:Loop", 0.0)
    loop.test_ratio = 0.25
    check_settings(loop)
    assert fresh_data(loop, "loop").ratio == 0.25
    loop.test_ratio = -0.25
    with pytest.raises(TaskError, match="task 'loop': test_ratio: expected test examples / training examples"):
        check_settings(loop)


def test_another_draw_shares_no_seed_and_the_search_tests_on_nothing() -> None:
    task = Points()

    def tests(draw: str) -> np.ndarray:
        asked = CohortRequest(("tanh(x)",), ("points",), 0, 4, 8, purpose="confirmation", nulls=1, draw=draw)
        found = run_cohort(asked, lambda _: task)
        assert found.tested == {"points": fresh_data(task, "points")}
        rows = [*found.controls.values(), *found.nulls, *found.candidates]
        return np.concatenate([row.tests["points"].ravel() for row in rows])

    assert (tests("a") == tests("a")).all()
    assert not np.isin(tests("a"), np.concatenate([tests("b"), tests("")])).any()
    search = run_cohort(CohortRequest(("tanh(x)",), ("points",), 0, 2, 8, nulls=0), lambda _: task)
    assert search.tested == {}
