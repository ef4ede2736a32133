"""Whether the controller learns on two units: reward and entropy by batch, and the best of each job beside random.

    python -m docs.results.swish2017_learning            # some minutes of one core; goes on where it was stopped
    python -m docs.results.swish2017_learning --table    # what is there

Every job is `swish2017-2`, 39 million derivations, on a small perceptron (`digits-2x16`), five run seeds, without a
baseline and without confirmation. The strategies are `random`, the controller as it was (proposals that were not
trained are ignored) and as it is (they are rewarded from the cache). A gain is what the
search saw, by one seed; what a strategy found is its best class, whose noise is the same for all, so that the
comparison is fair and the gains themselves flatter.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from evaluators.statistics import interval
from primitives.grammars import grammar
from search.config import Config, checked
from search.engine.loop import search
from search.engine.recorder import Recorder
from search.engine.study import Study
from search.storage import MemoryStore
from search.strategies import strategy
from search.strategies.controller import Controller
from search.workers import InProcess

FOLDER = Path(__file__).with_name("swish2017-two-units")
RESULTS, PICTURE = FOLDER / "learning.json", FOLDER / "learning.svg"
STRATEGIES: dict[str, dict[str, object]] = {
    "random": {"name": "random"},
    "controller, ignored": {"name": "controller", "untrained": "ignored"},
    "controller": {"name": "controller", "untrained": "rewarded"},
}
SEEDS = range(5)
BUDGET, COHORT = 768, 16
PARTS = 8  # of a job's batches, in the table


@dataclass(frozen=True, slots=True)
class Job:
    """One job.

    Args:
        strategy, seed: which.
        rewards: gain of each class that was trained, from -1 on, in order; -1 for failures.
        best: highest gain after each cohort.
        proposals, known, screened: how many were made, were of a known class, were stopped by a screen.
        batches: of a controller: mean reward of a batch and the entropy of a decision before it, in nats.
    """

    strategy: str
    seed: int
    rewards: list[float]
    best: list[float]
    proposals: int
    known: int
    screened: int
    batches: list[list[float]]


def config(name: str, seed: int) -> Config:
    job = {
        "grammar": "swish2017-2",
        "tasks": ["digits-2x16"],
        "strategy": STRATEGIES[name],
        "budget": BUDGET,
        "seed": seed,
        "cohorts": {"size": COHORT, "lag": 1},
        "baseline": {"functions": "none"},
        "training": {"seeds": 1, "race": [], "steps": 100, "learning_rates": [0.01]},
        "confirmation": {"finalists": 0},
    }
    return checked(job, "the learning curve")


def job(name: str, seed: int) -> Job:
    """Run one job in memory."""
    chosen = config(name, seed)
    study = Study(MemoryStore(), chosen.scoring)
    recorder = Recorder(study, chosen)
    search(chosen, recorder, InProcess(), lambda _: None)
    learner = strategy(chosen.strategy, grammar(chosen.grammar))
    learnt = isinstance(learner, Controller)
    batches = learner.folded(recorder.history(recorder.cohorts)).batches if isinstance(learner, Controller) else []
    funnel = recorder.funnel
    return Job(
        strategy=name,
        seed=seed,
        rewards=[round(max(-1.0, trial.objectives.get("gain", -1.0)), 4) for trial in study.store.trials],
        best=[round(entry.best.gain, 4) if entry.best else -1.0 for entry in study.store.trace],
        proposals=funnel.proposed,
        known=funnel.known,
        screened=funnel.screened.total(),
        batches=[[round(reward, 4), round(entropy, 4)] for reward, entropy in batches] if learnt else [],
    )


def parts(values: Sequence[float]) -> list[float]:
    """Means of equal parts."""
    return [float(part.mean()) for part in np.array_split(np.array(values), PARTS)]


def mean_row(label: str, rows: Sequence[Sequence[float]]) -> str:
    return f"| {label} | " + " | ".join(f"{value:+.2f}" for value in np.mean(rows, axis=0)) + " |"


def over_random(jobs: Sequence[Job], label: str, values: dict[tuple[str, int], float]) -> str:
    """Paired by run seed, with Student's 95 % interval."""
    own = [values[label, each.seed] - values["random", each.seed] for each in jobs if each.strategy == label]
    low, high = interval(own) or (np.nan, np.nan)
    return f"{np.mean(own):+.3f} ({low:+.3f} {high:+.3f})"


