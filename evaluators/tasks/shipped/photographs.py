"""scikit-learn's two photographs: a colour as a function of the place, and patches without their noise."""

from __future__ import annotations

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evaluators.networks import CoordinateNetwork, denoiser
from evaluators.seeds import torch_generator
from evaluators.tasks.base import Part
from evaluators.tasks.readings import psnr
from evaluators.tasks.shipped.sized import SizedTask

#: One photograph for the search, the other for confirmation, so that they share nothing.
PHOTOGRAPHS = {"search": "china.jpg", "confirmation": "flower.jpg"}
REDUCED = 7  # pixels by pixels that become one point of a field: 61 x 91 points are left
PATCH = 8  # pixels by pixels of a noisy patch
NOISE = 0.1  # standard deviation of the noise; pixels are within [0, 1]


class ImageField(SizedTask):
    """A photograph as a field: a coordinate network learns the colours of some points and is asked for others.

    Targets are colours, their mean removed, in units of the standard deviation ``spread()`` of the search's
    photograph. The loss is the mean squared error in these units, so 10 log10(1 / (loss spread^2)) is the PSNR in
    decibels, and a gain of g nats is 10 g / ln 10 = 4.34 g dB.
    """

    title, usual = "image-inr", (3, 48)
    chance = 1.0  # the mean colour everywhere
    batch_size = 128
    learning_rates = (3e-3, 1e-2, 3e-2)
    steps = 200
    loss_floor = 1e-3  # 42 dB

    def network(self) -> nn.Module:
        return CoordinateNetwork(2, self.width, self.depth, 3, frequency=4.0)

    def data(self, part: Part) -> tuple[Tensor, Tensor]:
        return field(part)

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return (output - target).square().mean(dim=1)

    def readings(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        return {"PSNR in dB": psnr(output, target, peak=1.0 / spread())}


class NoisyPatches(SizedTask):
    """Patches of a photograph in grey with normal noise; a convolutional network without pooling says what is noise.

    Targets are the noise in units of its standard deviation 0.1, the loss is the mean squared error in these units:
    of the denoised patch the PSNR is 20 dB + 10 log10(1 / loss), and a gain of g nats is 4.34 g dB.
    """

    title, usual = "image-denoise", (2, 8)
    chance = 1.0  # the patch as it is
    batch_size = 32
    learning_rates = (3e-3, 1e-2, 3e-2)
    steps = 100

    def network(self) -> nn.Module:
        return denoiser(1, self.width, self.depth)

    def data(self, part: Part) -> tuple[Tensor, Tensor]:
        return _patches(part)

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return (output - target).square().flatten(1).mean(dim=1)

    def readings(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        return {"PSNR in dB": psnr(output, target, peak=1.0 / NOISE)}  # of the patch without the noise that is found


@cache
def photograph(part: Part) -> Tensor:
    """Colours within [0, 1], shape (3, 427, 640)."""
    from sklearn.datasets import load_sample_image  # imported where it is used: it takes a second

    return torch.tensor(load_sample_image(PHOTOGRAPHS[part])).permute(2, 0, 1).float() / 255


def reduced(part: Part) -> Tensor:
    """Mean colours of small squares, shape (3, 61, 91)."""
    return F.avg_pool2d(photograph(part), REDUCED)


def spread() -> float:
    """Root of the mean squared distance from the mean colour, in the reduced photograph of the search, per colour."""
    points = reduced("search").flatten(1)
    return float((points - points.mean(dim=1, keepdim=True)).square().mean().sqrt())


@cache
def field(part: Part) -> tuple[Tensor, Tensor]:
    """Points and their colours; one example for each."""
    picture = reduced(part)
    return points_of(*picture.shape[1:]), colours(picture)


def points_of(height: int, width: int) -> Tensor:
    """Places of points, row by row, shape (points, 2), the longer side, the width, from -1 to 1."""
    rows, columns = torch.meshgrid(_centred(height), _centred(width), indexing="ij")
    return torch.stack([rows.flatten(), columns.flatten()], dim=1) / ((width - 1) / 2)


def colours(picture: Tensor) -> Tensor:
    """Colours of a picture of shape (3, height, width) as targets, row by row, shape (points, 3)."""
    mean = reduced("search").flatten(1).mean(dim=1)
    return (picture.flatten(1).T - mean) / spread()


def _centred(size: int) -> Tensor:
    """0 to size - 1 with the mean removed."""
    return torch.arange(size, device="cpu") - (size - 1) / 2


@cache
def _patches(part: Part) -> tuple[Tensor, Tensor]:
    """Noisy patches that do not overlap, a patch's width apart, and their noise, shape (n, 1, 8, 8)."""
    grey = photograph(part).mean(dim=0)
    patches = grey.unfold(0, PATCH, 2 * PATCH).unfold(1, PATCH, 2 * PATCH).reshape(-1, 1, PATCH, PATCH)
    noise = torch.randn(patches.shape, generator=torch_generator(0, "image-denoise", part), device="cpu")
    search = photograph("search").mean(dim=0)
    return (patches + NOISE * noise - search.mean()) / search.std(), noise
