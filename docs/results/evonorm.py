"""Found layers beside six known ones on a small DenseNet, at batch sizes 4 and 32: torch and scikit-learn alone.

    python docs/results/evonorm.py exports/*/act_*.py                    # an hour of one core for ten layers
    python docs/results/evonorm.py FILES --seeds 2 --examples 640        # to try it
    python docs/results/evonorm.py FILES --keep losses.json              # goes on there after it was stopped

A file is what ``actsearch export`` wrote for a layer. Images are scikit-learn's 8x8 digits, divided anew for each seed:
1,000 to train on, 397 to choose the learning rate by, 400 to test. The known layers are written by hand here. All train
with Adam on as many examples, so at batch size 4 for eight times as many steps. Tests are in eval mode: statistics over
the batch are running means there, in BatchNorm and EvoNorm-B0 as in exported files.

- gain: log(loss of BatchNorm + ReLU / loss of the layer), nats, both at this batch size, paired by seed.
- fall: log(loss at the smaller batch / loss at the larger one), nats, paired by seed.

Intervals are 95 %, Student's t, wider by what tests share between seeds (Nadeau and Bengio 2003).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from scipy.stats import t
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional

WIDTH, DEPTH, GROUP = 8, 4, 16
RATES = (0.003, 0.01, 0.03)
TRAIN, CHOOSE, TEST = 1000, 397, 400

Layer = Callable[[int], nn.Module]


def per_channel(values: Tensor) -> Tensor:
    """Shape (channels,) to (1, channels, 1, 1)."""
    return values[None, :, None, None]


class Scaled(nn.Module):
    """A scale and a shift per channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.w, self.b = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))

    def scaled(self, x: Tensor) -> Tensor:
        return x * per_channel(self.w) + per_channel(self.b)


