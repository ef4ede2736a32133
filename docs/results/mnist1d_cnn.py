"""`(x+beta)*atan(x)` beside the best known functions, on the confirmation's data and larger network of mnist1d-cnn-2x8.

The function is the best unknown one of ``benchmarks/data/mnist1d-cnn-2x8.npz``. The known functions are not those of
the search's network, where the best are others, but the eight best of the catalogue on the very network and test data
of the comparison, by other seeds: the comparison is hard on the function. Both are tuned over four learning rates.

    python docs/results/mnist1d_cnn.py            # 12 minutes on one core
"""

from __future__ import annotations

import numpy as np
import torch

from evaluators.cohort import CohortRequest, run_cohort
from evaluators.controls import CONTROLS
from evaluators.objectives import gains
from evaluators.statistics import interval, t_test
from evaluators.tasks import task
from evaluators.tasks.fresh_data import fresh_data
from primitives import parse
from search.baseline.functions import known_functions

TASK, STEPS, PART = "mnist1d-cnn-2x8", 96, 40
FUNCTIONS = ("(x+beta)*atan(x); beta=1:channel", "(x+beta)*atan(x); beta=1", "(x+1)*atan(x)", "x*atan(x)")


def best_known(count: int = 8) -> list[tuple[str, str]]:
    """The catalogue's best on the network and data of the confirmation, by six seeds and two learning rates."""
    known = [(name, e.text) for name, e in known_functions("catalogue", 1, map(parse, CONTROLS.values()))]
    scores = []
    for first in range(0, len(known), PART):
        texts = tuple(text for _, text in known[first : first + PART])
        trained = run_cohort(
            CohortRequest(
                texts, (TASK,), 11, 6, STEPS, rates=(0.006, 0.015), purpose="confirmation", nulls=0, draw="known"
            )
        )
        scores += [gains(row, trained.reference, [TASK], test=True)[0].mean() for row in trained.candidates]
    order = np.argsort(-np.nan_to_num(scores, nan=-np.inf))
    return [known[number] for number in order[:count]]


def main() -> None:
    torch.set_num_threads(1)
    trained = run_cohort(
        CohortRequest(
            FUNCTIONS, (TASK,), 12, 32, STEPS, rates=(0.003, 0.006, 0.012, 0.025), purpose="confirmation", nulls=0,
            controls=tuple(best_known()), draw="judge",
        )
    )  # fmt: skip
    larger = task(TASK).larger()
    ratio = fresh_data(larger or task(TASK), TASK).ratio
    for text, row in zip(FUNCTIONS, trained.candidates, strict=True):
        for name, control in trained.controls.items():
            over = gains(row, control, [TASK], test=True)[0].tolist()
            low, high = interval(over, ratio=ratio) or (np.nan, np.nan)
            print(f"{text} over {name}: {np.mean(over):+.3f} ({low:+.3f} {high:+.3f}), p {t_test(over, ratio):.2g}")


if __name__ == "__main__":
    main()
