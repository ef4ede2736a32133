"""Tasks that say in what order their examples come, and the shipped one, whose classes come two after two."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from evaluators.cohort import CohortRequest, run_cohort
from evaluators.errors import TaskError
from evaluators.results.records import MemberResult
from evaluators.tasks import task
from evaluators.tasks.base import BLOCK, Part, Task, batches
from evaluators.tasks.examples import examples_of
from evaluators.tasks.ordering import all_ordered, ordered
from evaluators.training.member import CohortMember, Schedule
from evaluators.training.plain import PlainModel
from evaluators.training.stacking.stack import Stack
from primitives.expression.parsing import parse

COUNT = 100


class Told(Task):
    """Its order is what it is given; rows are their own numbers."""

    name, batch_size = "told", 32

    def __init__(self, rows: Any = None) -> None:
        self.rows, self.seen = rows, torch.empty(0)

    def network(self) -> nn.Module:
        return nn.Sequential(nn.Linear(1, 4), nn.ReLU(), nn.Linear(4, 1))

    def data(self, part: Part) -> tuple[Tensor, Tensor]:
        x = torch.linspace(-1, 1, COUNT)[:, None]
        return x, torch.arange(COUNT)[:, None].float()

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return (output - target / COUNT).square().mean(dim=1)

    def order(self, targets: Tensor, steps: int, seed: int) -> Any:
        self.seen = targets
        return self.rows(steps, seed) if callable(self.rows) else self.rows


def first(steps: int, seed: int) -> Tensor:
    """The first 32 training examples, again and again."""
    return torch.arange(BLOCK).repeat(steps, 1)


def test_a_task_that_says_none_has_permutations() -> None:
    train = torch.arange(10, COUNT)
    examples = examples_of(Told(), "search")
    assert torch.equal(ordered(Told(), examples, train, 5, 3), batches(train, 5, 32, 3))


def test_the_order_counts_the_training_examples_of_the_seed() -> None:
    chosen, train = Told(first), torch.arange(COUNT - 1, 9, -1)
    found = ordered(chosen, examples_of(chosen, "search"), train, 4, 3)
    assert chosen.seen.flatten().tolist() == train.tolist()
    assert torch.equal(found, train[:BLOCK].repeat(4, 1))


def test_a_stack_and_a_single_model_take_the_same_order() -> None:
    chosen, seeds = Told(first), (1, 2)
    stack = Stack(chosen, "search", [CohortMember(parse("tanh(x)"), seeds)], Schedule(6, (), (0.01,)))
    stack.advance(6)
    for row, seed in enumerate(seeds):
        plain = PlainModel(chosen, "search", parse("tanh(x)"), seed=seed, rate=0.01, steps=6)
        assert torch.equal(plain.order, plain.split.train[:BLOCK].repeat(6, 1))
        assert torch.equal(stack.orders[row], plain.order)
        plain.advance(6)
        assert float(stack.loss("validation")[row]) == pytest.approx(float(plain.loss("validation")), rel=1e-4)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[0] * 32], r"order: expected whole numbers of shape \(1, n\), n a multiple of 32, or None, got a list"),
        (torch.zeros(1, 32), r"order: expected whole numbers.*got torch.float32"),
        (torch.zeros(1, 8).long(), r"order: expected whole numbers of shape \(1, n\).*got shape \(1, 8\)"),
        (torch.zeros(2, 32).long(), r"order: expected whole numbers of shape \(1, n\).*got shape \(2, 32\)"),
        (torch.zeros(1, 0).long(), r"order: expected whole numbers.*got shape \(1, 0\)"),
        (torch.full((1, 32), 90), r"of the 90 training examples, from 0 to 89, got 90 to 90"),
        (torch.full((1, 32), -1), r"of the 90 training examples, from 0 to 89, got -1 to -1"),
    ],
)
def test_what_is_no_order_is_named(rows: Any, message: str) -> None:
    chosen = Told(rows)
    with pytest.raises(TaskError, match="^task 'told': .*" + message):
        ordered(chosen, examples_of(chosen, "search"), torch.arange(90), 1, 0)


def test_seeds_have_batches_of_one_size() -> None:
    chosen = Told(lambda steps, seed: torch.zeros(steps, 32 * seed, dtype=torch.long))
    trains = [torch.arange(90)] * 2
    with pytest.raises(TaskError, match="order: expected batches of one size for all seeds, got 32 and 64"):
        all_ordered(chosen, examples_of(chosen, "search"), trains, 3, (1, 2))


@pytest.mark.parametrize("name", ["split-digits", "split-mnist1d"])
@pytest.mark.parametrize("part", ["search", "confirmation"])
def test_classes_come_two_at_a_time_once(part: Part, name: str) -> None:
    chosen = task(name)
    examples = examples_of(chosen, part)
    train = chosen.divided(len(examples), part, 1).train
    batch = ordered(chosen, examples, train, chosen.steps, 1)
    group = examples.targets[batch] // 2
    assert (group == group[:, :1]).all() and group[:, 0].tolist() == sorted(group[:, 0].tolist())
    assert group.unique().tolist() == list(range(5))
    single = batch[:, :8].flatten()
    assert torch.equal(batch, batch[:, :8].repeat(1, 4))
    often = single.bincount()
    assert often.max() <= 2 and (often == 2).float().mean() < 0.05  # a group that is smaller than others is filled up
    assert len(single.unique()) > 0.9 * len(train)


@pytest.mark.parametrize("steps", [1, 3, 7, 600])
def test_any_number_of_steps_is_divided_among_the_groups(steps: int) -> None:
    chosen = task("split-digits")
    examples = examples_of(chosen, "search")
    train = chosen.divided(len(examples), "search", 4).train
    group = examples.targets[ordered(chosen, examples, train, steps, 4)][:, 0] // 2
    counts = group.bincount(minlength=5)
    assert counts.sum() == steps and counts.max() - counts.min() <= 1


def test_what_is_read_is_the_accuracy_of_the_earlier_classes() -> None:
    target = torch.arange(10)
    output = torch.eye(10)[(target * (target >= 5)).long()]  # of 0 to 7 four are right: 0, 5, 6, 7
    read = task("split-digits").readings(output, target)
    assert float(read["accuracy of earlier classes"].mean()) == 0.5


def best(row: MemberResult, name: str) -> float:
    """Mean accuracy over the seeds at the best rate."""
    assert row.reason is None
    return float(row.final(name).mean(axis=0).max())


def test_sparse_functions_forget_less() -> None:
    """The direction of Elephant and Hard ASH, at tuned rates; the reference is ReLU."""
    name = "split-digits"
    found = run_cohort(CohortRequest(("relu(x-1)", "1/(1+(4*x)**8)", "sigmoid(x)"), (name,), 0, 4, 80, nulls=0))
    shifted, elephant, sigmoid = (best(row, name) for row in found.candidates)
    assert shifted > best(found.reference, name) + 0.03
    assert elephant > best(found.reference, name) > sigmoid + 0.1


@pytest.mark.slow
def test_on_signals_a_faster_sine_keeps_what_relu_forgets() -> None:
    """.28 of sin(2 x), .23 of relu(x - 2), .20 of sin and .12 of ReLU at the best rates; two classes are .2."""
    name = "split-mnist1d"
    found = run_cohort(CohortRequest(("sin(2*x)", "relu(x-2)", "sin(x)"), (name,), 0, 4, 210, nulls=0))
    faster, shifted, sine = (best(row, name) for row in found.candidates)
    assert faster > 0.23 and faster > sine + 0.04
    assert min(shifted, sine) > best(found.reference, name) + 0.03
