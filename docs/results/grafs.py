"""Gradient search, random search and evolution at the same compute: the gain of the best that each has found.

    python docs/results/grafs.py --seeds 0 1 2 3 4
    python docs/results/grafs.py --seeds 0 1 --set budget=24 --set confirmation.seeds=6

For each strategy and run seed the job of ``configs/grafs.yaml`` is launched as ``runs/grafs-STRATEGY-SEED``; one that
is there already is continued or read. Compute is the budget in candidate-trainings, of which mixtures take their share;
beside it stand the seconds of training, all workers together. The best of a run is the finalist of highest gain in the
search, chosen before its confirmation. Its gain on fresh seeds is compared: over ReLU, 0 where it fails or there is
none. Intervals are Student's over the run seeds, those of differences paired by run seed.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluators.statistics import interval
from search import Job, Run
from search.confirmation.record import Compared
from search.storage.mixture_files import mixtures_of
from search.storage.trace import read_trace

STRATEGIES = ("gradient", "random", "evolution")
REFERENCE = "relu"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run came to."""

    classes: int
    mixtures: int
    spent: float
    seconds: float
    expression: str
    gain: float
    confirmed: bool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4], help="run seeds")
    parser.add_argument("--strategies", nargs="+", default=list(STRATEGIES), choices=STRATEGIES)
    parser.add_argument("--set", action="append", default=[], dest="changes", help="key=value of the config")
    parser.add_argument("--name", default="grafs", help="how the names of the runs begin")
    asked = parser.parse_args()
    found: dict[str, list[Outcome]] = {name: [] for name in asked.strategies}
    for seed in asked.seeds:
        for name in asked.strategies:
            found[name].append(outcome(finished(f"{asked.name}-{name}-{seed}", name, seed, asked.changes)))
            print(line(name, seed, found[name][-1]), flush=True)
    for name, outcomes in found.items():
        print(f"{name}: {in_words([each.gain for each in outcomes])}, {mean_seconds(outcomes):.0f} s of training a run")
    for name in [name for name in asked.strategies if name != "gradient" and "gradient" in found]:
        pairs = zip(found["gradient"], found[name], strict=True)
        print(f"gradient over {name}: {in_words([one.gain - other.gain for one, other in pairs])}")


def finished(run: str, name: str, seed: int, changes: Sequence[str]) -> Run:
    """A run that is done, from wherever it is."""
    if Path("runs", run, "config.yaml").exists():
        return Run.open(run).resume()
    own = [] if name == "gradient" else [f"strategy={name}"]
    return Job.load("grafs", [*changes, *own, f"seed={seed}"]).launch(run)


def outcome(run: Run) -> Outcome:
    """Of a run that is done."""
    trace = read_trace(run.folder.trace, run.folder.run)
    mixtures = [result for _, result in mixtures_of(run.folder)]
    seconds = [*(entry.seconds for entry in trace), *(result.seconds for result in mixtures)]
    confirmation = run.confirmation()
    best = max(confirmation.finalists if confirmation else (), key=search_gain, default=None)
    estimate = None if best is None else best.verdict.gains.get(REFERENCE)
    return Outcome(
        classes=trace[-1].trained,
        mixtures=len(mixtures),
        spent=trace[-1].spent,
        seconds=sum(sum(by_task.values()) for by_task in seconds),
        expression="" if best is None else best.finalist.expression,
        gain=0.0 if estimate is None else estimate.mean,
        confirmed=best is not None and best.verdict.confirmed,
    )


def search_gain(row: Compared) -> float:
    """Of a finalist; a short form, whose gain was not taken, comes last."""
    return -1e9 if row.finalist.search_gain is None else row.finalist.search_gain


def line(name: str, seed: int, each: Outcome) -> str:
    """One run."""
    verdict = "confirmed" if each.confirmed else "not confirmed"
    mixed = f" and {each.mixtures} mixtures" if each.mixtures else ""
    return (
        f"{name} {seed}: {each.classes} classes{mixed}, {each.spent:.1f} of the budget, {each.seconds:.0f} s; "
        f"{each.gain:+.3f} {verdict}: {each.expression or 'no finalist'}"
    )


def in_words(gains: Sequence[float]) -> str:
    """A mean with its interval, in nats."""
    ends = interval(gains)
    between = "" if ends is None else f" ({ends[0]:+.3f} {ends[1]:+.3f})"
    return f"{sum(gains) / len(gains):+.3f} nats{between}, {len(gains)} run seeds"


def mean_seconds(outcomes: Sequence[Outcome]) -> float:
    """Of training in a run."""
    return sum(each.seconds for each in outcomes) / len(outcomes)


if __name__ == "__main__":
    main()
