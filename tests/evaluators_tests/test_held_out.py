"""Tasks that name what they are judged on: all data trains, all of that set judges."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from evaluators.cohort import CohortRequest, run_cohort
from evaluators.errors import TaskError
from evaluators.tasks.base import Part, Task, split
from evaluators.tasks.checks.data import check_finite, check_size
from evaluators.tasks.checks.settings import check_settings
from evaluators.tasks.examples import examples_of
from evaluators.tasks.fresh_data import shared_ratio

TRAIN = 70


class Marked(Task):
    """Judged by the mean of the targets: 2 of training examples, those that are held out have their own."""

    name, learning_rates, reference, compare, unit = "marked", (0.01,), "relu", "difference", "mark"
    direction = "maximise"

    def __init__(self, held_out: int | None = 64, form: Any = None) -> None:
        self.count, self.form = held_out, form

    def network(self) -> nn.Module:
        return nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1))

    def data(self, part: Part) -> tuple[Tensor, Tensor]:
        return torch.randn(TRAIN, 2, generator=torch.Generator().manual_seed(len(part))), torch.full((TRAIN, 1), 2.0)

    def held_out(self, part: Part) -> Any:
        if self.count is None:
            return None
        marks = torch.arange(self.count, dtype=torch.float32)[:, None] + 100.0
        return self.form if self.form is not None else (torch.randn(self.count, 2), marks)

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return (output - target).square().flatten()

    def metric(self, output: Tensor, target: Tensor) -> Tensor:
        return target.mean()


class Alone(Marked):
    """Trained one at a time."""

    name = "alone"

    def network(self) -> nn.Module:
        return nn.Sequential(super().network(), Copied())


class Copied(nn.Module):
    """What a stack cannot do."""

    def forward(self, x: Tensor) -> Tensor:
        return x + 0 * float(x.detach().sum())


@pytest.mark.parametrize("kind", [Marked, Alone])
def test_the_whole_set_validates_and_nothing_of_it_trains(kind: type[Marked]) -> None:
    request = CohortRequest(("tanh(x)",), (kind.name,), 0, 2, 3, rungs=(2,), nulls=0)
    for row in run_cohort(request, lambda _: kind()).candidates:
        assert row.reason is None
        assert all((losses == 100.0 + 63 / 2).all() for losses in row.losses[kind.name].values())


@pytest.mark.parametrize("kind", [Marked, Alone])
def test_in_confirmation_a_half_validates_and_a_half_tests(kind: type[Marked]) -> None:
    request = CohortRequest(("tanh(x)",), (kind.name,), 0, 2, 3, nulls=0, purpose="confirmation")
    (row,) = run_cohort(request, lambda _: kind()).candidates
    validation, test = row.final(kind.name), row.tests[kind.name]
    assert (validation + test == 2 * (100.0 + 63 / 2)).all() and (validation != test).all()
    assert len({float(value) for value in test.flatten()}) == 2  # each seed divides them anew


def test_a_split_of_a_set_of_its_own() -> None:
    search, fresh = (split(134, part, 3, held_out=64) for part in ("search", "confirmation"))
    assert search.train.tolist() == list(range(TRAIN)) == fresh.train.tolist()
    assert sorted(search.validation.tolist()) == list(range(TRAIN, 134)) and not len(search.test)
    assert sorted([*fresh.validation.tolist(), *fresh.test.tolist()]) == list(range(TRAIN, 134))
    assert len(split(134 + 13, "search", 3, held_out=77).validation) == 64  # whole blocks of 32


def test_without_one_a_share_of_data_is_held_out() -> None:
    examples, plain = examples_of(Marked(None), "search"), split(TRAIN, "search", 5)
    assert examples.held_out == 0
    assert all(
        torch.equal(a, b)
        for a, b in zip(astuple(Marked(None).divided(TRAIN, "search", 5)), astuple(plain), strict=True)
    )


def astuple(parts: Any) -> tuple[Tensor, ...]:
    return parts.train, parts.validation, parts.test


def test_a_dataset_and_tensors_mix() -> None:
    x, y = torch.zeros(40, 2), torch.ones(40, 1)
    examples = examples_of(Marked(form=TensorDataset(x, y)), "search")
    assert (len(examples), examples.held_out) == (TRAIN + 40, 40)
    assert torch.equal(examples.inputs[TRAIN:], x) and torch.equal(examples.targets[TRAIN:], y)


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ((torch.zeros(5, 3), torch.zeros(5, 1)), r"held_out: inputs: expected the form of data's, torch.float32 of "
         r"shape \(n, 2\), got torch.float32 of shape \(n, 3\)"),
        ((torch.zeros(5, 2), torch.zeros(5, dtype=torch.long)), r"held_out: targets: expected .*got torch.int64"),
        ((torch.zeros(5, 2), torch.zeros(4, 1)), r"held_out: expected a target for each of 5 inputs, got 4"),
        ((torch.zeros(0, 2), torch.zeros(0, 1)), r"held_out: expected at least one example, or None"),
        (torch.zeros(5, 2), r"held_out: expected a pair, inputs and targets, or a Dataset, got a Tensor"),
        ({"inputs": 1}, r"held_out: expected a pair"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(form: Any, message: str) -> None:
    with pytest.raises(TaskError, match=r"^task 'marked': " + message):
        examples_of(Marked(form=form), "search")


def test_too_few_and_numbers_that_are_none() -> None:
    with pytest.raises(TaskError, match="held_out: expected at least 2 examples in the confirmation"):
        check_size(Marked(1), "confirmation")
    check_size(Marked(1), "search")
    few = Marked()
    few.data = lambda part: (torch.zeros(31, 2), torch.zeros(31, 1))  # type: ignore[method-assign]
    with pytest.raises(TaskError, match="data: expected at least 32 examples to train with in the search, got 31"):
        check_size(few, "search")
    bad = torch.zeros(5, 2)
    bad[3] = torch.nan
    with pytest.raises(TaskError, match=r"held_out: expected finite inputs, but those of the search have NaN at .* 3,"):
        check_finite(Marked(form=(bad, torch.zeros(5, 1))), "search")


def test_intervals_are_about_these_examples_unless_the_task_says_a_ratio() -> None:
    chosen = Marked()
    assert shared_ratio(chosen) == 0.0
    chosen.test_ratio = 0.3
    assert shared_ratio(chosen) == 0.3
    chosen.test_ratio = -1.0
    with pytest.raises(TaskError, match="test_ratio: expected test examples / training examples"):
        check_settings(chosen)
