"""Reinforcement learning: a network learns to balance a pole from games that it plays itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from evaluators.errors import TaskError
from evaluators.networks import mlp
from evaluators.seeds import derive, torch_generator
from evaluators.tasks.base import BLOCK, Part
from evaluators.tasks.loop_task import LoopTask
from evaluators.tasks.shipped.sized import SizedTask

INSTALL = "pip install 'actsearch[reinforcement]'"
STATE, ACTIONS = 4, 2  # position, speed, angle, angular speed of the pole; left, right
UNITS = (0.5, 1.0, 0.1, 1.0)  # about the deviations of the states that games reach
GAMES = 8  # at once: a transition of each a step
LONGEST = 500  # transitions of a game
DISCOUNT = 0.99
FIRST = 25  # steps before the first gradient
GREEDY_AFTER, LEAST = 250, 0.05  # steps over which the share of random actions falls from 1, and to what
FOLLOWING = 0.02  # share of the way to the network that the target network goes in a step


class CartPole(SizedTask, LoopTask):
    """A deep Q-network on gymnasium's CartPole-v1, judged by the return of the games that it played while it learned.

    DQN of Mnih et al. 2015 (doi:10.1038/nature14236), with the double targets of van Hasselt et al. 2016
    (arXiv:1509.06461) and a target network that follows slowly. In a step eight games go on by a transition, and Adam
    takes a step on 64 of all transitions so far. A game's return is the number of transitions that the pole stands,
    500 at most. What is judged is the mean return in the second half of the steps: its transitions for each game that
    ended there, random actions included. In confirmation an untrained network plays once more, from other starts, for
    the test.
    """

    title, usual = "cartpole", (2, 64)
    direction, compare, unit = "maximise", "difference", "return"
    learning_rates = (1e-3, 3e-3, 1e-2)
    steps = 1000

    def network(self) -> nn.Module:
        return mlp(STATE, self.width, self.depth, ACTIONS)

    def data(self, part: Part) -> tuple[Tensor, Tensor]:
        """Some states and values of actions: what the network is shown to find its places."""
        drawn = torch_generator(0, "cartpole", "shown", part)
        states = torch.randn(2 * BLOCK, STATE + ACTIONS, generator=drawn, device="cpu")
        return states[:, :STATE], states[:, STATE:]

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return functional.smooth_l1_loss(output, target, reduction="none").mean(dim=1)

    def fit(self, network: nn.Module, part: Part, seed: int, rate: float, rung_steps: Sequence[int]) -> Iterator[float]:
        untrained = deepcopy(network)
        yield from self._returns(network, _Games(seed, "cartpole", part, rung_steps[-1]), rate, rung_steps)
        if part == "confirmation":
            yield from self._returns(untrained, _Games(seed, "test", part, rung_steps[-1]), rate, rung_steps[-1:])

    def _returns(self, network: nn.Module, games: _Games, rate: float, rung_steps: Sequence[int]) -> Iterator[float]:
        """The mean return in the second half of the steps up to each rung."""
        target = deepcopy(network).requires_grad_(False)
        optimiser = torch.optim.Adam(network.parameters(), lr=rate)
        pairs = [*zip(target.parameters(), network.parameters(), strict=True)]
        for start, stop in pairwise((0, *rung_steps)):
            for now in range(start, stop):
                games.play(network, now)
                if now < FIRST:
                    continue
                optimiser.zero_grad()
                self._loss(network, target, games.replayed(self.batch_size, now)).backward()
                optimiser.step()
                with torch.no_grad():
                    for old, new in pairs:
                        old.lerp_(new, FOLLOWING)
            yield games.mean_return(stop // 2, stop)

    def _loss(self, network: nn.Module, target: nn.Module, batch: _Batch) -> Tensor:
        """Mean loss of the values of the actions taken; the target network values the network's choice of the next."""
        before, after = network(torch.cat([batch.before, batch.after])).chunk(2)
        with torch.no_grad():
            later = target(batch.after).gather(1, after.argmax(dim=1, keepdim=True))
        return self.loss(before.gather(1, batch.actions), 1.0 + DISCOUNT * batch.goes_on * later).mean()


