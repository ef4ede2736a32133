"""How often a job confirms something where there is nothing: all finalists are ReLU, each with seeds of its own.

A pool of ReLUs is trained as confirmation trains, every model with another seed. In each repetition the finalists and
the control are drawn from it without a model twice, and go through confirmation's own decision, learning rates and all.
Finalists of a real job were chosen by other seeds and data, so that the choice changes nothing here. The control ReLU
is all there is to beat in the first line; GELU and SiLU stand beside it in the second, as in a job.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np
import torch

from evaluators.cohort import CohortRequest, run_cohort
from evaluators.objectives import gains
from evaluators.results.records import CohortResult, MemberResult
from evaluators.training.member import Array
from search.confirmation import verdicts
from search.confirmation.record import Field

TASK, STEPS, RATES = "digits", 100, (2e-3, 8e-3)


def train_pool(models: int, seeds: int) -> CohortResult:
    """Null controls with enough models between them, and the controls on ``seeds`` seeds."""
    return run_cohort(
        CohortRequest(
            (), (TASK,), 0, seeds, STEPS, rates=RATES, purpose="confirmation", nulls=-(-models // seeds)
        )
    )  # fmt: skip


def pooled(rows: Sequence[MemberResult]) -> tuple[Array, Array]:
    """Validation and test losses of all models, models x learning rates."""
    validation = np.concatenate([row.losses[TASK][STEPS] for row in rows])
    return validation, np.concatenate([row.tests[TASK] for row in rows])


def row_of(pool: tuple[Array, Array], models: np.ndarray) -> MemberResult:
    """A member made of some of the pool's models."""
    validation, tests = (losses[models] for losses in pool)
    return MemberResult({TASK: {STEPS: validation}}, {TASK: tests})


def confirmed(
    trained: CohortResult, finalists: int, seeds: int, repetitions: int, *, others: bool, plain: bool = False
) -> float:
    """Share of the repetitions in which something is confirmed; ``plain``: by a test that knows of no overlap.

    Each model has a split of its own, so that candidate and control share nothing by seed.
    """
    pool, hits = pooled(trained.nulls), 0
    for repetition in range(repetitions):
        rng = np.random.Generator(np.random.PCG64(repetition))
        drawn = rng.choice(len(pool[0]), size=(finalists + 1, seeds), replace=False)
        relu, *candidates = (row_of(pool, models) for models in drawn)
        beside = {name: trained.controls[name] if others else relu for name in ("gelu", "silu")}
        result = Field(
            TASK, tuple(candidates), {"relu": relu, **beside}, tested=None if plain else trained.tested[TASK]
        )
        hits += any(row.confirmed for row in verdicts([result]))
    return hits / repetitions


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--finalists", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--models", type=int, default=512)
    parser.add_argument("--repetitions", type=int, default=200)
    given = parser.parse_args()
    torch.set_num_threads(1)
    seeds = given.seeds
    trained = train_pool(given.models, seeds)
    first, *rest = trained.nulls
    table = np.array([gains(row, first, [TASK], test=True)[0] for row in rest])
    spread, of_means = table.std(axis=0, ddof=1).mean(), table.mean(axis=1).std(ddof=1)
    print(
        f"{given.finalists} finalists, {seeds} seeds, {given.repetitions} repetitions, {given.models} models of {TASK}"
    )
    print(
        f"standard deviation of a ReLU's gain: {spread:.3f} nats on one seed, {of_means:.3f} in the mean over {seeds}"
    )
    for others, text in ((False, "ReLU alone is the control"), (True, "GELU and SiLU are controls, too")):
        rate = confirmed(trained, given.finalists, seeds, given.repetitions, others=others)
        print(f"something is confirmed in {100 * rate:.1f} % of the repetitions where {text}")
    rate = confirmed(trained, given.finalists, seeds, given.repetitions, others=False, plain=True)
    print(f"in {100 * rate:.1f} % of them where the test does not allow for overlap; 5 % are allowed")


if __name__ == "__main__":
    main()