def table(jobs: Sequence[Job]) -> str:
    """Markdown: what was found and what it took, then rewards and entropies by eighth of the jobs."""
    best = {(each.strategy, each.seed): each.best[-1] for each in jobs}
    late = {(each.strategy, each.seed): parts(each.rewards)[-1] for each in jobs}
    head = ("strategy", "best gain", "over random", "reward of the last eighth", "over random",
            "classes a proposal", "known", "screened")  # fmt: skip
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    by_name = {name: [each for each in jobs if each.strategy == name] for name in STRATEGIES}
    for name, own in by_name.items():
        if not own:
            continue
        proposals = sum(each.proposals for each in own)
        cells = [
            f"{np.mean([best[name, each.seed] for each in own]):+.3f}",
            "" if name == "random" else over_random(jobs, name, best),
            f"{np.mean([late[name, each.seed] for each in own]):+.3f}",
            "" if name == "random" else over_random(jobs, name, late),
            *(
                f"{sum(counts) / proposals:.2f}"
                for counts in (
                    [len(each.rewards) for each in own],
                    [each.known for each in own],
                    [each.screened for each in own],
                )
            ),
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    for title, rows in (
        ("mean reward of new classes", {n: [parts(each.rewards) for each in own] for n, own in by_name.items()}),
        ("mean reward of batches", {n: _batches(own, 0) for n, own in by_name.items()}),
        ("entropy of a decision, nats", {n: _batches(own, 1) for n, own in by_name.items()}),
    ):
        lines += ["", f"| {title}, by eighth | " + " | ".join(map(str, range(1, PARTS + 1))) + " |"]
        lines += ["|---" * (PARTS + 1) + "|", *(mean_row(name, found) for name, found in rows.items() if found)]
    return "\n".join(lines)


def _batches(jobs: Sequence[Job], column: int) -> list[list[float]]:
    return [parts([batch[column] for batch in each.batches]) for each in jobs if each.batches]


def draw(jobs: Sequence[Job]) -> None:
    """Reward and entropy by batch, one line a job; the best gain by cohort."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "learning"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 3, figsize=(11, 3.2), layout="constrained")
    for number, name in enumerate(STRATEGIES):
        for each in (one for one in jobs if one.strategy == name):
            style = {"color": f"C{number}", "linewidth": 0.8, "label": name if each.seed == SEEDS[0] else None}
            axes[0].plot(np.arange(1, len(each.best) + 1) * COHORT, each.best, **style)
            if each.batches:
                rewards, entropies = np.array(each.batches).T
                smooth = np.convolve(rewards, np.ones(9) / 9, mode="valid")
                axes[1].plot(smooth, **style)
                axes[2].plot(entropies, **style)
    for axis, title, x in zip(
        axes, ("best gain", "reward, mean of 9 batches", "entropy of a decision, nats"),
        ("classes trained", "batch", "batch"), strict=True,
    ):  # fmt: skip
        axis.set_title(title, fontsize=9)
        axis.set_xlabel(x, fontsize=8)
        axis.tick_params(labelsize=7)
    axes[0].legend(fontsize=7)
    figure.savefig(PICTURE, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", action="store_true", help="run nothing")
    only_table = parser.parse_args().table
    torch.set_num_threads(1)
    jobs = [Job(**row) for row in json.loads(RESULTS.read_text(encoding="utf-8"))] if RESULTS.exists() else []
    done = {(each.strategy, each.seed) for each in jobs}
    for seed in () if only_table else SEEDS:
        for name in STRATEGIES:
            if (name, seed) not in done:
                jobs.append(job(name, seed))
                rows = ",\n".join(json.dumps(asdict(each)) for each in jobs)
                RESULTS.write_text(f"[\n{rows}\n]\n", encoding="utf-8")
    print(table(jobs))
    draw(jobs)


if __name__ == "__main__":
    main()
