"""SAFS on small networks: the loss of pruning, a function for each layer against tuned scaled ReLU, dead neurons.

    python docs/results/safs.py                        # digits, an hour on two idle cores
    python docs/results/safs.py --base mnist1d-pruned
    python docs/results/safs.py --sparsities 0.98 --budget 16 --seeds 5 --trials 3 --steps 40   # to try it: 3 minutes

Three tables, one row a sparsity.

- Pruning: ReLU's test loss and accuracy on the confirmation's data and larger network, over the seeds, at the best of
  the task's learning rates; "dense" is the same network without a mask, trained on for as long. The loss of pruning
  is log(loss pruned / loss dense), paired by seed.
- Search: the job ``safs`` with this sparsity. Its finalists and the scaled ReLU, ``alpha*relu(beta*x)``, are tuned with
  the same trials; each finalist's gain over the tuned scaled ReLU is paired over fresh seeds. The verdict is the job's:
  against every control, corrected for the finalists.
- Dead neurons: the dynamic dead neuron rate of ReLU and of the best finalist, on the search's validation examples.

Intervals are 95 %, Student's t with the allowance for overlapping test sets (docs/confirmation.md); those of dead
neurons are without. Runs lie in ``runs/`` and are resumed if they are there, so that a killed script goes on.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from evaluators.cohort import CohortRequest, run_cohort
from evaluators.objectives.readings import readings
from evaluators.results.records import MemberResult
from evaluators.statistics import interval
from evaluators.training.member import Array, best_rate
from search import Job, Run
from search.confirmation import Confirmation
from search.confirmation.field import train_fields
from search.workers import InProcess

CONTROL = "alpha*relu(beta*x); alpha=1, beta=1"


def estimate(values: Array | Sequence[float], ratio: float = 0.0) -> str:
    """Mean and 95 % interval."""
    rows = [float(value) for value in values]
    low, high = interval(rows, ratio=ratio) or (np.nan, np.nan)
    return f"{np.mean(rows):+.3f} ({low:+.3f} {high:+.3f})"


def by_seed(row: MemberResult, name: str) -> Array:
    """By seed, at the learning rate that is best in validation."""
    losses: Array = row.tests[name][:, best_rate(row.final(name))]
    return losses


def pruning(base: str, sparsities: Sequence[str], seeds: int, steps: int | None) -> None:
    """The loss of ReLU against the dense network."""
    names = [f"{base}-0", *(named(base, each) for each in sparsities)]
    requests = [
        CohortRequest((), (name,), 21, seeds, steps or 200, purpose="confirmation", nulls=0, draw="pruning")
        for name in names
    ]
    fields = train_fields(requests, InProcess())
    dense = by_seed(fields[0].controls["relu"], names[0])
    print(f"\npruning: ReLU, {seeds} seeds\n{'task':28} {'test loss':>9} {'accuracy':>8}  log(pruned / dense)")
    for name, field in zip(names, fields, strict=True):
        row, relu = by_seed(field.controls["relu"], name), readings(field.controls["relu"], name)
        print(f"{name:28} {row.mean():9.3f} {relu['accuracy']:8.3f}  {estimate(np.log(row / dense), field.ratio)}")


def named(base: str, sparsity: str) -> str:
    """The task of a sparsity; the usual one has none in its name."""
    return base if sparsity == "0.95" else f"{base}-{sparsity}"


def searched(name: str, settings: Sequence[str]) -> Run:
    """The job on a task, begun, resumed, or as it is."""
    run = f"safs-{name}"
    if (Path("runs") / run).exists():
        return Run.open(run).resume()
    return Job.load("safs", [f"tasks=[{name}]", *settings]).launch(run)


def search(runs: dict[str, Run]) -> dict[str, str]:
    """Finalists against the tuned scaled ReLU; the text of the best finalist of each task."""
    best: dict[str, str] = {}
    print(f"\nsearch: gain in nats on fresh seeds, each function tuned\n{'task':28} over scaled ReLU         over ReLU")
    for name, run in runs.items():
        found = run.confirmation()
        for row in found.finalists if found else ():
            told = row.verdict
            if found is None or CONTROL not in told.by_seed:
                print(f"{name:28} failed ({told.reason})  {row.finalist.expression}")
                continue
            over = [estimate(told.by_seed[each], found.setting.ratio) for each in (CONTROL, "relu")]
            verdict = "confirmed" if told.confirmed else f"open, closest {told.best_control}"
            print(f"{name:28} {over[0]:24} {over[1]:24} {verdict}  {row.finalist.expression}")
        if found and (text := _closest(found)):
            best[name] = text
        _control(name, found)
    return best


def _closest(found: Confirmation) -> str:
    """The finalist of largest gain over its closest control; "" without one."""
    rows = [row for row in found.finalists if row.verdict.gain_over_best_control is not None]
    best = max(rows, key=lambda row: row.verdict.gain_over_best_control or 0.0, default=None)
    return best.finalist.expression if best else ""


def _control(name: str, found: Confirmation | None) -> None:
    """What tuning alone gives: scaled ReLU over ReLU, both tuned."""
    for row in found.carried if found else ():
        if found and row.name == CONTROL and row.gain:
            over = estimate(row.by_seed, found.setting.ratio)
            print(f"{name:28} {'':24} {over:24} control    {CONTROL}")


def dead_neurons(base: str, sparsities: Sequence[str], best: dict[str, str], seeds: int, steps: int | None) -> None:
    """The dynamic dead neuron rate, ReLU's dense network first."""
    print(f"\ndead neurons: dynamic rate by seed, {seeds} seeds\n{'task':28} ReLU                     best finalist")
    for name in (f"{base}-0", *(named(base, each) for each in sparsities)):
        texts = ("relu(x)", *([best[name]] if name in best else []))
        rates: list[list[float]] = [[] for _ in texts]
        for number in range(seeds):  # one seed at a time: a cohort keeps the mean over its seeds alone
            request = CohortRequest(
                texts, (name,), 22, 1, steps or 200, first_seed=number, nulls=0, measured=("dead_neurons",)
            )
            for row, kept in zip(run_cohort(request).candidates, rates, strict=True):
                kept += [row.measured[name]["dead_neurons"]] if name in row.measured else []
        print(f"{name:28} " + " ".join(f"{estimate(each) if each else 'failed':24}" for each in rates))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", default="digits-pruned", choices=("digits-pruned", "mnist1d-pruned"))
    parser.add_argument("--sparsities", nargs="+", default=["0.8", "0.9", "0.95", "0.98", "0.99"])
    parser.add_argument("--budget", type=int, help="classes of each search; the config's by default")
    parser.add_argument("--seeds", type=int, default=32, help="fresh seeds")
    parser.add_argument("--trials", type=int, help="of each function; the config's by default")
    parser.add_argument("--steps", type=int, help="of each training; 200 by default")
    asked = parser.parse_args()
    settings = [f"confirmation.seeds={asked.seeds}"]
    settings += [f"budget={asked.budget}"] if asked.budget else []
    settings += [f"confirmation.hpo.trials={asked.trials}"] if asked.trials else []
    settings += [f"training.steps={asked.steps}"] if asked.steps else []
    pruning(asked.base, asked.sparsities, asked.seeds, asked.steps)
    names = [named(asked.base, each) for each in asked.sparsities]
    best = search({name: searched(name, settings) for name in names})
    dead_neurons(asked.base, asked.sparsities, best, min(asked.seeds, 8), asked.steps)


if __name__ == "__main__":
    main()
