"""How much the gains of seeds that divide the same data have in common, and what intervals of their mean cover.

Nadeau and Bengio (2003, Machine Learning 52) take the variance between data sets to be test / train examples times
that within one. Here both are looked at: data sets ("pools") are drawn anew, each is divided by many seeds, and the
gain that is meant is that on new data, the mean over all pools.

Two kinds: regressions on random features, tanh against ReLU, a million of which take a minute; and networks on signals
of ``mnist1d`` (``--trained``).
"""

from __future__ import annotations

import argparse
from functools import cache

import numpy as np
import torch
from scipy.special import stdtrit
from torch import Tensor, nn

from evaluators.cohort import CohortRequest, run_cohort
from evaluators.networks import skipping_mlp
from evaluators.objectives import gains
from evaluators.seeds import torch_generator
from evaluators.tasks.base import Part, Split, Task, split
from evaluators.tasks.fresh_data import OWN_WEIGHTS
from evaluators.tasks.shipped.mnist1d import random_states_kept
from evaluators.training.member import Array

INPUTS, NOISE, RIDGE = 5, 0.3, 1e-2


def regressions(pools: int, seeds: int, examples: int, width: int, *, drawn: bool = True) -> Array:
    """Gains of tanh features over ReLU features, pools x seeds, in nats of the squared error on test examples.

    Each seed divides a pool, and where ``drawn`` has weights of its own for the features; else all have the same.
    """
    rows = []
    for pool in range(pools):
        x, y = _pool(pool, examples)
        own = [pool * seeds + seed for seed in range(seeds)]
        parts = [split(examples, "confirmation", seed) for seed in own]
        weights = torch.stack([torch.randn(INPUTS + 1, width, generator=torch_generator(s * drawn, "w")) for s in own])
        before = torch.cat([x, torch.ones(examples, 1)], dim=1) @ weights.double()
        errors = [_errors(function(before), y, parts) for function in (torch.relu, torch.tanh)]
        rows.append((errors[0] / errors[1]).log().numpy())
    return np.stack(rows)


def _pool(number: int, examples: int) -> tuple[Tensor, Tensor]:
    generator = torch_generator(number, "pool")
    x = torch.randn(examples, INPUTS, generator=generator, dtype=torch.float64)
    noise = torch.randn(examples, generator=generator, dtype=torch.float64)
    return x, torch.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2] + NOISE * noise


def _errors(features: Tensor, y: Tensor, parts: list[Split]) -> Tensor:
    """Mean squared test errors of ridge regressions, one a seed."""
    train, test = (torch.stack([getattr(each, kind) for each in parts]) for kind in ("train", "test"))
    rows = torch.arange(len(parts))[:, None]
    seen, new = features[rows, train], features[rows, test]
    gram = seen.mT @ seen + RIDGE * len(train[0]) * torch.eye(seen.shape[-1], dtype=torch.float64)
    weights = torch.linalg.solve(gram, (seen.mT @ y[train][..., None]))
    return ((new @ weights)[..., 0] - y[test]).square().mean(dim=1)


class Pool(Task):
    """A set of signals of its own; one network for both parts."""

    batch_size, steps, learning_rates, reference = 64, 100, (3e-3,), "relu"
    initial, scale = "drawn", "unit"

    def __init__(self, number: int, examples: int) -> None:
        self.name, self.number, self.examples = f"pool-{number}", number, examples

    def network(self) -> nn.Module:
        return skipping_mlp(40, 64, 2, 10)

    def data(self, part: Part) -> tuple[Tensor, Tensor]:
        signals, labels = _signals(self.number, self.examples)
        return signals, labels


@cache
def _signals(number: int, examples: int) -> tuple[Tensor, Tensor]:
    from mnist1d.data import get_dataset_args, make_dataset

    asked = get_dataset_args()
    asked.seed, asked.num_samples, asked.train_split = 1000 + number, examples, 1 - 1e-9
    with random_states_kept():
        made = make_dataset(asked)
    signals = np.concatenate([made["x"], made["x_test"]])
    labels = np.concatenate([made["y"], made["y_test"]])
    return torch.from_numpy(signals).float(), torch.from_numpy(labels)


def trained(pools: int, seeds: int, examples: int) -> dict[str, Array]:
    """Gains over ReLU by function, each pools x seeds."""
    rows: dict[str, list[Array]] = {}
    for number in range(pools):
        task = Pool(number, examples)
        asked = CohortRequest(
            ("sin(x)", "tanh(x)"), (task.name,), number, seeds, task.steps, purpose="confirmation", nulls=0
        )  # fmt: skip
        result = run_cohort(asked, lambda _, task=task: task)  # type: ignore[misc]
        relu = result.controls["relu"]
        named = {**result.controls, "sin": result.candidates[0], "tanh": result.candidates[1]}
        for name, row in named.items():
            if name != "relu":
                rows.setdefault(name, []).append(gains(row, relu, [task.name], test=True)[0])
    return {name: np.stack(each) for name, each in rows.items()}


def between_to_within(table: Array) -> float:
    """Variance between pools to that within one, by the analysis of variance; 0 if the seeds had nothing in common."""
    within = table.var(axis=1, ddof=1).mean()
    return float(table.mean(axis=1).var(ddof=1) / within - 1 / table.shape[1])


def coverage(table: Array, ratio: float) -> float:
    """Share of the pools whose 95 % interval holds the mean over all."""
    n = table.shape[1]
    error = table.std(axis=1, ddof=1) * np.sqrt(1 / n + ratio)
    return float(np.mean(np.abs(table.mean(axis=1) - table.mean()) <= stdtrit(n - 1, 0.975) * error))


def line(what: str, table: Array, examples: int, *, drawn: bool = True) -> str:
    """Pools, seeds, and for the first 5, 10 and all seeds how often each interval covers."""
    parts = split(examples, "confirmation", 0)
    ratio = len(parts.test) / len(parts.train) * (OWN_WEIGHTS if drawn else 1.0)
    counts = [n for n in (5, 10, 32) if n <= table.shape[1]]
    cells = "  ".join(f"{coverage(table[:, :n], 0.0):.3f} {coverage(table[:, :n], ratio):.3f}" for n in counts)
    return f"{what:<26} ratio {ratio:.3f}, seen {between_to_within(table):+.3f};  n = {counts}: {cells}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pools", type=int, default=2000)
    parser.add_argument("--trained", type=int, default=0, help="pools of signals; 24 take ten minutes")
    given = parser.parse_args()
    torch.set_num_threads(1)
    print("ratio: assumed, and as seen between pools; coverage by Student's t and by the corrected one")
    for examples, width, drawn in (
        (200, 4, True),
        (200, 16, True),
        (200, 64, True),
        (1000, 16, True),
        (200, 16, False),
        (200, 64, False),
    ):
        table = regressions(given.pools, 32, examples, width, drawn=drawn)
        print(
            line(f"{examples} examples, width {width}{'' if drawn else ', fixed'}", table, examples, drawn=drawn),
            flush=True,
        )
    for name, table in trained(given.trained, 10, 1000).items() if given.trained else ():
        print(line(f"signals, {name}", table, 1000), flush=True)


if __name__ == "__main__":
    main()
