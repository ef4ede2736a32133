"""A contextual bandit, whose regret is that of the network's own choices."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from evaluators.cohort import CohortRequest, run_cohort
from evaluators.tasks import task
from evaluators.tasks.base import Part
from evaluators.tasks.loop_task import LoopTask
from evaluators.tasks.shipped.bandit import ARMS, Bandit, _rounds

PARTS: tuple[Part, ...] = ("search", "confirmation")


class Fixed(nn.Module):
    """Says what it is told of a context; the parameter changes nothing."""

    def __init__(self, value: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.value, self.weight = value, nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        return self.value(x)[:, None] + 0.0 * self.weight


def regrets(network: nn.Module, part: Part, seed: int = 3, steps: tuple[int, ...] = (20, 60)) -> list[float]:
    chosen = task("bandit")
    assert isinstance(chosen, LoopTask)
    return list(chosen.fit(network, part, seed, 0.001, steps))


def test_who_knows_the_rewards_has_no_regret() -> None:
    contexts, rewards = _rounds(60, 3, "bandit", "search")
    assert rewards.shape == (60, ARMS) == contexts.shape[:2]
    table = dict(zip(map(tuple, contexts.flatten(0, 1).tolist()), rewards.flatten().tolist(), strict=True))

    def known(x: Tensor) -> Tensor:
        return torch.tensor([table[tuple(row)] for row in x.tolist()])

    assert regrets(Fixed(known), "search") == [0.0, 0.0]
    worst = regrets(Fixed(lambda x: -known(x)), "search")
    apart = rewards.amax(dim=1) - rewards.amin(dim=1)
    assert worst == pytest.approx([float(apart[:20].mean()), float(apart.mean())])


def test_a_seed_has_one_game_and_confirmation_plays_another_for_the_test() -> None:
    for part in PARTS:
        one, same, other = (_rounds(5, seed, "bandit", part) for seed in (1, 1, 2))
        assert all(torch.equal(first, second) for first, second in zip(one, same, strict=True))
        assert not torch.equal(one[0], other[0])

    def first(x: Tensor) -> Tensor:
        return torch.zeros(len(x))

    assert len(regrets(Fixed(first), "search")) == 2
    *_, validation, test = regrets(Fixed(first), "confirmation")
    assert validation != test


def test_a_network_learns_what_pays() -> None:
    """By chance the regret is .35 to .4; after 150 rounds most functions have half of that."""
    found = run_cohort(CohortRequest(("tanh(x)",), ("bandit",), 0, 2, 150, rates=(0.01,), nulls=0))
    assert found.reference.final("bandit").mean() < 0.27


def test_the_networks_are_those_of_the_task() -> None:
    assert isinstance(task("bandit-1x12"), Bandit)
