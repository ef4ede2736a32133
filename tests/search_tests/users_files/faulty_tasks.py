"""Tasks with which one candidate does harm to its worker: named by tests as a user names a task file.

The folder holds such files alone: what lies beside a file that was run counts as its user's for the rest of the
process, and a test among them that raises a KeyboardInterrupt would be taken for code that ends the process.
"""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from evaluators import LoopTask
from primitives.layers.activation import Activation

OFFENDER = "atan"


class Quiet(LoopTask):
    """A line, fitted by four units; subclasses do something at candidates with an arcus tangens."""

    learning_rates = (0.01,)
    chance = None

    def network(self) -> nn.Module:
        return nn.Sequential(nn.Linear(1, 4), nn.ReLU(), nn.Linear(4, 1))

    def data(self, part: str) -> tuple[Tensor, Tensor]:
        x = torch.linspace(-1, 1, 64)[:, None] + (part == "confirmation") / 128
        return x, x.abs()

    def harm(self) -> None:
        """What the offender does."""

    def fit(self, network: nn.Module, part: str, seed: int, rate: float, rung_steps: Sequence[int]) -> Iterator[float]:
        if any(OFFENDER in m.expression.text for m in network.modules() if isinstance(m, Activation)):
            self.harm()
        x, y = self.data(part)
        optimiser = torch.optim.SGD(network.parameters(), rate)
        done = 0
        for step in rung_steps:
            for _ in range(step - done):
                optimiser.zero_grad()
                loss = (network(x) - y).square().mean()
                loss.backward()
                optimiser.step()
            done = step
            yield loss.item()
        if part == "confirmation":
            yield loss.item()


class Hangs(Quiet):
    """Waits for what never comes."""

    def harm(self) -> None:
        while True:
            time.sleep(1)


class Segfaults(Quiet):
    """Reads memory that is not there."""

    def harm(self) -> None:
        os.kill(os.getpid(), signal.SIGSEGV)


class Hoards(Quiet):
    """Takes memory until there is none: under a limit, so that the machine lives on."""

    def harm(self) -> None:
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (3 << 30, hard))
        hoard = []
        while True:
            hoard.append(bytearray(64 << 20))


class DiesOnce(Quiet):
    """Its process is killed the first time, as by an operator or a machine that goes down."""

    def harm(self) -> None:
        try:
            os.close(os.open(os.environ["ACTSEARCH_TEST_MARK"], os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return
        os.kill(os.getpid(), signal.SIGKILL)
