"""In what order training examples come: by permutations, or as the task says."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from evaluators.errors import TaskError
from evaluators.privacy.sampling import poisson_batches
from evaluators.tasks.base import BLOCK, Task, batches
from evaluators.tasks.checks.privacy import privacy_of
from evaluators.tasks.examples import Examples, mapped


def ordered(task: Task, examples: Examples, train: Tensor, steps: int, seed: int) -> Tensor:
    """Indices of every batch, as :meth:`evaluators.tasks.base.Task.order` says, or by permutations where it does not.

    Args:
        task: whose order it is.
        examples: of a part, on any device.
        train: indices of those that train, on the CPU.
        steps: batches that are needed.
        seed: of the model.

    Returns:
        Of the examples, on the CPU, shape (steps, batch); -1, in private training alone, is none.

    Raises:
        TaskError: there are too few examples; or what ``order`` returned is no such table, the message says of what
            shape and range it was expected.
    """
    if privacy := privacy_of(task, steps):
        return poisson_batches(train, steps, privacy.sampling, seed, BLOCK)
    if type(task).order is Task.order:  # no targets are fetched for a task that has nothing to say
        return batches(train, steps, task.batch_size, seed)
    targets = mapped(lambda tensor: tensor[train.to(tensor.device)].cpu(), examples.targets)
    rows = task.order(targets, steps, seed)
    if rows is None:
        return batches(train, steps, task.batch_size, seed)
    _check(f"task {task.name!r}: order", rows, steps, len(train))
    return train[rows.to("cpu", torch.int64)]


def all_ordered(task: Task, examples: Examples, trains: Sequence[Tensor], steps: int, seeds: Sequence[int]) -> Tensor:
    """What :func:`ordered` gives each seed, shape (seeds, steps, batch).

    Raises:
        TaskError: as :func:`ordered`; or two seeds have batches of two sizes.
    """
    orders = [ordered(task, examples, train, steps, seed) for train, seed in zip(trains, seeds, strict=True)]
    sizes = sorted({order.shape[1] for order in orders})
    if len(sizes) > 1:
        raise TaskError(
            f"task {task.name!r}: order: expected batches of one size for all seeds, got {sizes[0]} and {sizes[-1]}"
        )
    return torch.stack(orders)


def _check(place: str, rows: object, steps: int, count: int) -> None:
    """Refuse what is no table of batches."""
    wanted = f"expected whole numbers of shape ({steps}, n), n a multiple of {BLOCK}, or None"
    if not isinstance(rows, Tensor):
        raise TaskError(f"{place}: {wanted}, got a {type(rows).__name__}")
    if rows.is_floating_point() or rows.is_complex() or rows.dtype == torch.bool:
        raise TaskError(f"{place}: {wanted}, got {rows.dtype}")
    if rows.dim() != 2 or len(rows) != steps or not rows.shape[1] or rows.shape[1] % BLOCK:
        raise TaskError(f"{place}: {wanted}, got shape {tuple(rows.shape)}")
    low, high = int(rows.min()), int(rows.max())
    if low < 0 or high >= count:
        raise TaskError(
            f"{place}: expected numbers of the {count} training examples, from 0 to {count - 1}, got {low} to {high}"
        )
