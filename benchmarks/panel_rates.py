"""One learning rate for a network, by the panel of known functions: what each rate costs the functions, in nats.

A table of scores at one rate is fair to no function that wants another. So the rate is chosen before the table is
recorded, and by functions that did not decide it: those of the panel and the usual three controls. The regret of a
function at a rate is the log of its mean loss there less that at its own best rate, at most 1; a failure counts as 1.
The chosen rate has the lowest mean regret.

    python -m benchmarks.panel_rates mnist1d-cnn mnist1d-vit --steps 400      # 7 minutes each on one core
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np
import torch

from evaluators.cohort import CohortRequest, run_cohort
from evaluators.controls import CONTROLS, function_of
from evaluators.training.member import Array
from search.baseline.panel import PANEL

RATES = (1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2)
WORST, SEEDS = 1.0, 3


def regrets(task: str, steps: int, rates: Sequence[float] = RATES) -> Array:
    """Regret of each function at each rate, (functions, rates), in nats."""
    texts = tuple(dict.fromkeys((*CONTROLS.values(), *[function_of(name).text for name in PANEL])))
    rows = run_cohort(
        CohortRequest(texts, (task,), 0, SEEDS, steps, rates=tuple(rates), nulls=0, draw="panel rates")
    ).candidates  # fmt: skip
    losses = np.stack([row.losses[task].get(steps, np.full((SEEDS, len(rates)), np.nan)) for row in rows])
    logs = np.log(losses.mean(axis=1))
    logs = np.where(np.isfinite(logs), logs, np.inf)
    best = logs.min(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):  # a function that fails at every rate: infinity less infinity
        return np.nan_to_num(logs - best, nan=WORST).clip(max=WORST)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("tasks", nargs="+")
    parser.add_argument("--steps", type=int, default=400)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for task in arguments.tasks:
        found = regrets(task, arguments.steps)
        means = found.mean(axis=0)
        print(f"{task}, {len(found)} functions, {arguments.steps} steps, {SEEDS} seeds")
        for rate, mean, worst, wins in zip(RATES, means, found.max(axis=0), (found == 0).sum(axis=0), strict=True):
            print(f"  rate {rate:<6g} mean regret {mean:.3f}, worst {worst:.2f}, best rate of {wins} functions")
        print(f"  chosen: {RATES[int(means.argmin())]:g}", flush=True)


if __name__ == "__main__":
    main()
