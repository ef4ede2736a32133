"""Addition modulo a prime, learnt late or never: what stands in softmax's place decides (grokking)."""

from __future__ import annotations

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evaluators.networks import mlp
from evaluators.seeds import torch_generator
from evaluators.tasks.base import Part
from evaluators.tasks.place import Place
from evaluators.tasks.readings import accuracy
from evaluators.tasks.shipped.sized import SizedTask

MODULUS = 31
PAIRS = MODULUS * (MODULUS - 1)  # (a, b), b from 1: a + 0 is a - 0, which both parts would have
TRAINED = 736  # 79 % of the pairs; a multiple of 32, since one batch has all
LEAST = 1e-30  # smaller probabilities count as this one: a loss of 69 nats


class ModularAddition(SizedTask):
    """(a + b) mod 31 of most pairs is learnt, that of the others is asked for; in confirmation it is a - b.

    The candidate is a row: it takes the place of the softmax that makes probabilities of the outputs, as in Prieto et
    al. 2025 (arXiv:2501.04697). Softmax in float32 knows its training pairs for sure after some hundred steps; their
    loss is exactly 0 then, no gradient is left, and what was learnt stays by heart. Every step has all training pairs,
    and nothing decays. The hidden layer squares (Gromov 2023, arXiv:2301.02679): with ReLU it takes ten times as long.
    A row is divided by its sum, so that one whose sum is not 1 gains nothing by that. Held out are all pairs, so that
    losses of those that train can be read; the others alone are judged.
    """

    title, usual = "modular-addition", (1, 128)
    replaced = (Place(nn.Softmax, kind="row"),)
    initial, scale = "own", "none"
    batch_size = TRAINED
    learning_rates = (1e-2, 3e-2)
    steps = 1000
    loss_floor = 1e-3
    test_ratio = (PAIRS - TRAINED) / 2 / TRAINED  # judged in the test, one half of those that do not train

    def network(self) -> nn.Module:
        body = mlp(2 * MODULUS, self.width, self.depth, MODULUS)
        hidden = (Square() if isinstance(layer, nn.ReLU) else layer for layer in body)
        return nn.Sequential(*hidden, nn.Softmax(dim=1))

    def larger(self) -> SizedTask:
        """5/4 of the width: a second layer that squares makes powers of four, which do not train."""
        return self.resized(self.depth, self.width * 5 // 4)

    def data(self, part: Part) -> tuple[Tensor, Tensor]:
        inputs, targets = _table(part)
        trained = targets[:, 1].bool()
        return inputs[trained], targets[trained]

    def held_out(self, part: Part) -> tuple[Tensor, Tensor]:
        return _table(part)

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        rows = output.clamp_min(LEAST)
        return -(rows.gather(1, target[:, :1])[:, 0] / rows.sum(dim=1)).log()

    def metric(self, output: Tensor, target: Tensor) -> Tensor:
        """The mean loss of the pairs that did not train."""
        return self.loss(output, target)[target[:, 1] == 0].mean()

    def readings(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        """The accuracy on the pairs that did not train, and the share of those that did whose loss is exactly 0."""
        trained = target[:, 1] == 1
        return {
            "held-out accuracy": accuracy(output[~trained], target[~trained, 0]),
            "losses of 0 in training": (self.loss(output, target)[trained] == 0).double().mean(),
        }


class Square(nn.Module):
    """x^2, element by element."""

    def forward(self, x: Tensor) -> Tensor:
        """Squares, of the shape of ``x``."""
        return x.square()


@cache
def _table(part: Part) -> tuple[Tensor, Tensor]:
    """All pairs as two one-hot codes, shape (930, 62), with the result and 1 if the pair trains, shape (930, 2)."""
    a, b = torch.meshgrid(
        torch.arange(MODULUS, device="cpu"), torch.arange(1, MODULUS, device="cpu"), indexing="ij"
    )  # fmt: skip
    a, b = a.flatten(), b.flatten()
    order = torch.randperm(PAIRS, generator=torch_generator(0, "modular addition", part), device="cpu")
    result = (a + b if part == "search" else a - b) % MODULUS
    inputs = torch.cat([F.one_hot(each, MODULUS) for each in (a, b)], dim=1).float()
    return inputs, torch.stack([result, (order < TRAINED).long()], dim=1)