@dataclass(frozen=True, slots=True)
class _Batch:
    """Transitions: states, shape (batch, 4), the action, and 1 where the pole stands afterwards, shape (batch, 1)."""

    before: Tensor
    actions: Tensor
    goes_on: Tensor
    after: Tensor


class _Games:
    """Games of one model, eight at once, from starts and with random actions of its seed.

    Args:
        seed: of the model.
        use: what for, ``"cartpole"`` or ``"test"``.
        part: of the data.
        steps: in all.

    Attributes:
        ends: of each game that has ended its last step.
        transitions: all of them so far, step by step.

    Raises:
        TaskError: gymnasium is not installed.
    """

    def __init__(self, seed: int, use: str, part: Part, steps: int) -> None:
        self.drawn = torch_generator(seed, use, part, "play")
        self.games = [_game() for _ in range(GAMES)]
        starts = [derive(seed, use, part, "starts", number) % 2**31 for number in range(GAMES)]
        self.states = [game.reset(seed=start)[0] for game, start in zip(self.games, starts, strict=True)]
        self.ends: list[int] = []
        states, ones = (torch.zeros(2, steps * GAMES, size, device="cpu") for size in (STATE, 1))
        self.transitions = _Batch(states[0], ones[0].long(), ones[1], states[1])

    def play(self, network: nn.Module, now: int) -> None:
        """Go on by one step: with random actions, fewer with time, or those that the network values most."""
        rows, known = slice(now * GAMES, (now + 1) * GAMES), self.transitions
        known.before[rows] = _scaled(self.states)
        with torch.no_grad():
            greedy = network(known.before[rows]).argmax(dim=1)
        random = torch.randint(ACTIONS, (GAMES,), generator=self.drawn, device="cpu")
        explores = torch.rand(GAMES, generator=self.drawn, device="cpu") < max(LEAST, 1 - now / GREEDY_AFTER)
        actions = torch.where(explores, random, greedy)
        known.actions[rows] = actions[:, None]
        moved = [game.step(action) for game, action in zip(self.games, actions.tolist(), strict=True)]
        known.after[rows] = _scaled([state for state, *_ in moved])
        # a game that is cut off at 500 would have gone on
        known.goes_on[rows] = torch.tensor([[float(not fallen)] for _, _, fallen, _, _ in moved], device="cpu")
        for number, (state, _, fallen, over, _) in enumerate(moved):
            self._went(number, now, state, fallen or over)

    def _went(self, number: int, now: int, state: Any, has_ended: bool) -> None:
        """A game has gone to a state; where it has ended another one begins."""
        self.states[number] = state
        if has_ended:
            self.ends.append(now)
            self.states[number] = self.games[number].reset()[0]

    def replayed(self, size: int, now: int) -> _Batch:
        """Transitions drawn from all up to a step."""
        rows = torch.randint((now + 1) * GAMES, (size,), generator=self.drawn, device="cpu")
        known = self.transitions
        return _Batch(known.before[rows], known.actions[rows], known.goes_on[rows], known.after[rows])

    def mean_return(self, start: int, stop: int) -> float:
        """Transitions from a step to another for each game that ended there: so games under way count, too."""
        ended = sum(start <= step < stop for step in self.ends)
        return min(float(LONGEST), (stop - start) * GAMES / max(1, ended))


def _game() -> Any:
    """CartPole-v1.

    Raises:
        TaskError: gymnasium is not installed.
    """
    try:
        import gymnasium
    except ImportError:
        raise TaskError(f"task 'cartpole' needs the library gymnasium: {INSTALL}") from None
    return gymnasium.make("CartPole-v1")


def _scaled(states: Sequence[Any]) -> Tensor:
    """States, shape (games, 4), in units of about the deviations that games reach."""
    return torch.tensor([[float(v) / unit for v, unit in zip(row, UNITS, strict=True)] for row in states], device="cpu")
