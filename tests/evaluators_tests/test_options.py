"""A task's options train as an ordinary loop with torch's own optimiser, scheduler and loss does."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, LRScheduler, OneCycleLR, SequentialLR

from evaluators.errors import TaskError
from evaluators.machine.backend import Backend
from evaluators.tasks.base import batches, split
from evaluators.tasks.optimisers import SGD, AdamW
from evaluators.tasks.tryout import try_out
from evaluators.training.initialisation import initial_network
from evaluators.training.member import CohortMember, Schedule
from evaluators.training.schedules import Cosine, OneCycle
from evaluators.training.stacking.stack import Stack
from primitives.expression.parsing import parse
from tests.evaluators_tests.families import Family
from tests.evaluators_tests.plain_loop import with_unit_relu

STEPS, RATE, SEED, COUNT = 20, 1e-2, 1, 2
WEIGHTS = [0.5, 1.0, 2.0, 0.0, 1.5]

Made = tuple[torch.optim.Optimizer, LRScheduler]
Loss = Callable[[Tensor, Tensor], Tensor]


def smoothed(output: Tensor, target: Tensor) -> Tensor:
    return F.cross_entropy(output, target, label_smoothing=0.1)


def weighted(output: Tensor, target: Tensor) -> Tensor:
    """The plain mean of weighted losses; torch's own weighted mean times the mean weight of the batch's labels."""
    weight = output.new_tensor(WEIGHTS)
    return F.cross_entropy(output, target, weight, label_smoothing=0.1) * weight[target].mean()


def adamw(network: nn.Module) -> Made:
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=0.1)
    rise = LinearLR(optimiser, start_factor=1 / 6, total_iters=5)
    fall = CosineAnnealingLR(optimiser, T_max=STEPS - 5, eta_min=0.1 * RATE)
    return optimiser, SequentialLR(optimiser, [rise, fall], milestones=[5])


def nesterov(network: nn.Module) -> Made:
    optimiser = torch.optim.SGD(network.parameters(), lr=RATE, momentum=0.8, nesterov=True, weight_decay=0.01)
    return optimiser, OneCycleLR(optimiser, RATE, total_steps=STEPS, cycle_momentum=False)


ADAMW = {"optimiser": AdamW(weight_decay=0.1), "schedule": Cosine(warmup=5, final=0.1), "label_smoothing": 0.1}
NESTEROV = {
    "optimiser": SGD(0.8, nesterov=True, weight_decay=0.01),
    "schedule": OneCycle(),
    "label_smoothing": 0.1,
    "class_weights": WEIGHTS,
}


def by_hand(task: Family, make: Callable[[nn.Module], Made], loss: Loss) -> Iterator[float]:
    """The loss of each step, float64, with two batches per step and a clip."""
    x, y = task.data("search")
    network = with_unit_relu(initial_network(task, SEED)).double()
    optimiser, scheduler = make(network)
    order = batches(split(len(x), "search", SEED).train, STEPS * COUNT, task.batch_size, SEED)
    for step in order.split(COUNT):
        optimiser.zero_grad()
        found = [loss(network(x[index].double()), y[index]) / COUNT for index in step]
        for each in found:
            each.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 0.5)
        optimiser.step()
        scheduler.step()
        yield sum(each.item() for each in found)


@pytest.mark.parametrize(
    ("settings", "make", "loss"), [(ADAMW, adamw, smoothed), (NESTEROV, nesterov, weighted)], ids=["adamw", "nesterov"]
)
def test_a_stack_trains_as_torchs_own_loop(
    settings: dict[str, object], make: Callable[[nn.Module], Made], loss: Loss
) -> None:
    task = Family("mlp-norm", accumulate=COUNT, clip=0.5, **settings)
    members = [CohortMember(parse("relu(x)"), (SEED,)), CohortMember(parse("tanh(x)"), (2,))]
    stack = Stack(task, "search", members, Schedule(STEPS, (), (RATE,)), backend=Backend(dtype=torch.float64))
    assert stack.advance(STEPS)[:, 0].tolist() == pytest.approx(list(by_hand(task, make, loss)), rel=1e-9)


def test_options_keep_bits_independent_of_company() -> None:
    """Alone and in a stack of nine, float32: decay, smoothing, weights and accumulation by slice."""
    task = Family("mlp-norm", accumulate=2, **NESTEROV)
    members = [CohortMember(parse("relu(x)"), (seed,)) for seed in range(9)]
    schedule = Schedule(8, (), (1e-3, RATE))
    together = Stack(task, "search", members, schedule)
    together.advance(8)
    alone = Stack(task, "search", members[4:5], schedule)
    alone.advance(8)
    assert torch.equal(together.loss("validation")[8:10], alone.loss("validation"))
    assert all(
        torch.equal(one[8:10], other) for one, other in zip(together.tensors[:-1], alone.tensors[:-1], strict=True)
    )


class Squares(Family):
    """A loss of its own, which knows no option."""

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return (output - F.one_hot(target, 5)).square().mean(dim=1)


def test_options_that_a_loss_leaves_out_are_refused() -> None:
    try_out(Squares("mlp", class_weights=[1.0] * 5))
    try_out(Family("mlp", label_smoothing=0.1, class_weights=WEIGHTS))  # it calls the default loss
    with pytest.raises(TaskError, match="task 'mlp': label_smoothing and class_weights: expected the default loss"):
        try_out(Squares("mlp", label_smoothing=0.1, class_weights=WEIGHTS))


def test_any_option_passes_the_try_out_of_one_step() -> None:
    for schedule in ("cosine", "one-cycle", Cosine(warmup=100), OneCycle(peak_at=0.5)):
        try_out(Family("mlp", schedule=schedule, optimiser="adamw", accumulate=4))


def test_a_warm_up_that_the_training_does_not_see_the_end_of_is_refused() -> None:
    task = Family("mlp", schedule=Cosine(warmup=100))
    with pytest.raises(TaskError, match=r"shorter than the training of 100 steps, got 100 steps; the longest is 99"):
        try_out(task, steps=100)
    try_out(task, steps=101)
    try_out(Family("mlp", schedule=Cosine(warmup=0.9)), steps=10)
