"""A contextual bandit: a network learns rewards from its own choices alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from itertools import pairwise

import torch
from torch import Tensor, nn

from evaluators.networks import mlp
from evaluators.seeds import torch_generator
from evaluators.tasks.base import BLOCK, Part
from evaluators.tasks.loop_task import LoopTask
from evaluators.tasks.shipped.sized import SizedTask

ARMS, DIMENSIONS = 4, 10
NOISE = 0.1  # standard deviation of a reward
ROUNDS = 500


class Bandit(SizedTask, LoopTask):
    """In each round the network chooses one of four contexts, gets its reward and takes one step on what it has seen.

    The greedy rule on the cosine of Zhou, Li and Gu 2020 (arXiv:1911.04462): contexts x are random points of the unit
    sphere, a reward is cos(3 x . theta) and noise, theta an unknown direction. What is judged is the regret, the mean
    over the rounds of the best context's reward less that of the chosen one, without noise. A step is a round, 500 are
    the usual budget. Each seed has contexts and a theta of its own. In confirmation an untrained network plays once
    more, on others, for the test.
    """

    title, usual = "bandit", (2, 64)
    learning_rates = (1e-3, 3e-3, 1e-2)
    steps = ROUNDS
    loss_floor = 1e-3

    def network(self) -> nn.Module:
        return mlp(DIMENSIONS, self.width, self.depth, 1)

    def data(self, part: Part) -> tuple[Tensor, Tensor]:
        """Contexts of some rounds and their rewards: what the network is shown to find its places."""
        contexts, rewards = _rounds(2 * BLOCK, 0, "shown", part)
        return contexts.flatten(0, 1), rewards.flatten()[:, None]

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return (output - target).square().mean(dim=1)

    def fit(self, network: nn.Module, part: Part, seed: int, rate: float, rung_steps: Sequence[int]) -> Iterator[float]:
        untrained = deepcopy(network)
        yield from self._regrets(network, seed, "bandit", part, rate, rung_steps)
        if part == "confirmation":
            yield from self._regrets(untrained, seed, "test", part, rate, rung_steps[-1:])

    def _regrets(
        self, network: nn.Module, seed: int, use: str, part: Part, rate: float, rung_steps: Sequence[int]
    ) -> Iterator[float]:  # fmt: skip
        """The mean regret of all rounds up to each rung."""
        contexts, rewards = _rounds(rung_steps[-1], seed, use, part)
        noise = NOISE * torch.randn(rung_steps[-1], generator=torch_generator(seed, use, part, "noise"), device="cpu")
        drawn = torch_generator(seed, use, part, "replay")
        optimiser = torch.optim.Adam(network.parameters(), lr=rate)
        chosen = torch.zeros(rung_steps[-1], dtype=torch.int64, device="cpu")
        at = torch.arange(rung_steps[-1], device="cpu")
        for start, stop in pairwise((0, *rung_steps)):
            for now in range(start, stop):
                with torch.no_grad():
                    chosen[now] = network(contexts[now]).argmax()
                rows = torch.randint(now + 1, (self.batch_size,), generator=drawn, device="cpu")
                paid = rewards[rows, chosen[rows]] + noise[rows]
                optimiser.zero_grad()
                self.loss(network(contexts[rows, chosen[rows]]), paid[:, None]).mean().backward()
                optimiser.step()
            yield float((rewards[:stop].amax(dim=1) - rewards[at[:stop], chosen[:stop]]).mean())


def _rounds(count: int, seed: int, use: str, part: Part) -> tuple[Tensor, Tensor]:
    """Contexts, shape (rounds, arms, dimensions), and what each pays without noise, shape (rounds, arms)."""
    generator = torch_generator(seed, use, part)
    points = torch.randn(1 + count * ARMS, DIMENSIONS, generator=generator, device="cpu")
    points = points / points.norm(dim=1, keepdim=True)
    theta, contexts = points[0], points[1:].view(count, ARMS, DIMENSIONS)
    return contexts, (3.0 * contexts @ theta).cos()
