"""Digits that are learnt privately: what a network says must not tell whether an image was among those that trained."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from evaluators.networks import mlp
from evaluators.privacy.accountant import noise_for
from evaluators.privacy.settings import Privacy
from evaluators.tasks.base import Part
from evaluators.tasks.readings import accuracy
from evaluators.tasks.shipped.digits import Digits
from evaluators.tasks.shipped.sized import SizedTask

EPSILON, DELTA = 3.0, 1e-3  # delta is below 1 / 643 training images
CLIP, SAMPLING = 1.0, 0.1


class PrivateDigits(SizedTask):
    """The images of ``digits`` by DP-SGD, with the same privacy for all functions and any number of steps.

    The setting of Papernot et al. 2020 (arXiv:2007.14191), who put tempered sigmoids, s*sigmoid(T*x)-o, such as tanh,
    above ReLU. The noise is the least that keeps epsilon at 3; see :mod:`evaluators.privacy.accountant`. Each function
    needs a rate of its own, so the grid is wide.
    """

    title, usual = "dp-sgd", (2, 64)
    chance = math.log(10.0)
    optimiser = "sgd"
    learning_rates = (0.01, 0.03, 0.1)
    steps = 150

    def network(self) -> nn.Module:
        return mlp(64, self.width, self.depth, 10)

    def data(self, part: Part) -> tuple[Tensor, Tensor]:
        return Digits().data(part)

    def privacy(self, steps: int) -> Privacy:
        noise = noise_for(EPSILON, delta=DELTA, sampling=SAMPLING, steps=steps)
        return Privacy(clip=CLIP, noise=noise, sampling=SAMPLING)

    def readings(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        """The accuracy, and epsilon at the delta .001, which all functions have."""
        return {"accuracy": accuracy(output, target), "epsilon": torch.tensor(EPSILON, device="cpu")}