class EvoNormB0(Scaled):
    """Liu et al. 2020, arXiv 2004.02967, table 1."""

    running: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.v = nn.Parameter(torch.ones(channels))
        self.register_buffer("running", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        over_batch = self.running
        if self.training:
            over_batch = x.var((0, 2, 3), unbiased=False)
            self.running.lerp_(over_batch.detach(), 0.1)
        own = (x.var((2, 3), unbiased=False, keepdim=True) + 1e-5).sqrt()
        deviation = torch.maximum((per_channel(over_batch) + 1e-5).sqrt(), per_channel(self.v) * x + own)
        return self.scaled(x / deviation)


class EvoNormS0(Scaled):
    """Liu et al. 2020, arXiv 2004.02967, table 1."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.v = nn.Parameter(torch.ones(channels))
        self.groups = max(1, channels // GROUP)

    def forward(self, x: Tensor) -> Tensor:
        grouped = x.unflatten(1, (self.groups, -1))
        deviation = (
            (grouped.var((2, 3, 4), unbiased=False, keepdim=True) + 1e-5).sqrt().expand_as(grouped).flatten(1, 2)
        )
        return self.scaled(x * torch.sigmoid(per_channel(self.v) * x) / deviation)


class FRNTLU(Scaled):
    """Singh and Krishnan 2019, arXiv 1911.09737."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.tau = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        normal = x * torch.rsqrt(x.square().mean((2, 3), keepdim=True) + 1e-6)
        return torch.maximum(self.scaled(normal), per_channel(self.tau))


class LayerNormSiLU(Scaled):
    """The mean and deviation over the channels of a position."""

    def forward(self, x: Tensor) -> Tensor:
        centred = x - x.mean(1, keepdim=True)
        return functional.silu(self.scaled(centred / (x.var(1, unbiased=False, keepdim=True) + 1e-5).sqrt()))


def known() -> dict[str, Layer]:
    """The known layers, the reference first."""
    return {
        "BatchNorm + ReLU": lambda channels: nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU()),
        "GroupNorm + ReLU": lambda channels: nn.Sequential(
            nn.GroupNorm(max(1, channels // GROUP), channels), nn.ReLU()
        ),
        "LayerNorm + SiLU": LayerNormSiLU,
        "EvoNorm-B0": EvoNormB0,
        "EvoNorm-S0": EvoNormS0,
        "FRN + TLU": FRNTLU,
    }


def exported(path: Path) -> Layer:
    """The layer of an exported file: its one class whose name begins with Act."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Layer = next(value for name, value in vars(module).items() if name.startswith("Act"))
    return found


class Dense(nn.Module):
    """A layer and a convolution, beside their input."""

    def __init__(self, layer: Layer, channels: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(layer(channels), nn.Conv2d(channels, WIDTH, 3, padding=1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.branch(x)], dim=1)


def densenet(layer: Layer) -> nn.Sequential:
    """A small DenseNet (Huang et al. 2017), half of its layers before a transition and half behind it."""
    channels = 2 * WIDTH
    blocks: list[nn.Module] = [nn.Conv2d(1, channels, 3, padding=1, bias=False)]
    for level in range(DEPTH):
        if level == DEPTH // 2:
            blocks += [layer(channels), nn.Conv2d(channels, channels // 2, 1, bias=False), nn.AvgPool2d(2)]
            channels //= 2
        blocks.append(Dense(layer, channels))
        channels += WIDTH
    head = [layer(channels), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10)]
    network = nn.Sequential(*blocks, *head)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.01)
            nn.init.zeros_(module.bias)
    return network


def divided(seed: int) -> list[tuple[Tensor, Tensor]]:
    """Images and labels to train on, to choose by, to test."""
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 16
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    parts = order[: TRAIN + CHOOSE + TEST].split([TRAIN, CHOOSE, TEST])
    return [(images[part], torch.tensor(digits.target)[part]) for part in parts]


def losses(layer: Layer, seed: int, rate: float, batch: int, examples: int) -> tuple[float, float, float]:
    """The loss to choose by, that of the test, and the test's accuracy."""
    torch.manual_seed(seed)
    network = densenet(layer)
    (x, y), choose, test = divided(seed)
    optimiser = torch.optim.Adam(network.parameters(), rate)
    draw = torch.Generator().manual_seed(seed)
    for _ in range(examples // batch):
        at = torch.randint(len(x), (batch,), generator=draw)
        optimiser.zero_grad()
        functional.cross_entropy(network(x[at]), y[at]).backward()
        optimiser.step()
    network.eval()
    with torch.no_grad():
        chosen = functional.cross_entropy(network(choose[0]), choose[1]).item()
        outputs = network(test[0])
        hits = (outputs.argmax(1) == test[1]).double().mean().item()
        return chosen, functional.cross_entropy(outputs, test[1]).item(), hits


def tested(layer: Layer, seeds: int, batch: int, examples: int) -> tuple[np.ndarray, np.ndarray]:
    """Test losses and accuracies by seed, at the rate of the smallest mean loss to choose by; losses that are no number
    count as infinite."""
    rows = np.array([[losses(layer, seed, rate, batch, examples) for rate in RATES] for seed in range(seeds)])
    rows = np.where(np.isnan(rows), np.inf, rows)
    best = rows[:, :, 0].mean(0).argmin()
    return rows[:, best, 1], rows[:, best, 2]


def interval(values: np.ndarray) -> str:
    """Mean and 95 % interval."""
    if not np.isfinite(values).all() or len(values) < 2:
        return f"{values.mean():+.3f}"
    half = t.ppf(0.975, len(values) - 1) * values.std(ddof=1) * np.sqrt(1 / len(values) + TEST / TRAIN)
    return f"{values.mean():+.3f} ({values.mean() - half:+.3f} {values.mean() + half:+.3f})"


def remembered(keep: Path | None) -> dict[str, list[list[float]]]:
    """Losses and accuracies by layer and setting, of an earlier run."""
    found: dict[str, list[list[float]]] = json.loads(keep.read_text()) if keep is not None and keep.exists() else {}
    return found


def main(files: Sequence[Path], seeds: int, batches: Sequence[int], examples: int, keep: Path | None) -> None:
    done = remembered(keep)
    layers = known() | {path.stem: partial(exported(path)) for path in files}
    small, large = min(batches), max(batches)
    reference: dict[int, np.ndarray] = {}
    heads = [f"{what} at {batch}" for batch in (large, small) for what in ("loss", "accuracy", "gain")]
    print("| layer | " + " | ".join([*heads, "fall"]) + " |\n|" + "---|" * (len(heads) + 2))
    for name, layer in layers.items():
        cells, by_batch = [], {}
        for batch in (large, small):
            key = f"{name}, {seeds} seeds, {examples} examples, batch {batch}"
            if key not in done:
                done[key] = [values.tolist() for values in tested(layer, seeds, batch, examples)]
                if keep is not None:
                    keep.write_text(json.dumps(done, indent=1))
            by_batch[batch], hits = map(np.array, done[key])
            reference.setdefault(batch, by_batch[batch])
            gain = np.log(reference[batch] / by_batch[batch])
            cells += [f"{by_batch[batch].mean():.3f}", f"{hits.mean():.3f}", interval(gain)]
        fall = interval(np.log(by_batch[small] / by_batch[large]))
        print("| " + " | ".join([name, *cells, fall]) + " |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="*", help="exported layers")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--batches", type=int, nargs=2, default=[4, 32])
    parser.add_argument("--keep", type=Path, metavar="FILE", help="where the losses are, and what is done already")
    parser.add_argument("--examples", type=int, default=6400, help="that a training sees, one counted as often as seen")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    main(asked.files, asked.seeds, asked.batches, asked.examples, asked.keep)
