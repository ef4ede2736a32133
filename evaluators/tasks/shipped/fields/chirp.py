"""A sound as a function of time: a chirp, whose frequency rises."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor, nn

from evaluators.networks import CoordinateNetwork
from evaluators.tasks.base import Part
from evaluators.tasks.readings import psnr
from evaluators.tasks.shipped.sized import SizedTask

SAMPLES = 2_000
#: Oscillations in the sound's time at its begin and its end, how they rise, and the phase in degrees at its begin.
CHIRPS: dict[Part, tuple[float, float, str, float]] = {
    "search": (1.0, 12.0, "linear", 0.0),
    "confirmation": (2.0, 12.0, "quadratic", 90.0),
}


class Chirp(SizedTask):
    """A chirp of ``scipy.signal.chirp`` as a field: a coordinate network learns its amplitude at some times.

    Targets are in units of the root mean square of the search's chirp, so -10 log10(loss) is the ratio of signal to
    noise in decibels, and a gain of g nats is 4.34 g dB.
    """

    title, usual = "audio-inr", (3, 48)
    chance = 1.0  # silence
    batch_size = 128
    learning_rates = (3e-3, 1e-2, 3e-2)
    steps = 400

    def network(self) -> nn.Module:
        return CoordinateNetwork(1, self.width, self.depth, 1, frequency=16.0)

    def data(self, part: Part) -> tuple[Tensor, Tensor]:
        return _sound(part)

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return (output - target).square()[:, 0]

    def readings(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        return {"SNR in dB": psnr(output, target, peak=1.0)}


@cache
def _sound(part: Part) -> tuple[Tensor, Tensor]:
    """Times from -1 to 1 and amplitudes, shape (samples, 1) both."""
    from scipy.signal import chirp  # imported where it is used: it takes half a second

    times = torch.linspace(0.0, 1.0, SAMPLES, dtype=torch.float64)
    sounds = {
        each: torch.from_numpy(chirp(times.numpy(), begin, 1.0, end, method=rise, phi=phase))
        for each, (begin, end, rise, phase) in CHIRPS.items()
    }
    amplitudes = sounds[part] / sounds["search"].square().mean().sqrt()
    return (2 * times - 1).float()[:, None], amplitudes.float()[:, None]
