"""A sine beyond the points that trained: the claim of Snake (Ziyin, Hartwig and Ueda 2020, arXiv:2006.08195)."""

from __future__ import annotations

import math

import numpy as np
import torch

from evaluators.cohort import CohortRequest, run_cohort
from evaluators.results.records import MemberResult
from evaluators.tasks import task
from evaluators.tasks.base import Part
from evaluators.tasks.examples import examples_of

NAME = "periodic-extrapolation"
PARTS: tuple[Part, ...] = ("search", "confirmation")


def typical(row: MemberResult) -> float:
    """The geometric mean over the seeds at the best rate."""
    assert row.reason is None
    return float(np.exp(np.log(row.final(NAME)).mean(axis=0)).min())


def test_what_judges_lies_beyond_what_trains() -> None:
    for part in PARTS:
        examples = examples_of(task(NAME), part)
        first, last = len(examples) - examples.held_out, 2 * math.pi
        assert examples.inputs[:first].abs().max() <= last < examples.inputs[first:].min()
        assert torch.equal(examples.inputs.sin(), examples.targets)


def test_snake_extrapolates_and_relu_does_not() -> None:
    """A constant 0 has .5. Here .18 and 3.7 with 8 seeds."""
    result = run_cohort(CohortRequest(("x+sin(x)**2", "tanh(x)"), (NAME,), 0, 4, 500, nulls=0))
    snake, tanh = (typical(row) for row in result.candidates)
    assert snake < 0.4 < 0.5 < tanh
    assert typical(result.reference) > 2.0
