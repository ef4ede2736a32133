"""Write the learning curves of a run as `rejection.py` and `strategies.py` read them.

    actsearch tabulate benchmarks/data/swish.yaml
    python benchmarks/data/curves_of_run.py runs/swish-table benchmarks/data/swish-5x32.npz

Losses are NaN where a failure had ended the training.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from evaluators.results.records import MemberResult
from evaluators.training.member import Array
from search import Run


def main(folder: str, file: str) -> None:
    """Write the curves of a run with one task and a grid of learning rates."""
    run = Run.open(folder)
    (task,), training = run.config.tasks, run.config.training
    steps = (*training.rungs, training.steps)

    def curves(row: MemberResult) -> Array:
        """Losses (steps, seeds, rates)."""
        missing = np.full((training.seeds, len(training.learning_rates)), np.nan)
        return np.array([row.losses[task].get(step, missing) for step in steps])

    records = list(run.cohorts())
    rows = [row for record in records for row in record.result.candidates]
    texts = [text for record in records for text in record.plan.expressions]
    np.savez_compressed(
        Path(file), expressions=np.array(texts), losses=np.stack([curves(row) for row in rows]).astype(np.float32),
        relu=curves(records[0].result.reference).astype(np.float32), marks=np.array(steps),
        rates=np.array(training.learning_rates), task=np.array(task), grammar=np.array(run.config.grammar),
    )  # fmt: skip
    print(f"{file}: {len(rows)} classes")


if __name__ == "__main__":
    main(*sys.argv[1:])
