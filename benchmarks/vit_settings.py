"""Gains over ReLU in a timm ViT: with its own weights and no scale, with drawn weights and unit scale, and by hand.

The network: 8x8 digits, patches of 2x2, 32 dimensions, 2 blocks. Each function is trained with each seed and learning
rate in three ways: by actsearch with ``initial: own, scale: none``, what a user's task has; with ``initial: drawn,
scale: unit``, what the shipped tasks have; and with its own weights by ``vit_plain_loop.py``, plain torch that imports
nothing of this project. All see the same images in the same order.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.vit_plain_loop import BY_HAND, held_out_loss, vit
from benchmarks.vit_plain_loop import trained as by_loop
from evaluators import Task
from evaluators.machine.backend import Backend
from evaluators.seeds import derive
from evaluators.statistics import interval
from evaluators.tasks import task as task_named
from evaluators.tasks.base import batches, split
from evaluators.training.member import CohortMember, Schedule
from evaluators.training.train import train
from primitives import parse

RATES = (1e-3, 3e-3, 1e-2)
WIDTH = 18  # models in a stack, one function's with six seeds; 132 take half as long again, and no number changes
SETTINGS = {"own": ("own", "none"), "drawn": ("drawn", "unit")}
HAND = "plain loop"

#: Of each function, the held-out losses, seeds x learning rates.
Losses = dict[str, NDArray[np.float64]]


class Vit(Task):
    """The ViT on scikit-learn's digits."""

    name = "vit"
    replaced = (nn.GELU,)

    def __init__(self, initial: str, scale: str) -> None:
        self.initial, self.scale = initial, scale

    def network(self) -> nn.Module:
        return vit()

    def data(self, part: str) -> tuple[Tensor, Tensor]:
        pixels, labels = task_named("digits-cnn").data("search" if part == "search" else "confirmation")
        return pixels, labels


def by_actsearch(setting: str, seeds: Sequence[int], steps: int, dtype: torch.dtype) -> Losses:
    """All functions by actsearch, and the network as it stands."""
    members = [CohortMember(None if name == "current" else parse(name), tuple(seeds), True) for name in BY_HAND]
    outcomes = train(
        Vit(*SETTINGS[setting]), "search", members, Schedule(steps, (), RATES), WIDTH, backend=Backend(dtype=dtype)
    )
    return {name: np.array(outcome.losses[steps]) for name, outcome in zip(BY_HAND, outcomes, strict=True)}


def by_hand(seeds: Sequence[int], steps: int, dtype: torch.dtype) -> Losses:
    """All functions by the plain loop, on the same images, with the weights that the same seeds of torch make."""
    of_task = Vit(*SETTINGS["own"])
    images, labels = of_task.data("search")
    images = images.to(dtype)
    found: dict[str, list[list[float]]] = {name: [] for name in BY_HAND}
    for seed in seeds:
        parts, of_torch = split(len(labels), "search", seed), derive(seed, "modules")
        order = batches(parts.train, steps, of_task.batch_size, seed)
        for name, rows in found.items():
            of_rates = []
            for rate in RATES:
                network, _ = by_loop(images, labels, order, name=name, seed=of_torch, rate=rate)
                of_rates.append(held_out_loss(network, images[parts.validation], labels[parts.validation]))
            rows.append(of_rates)
    return {name: np.array(rows) for name, rows in found.items()}


def gains(found: Losses, name: str) -> list[NDArray[np.float64]]:
    """Gains over ReLU of each seed in nats, at each learning rate, then each at its own best one."""

    def best(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return values[:, np.log(values).mean(axis=0).argmin()]

    own, relu = np.maximum(found[name], Task.loss_floor), np.maximum(found["relu(x)"], Task.loss_floor)
    return [*np.log(relu / own).T, np.log(best(relu) / best(own))]


def report(found: dict[str, Losses]) -> None:
    """Print a table in Markdown, the ways side by side: ReLU's losses, then gains over it."""
    print(f"| function | rate | {' | '.join(found)} |\n|{'---|' * (len(found) + 2)}")
    for name in BY_HAND:
        columns = [_relus(of) if name == "relu(x)" else _gains(of, name) for of in found.values()]
        for rate, *cells in zip([*map(str, RATES), "best"], *columns, strict=True):
            print(f"| `{name}` | {rate} | {' | '.join(cells)} |")


def _relus(found: Losses) -> list[str]:
    means = np.exp(np.log(found["relu(x)"]).mean(axis=0))
    return [f"loss {value:.3f}" for value in (*means, means.min())]


def _gains(found: Losses, name: str) -> list[str]:
    rows = [(values.mean(), interval(values.tolist())) for values in gains(found, name)]
    return [f"{mean:+.2f}" + (f" ({of[0]:+.2f} {of[1]:+.2f})" if of else "") for mean, of in rows]


def compare(found: dict[str, Losses]) -> None:
    """Print how far the losses of the plain loop are from ours."""
    if {"own", HAND} <= found.keys():
        apart = [np.abs(np.log(found["own"][name] / found[HAND][name])) for name in BY_HAND]
        for rate, median, most in zip(RATES, np.median(apart, axis=(0, 1)), np.max(apart, axis=(0, 1)), strict=True):
            print(f"own and {HAND}, rate {rate:g}: losses differ by {median:.1e} nats (median), {most:.1e} (most)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--ways", nargs="+", choices=("own", HAND, "drawn"), default=("own", HAND, "drawn"))
    parser.add_argument("--double", action="store_true", help="in float64: then the loop's numbers are the same")
    parser.add_argument("--out", type=Path, help="a JSON file for all losses")
    parser.add_argument("--read", type=Path, help="print the table of such a file, and train nothing")
    arguments = parser.parse_args()
    found = read(arguments.read) if arguments.read else trained(arguments)
    report(found)
    compare(found)


def read(path: Path) -> dict[str, Losses]:
    return {
        way: {name: np.array(rows) for name, rows in of.items()} for way, of in json.loads(path.read_text()).items()
    }


def trained(arguments: argparse.Namespace) -> dict[str, Losses]:
    """All ways that are asked for, one after the other."""
    torch.set_num_threads(1)
    seeds = [derive(0, "vit", number) for number in range(arguments.seeds)]
    dtype = torch.float64 if arguments.double else torch.float32
    found: dict[str, Losses] = {}
    for way in arguments.ways:
        started = time.perf_counter()
        if way == HAND:
            found[way] = by_hand(seeds, arguments.steps, dtype)
        else:
            found[way] = by_actsearch(way, seeds, arguments.steps, dtype)
        print(f"{way}: {time.perf_counter() - started:.0f} s", flush=True)
        if arguments.out:
            tables = {way: {name: values.tolist() for name, values in of.items()} for way, of in found.items()}
            arguments.out.write_text(json.dumps(tables) + "\n")
    return found


if __name__ == "__main__":
    main()
