"""Initial weights, and the scale of a candidate: as the user's network has them, or the same for all candidates.

Drawn weights have standard deviation 1/sqrt(fan in). A candidate of unit scale is divided by the root of its second
moment under a standard normal, so that c*f trains exactly as f does. One of critical scale gets its input times a
number of its own before, so that f(c x), however steep, trains about as f does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from evaluators.errors import TaskError
from evaluators.seeds import derive, torch_generator
from evaluators.tasks.base import Task
from evaluators.training.drawing import draw_weights
from primitives.analysis import critical, output_factor
from primitives.errors import ActsearchError
from primitives.expression.application import apply
from primitives.expression.expression import Expression, constant
from primitives.user_file import blame_on


def normalised(expression: Expression) -> Expression:
    """The expression with its output factor written into it."""
    return apply("mul", constant(output_factor(expression)), expression)


def factor_in(task: Task, expression: Expression) -> float:
    """What a task's network multiplies :func:`moved_in` by: its output factor, or 1 where the scale is ``"none"``."""
    return 1.0 if task.scale == "none" else output_factor(moved_in(task, expression))


def moved_in(task: Task, expression: Expression) -> Expression:
    """The candidate with the input that it gets in a task's network: f(s x) where the scale is ``"critical"``, else f.

    See :func:`primitives.analysis.critical.critical_scale` for s.
    """
    return critical(expression) if task.scale == "critical" else expression


def applied_in(task: Task, expression: Expression) -> Expression:
    """The function that a task's network applies: the candidate, normalised or as it is."""
    return expression if task.scale == "none" else normalised(moved_in(task, expression))


def initial_network(task: Task, seed: int) -> nn.Module:
    """A new network of the task as its training begins: with the weights of a seed, prepared.

    See :func:`unprepared_network`; then ``task.prepare`` changes it, once.

    Returns:
        A network on the CPU, float32 unless the task has other types, so that its weights are the same wherever it is
        trained.

    Raises:
        TaskError: ``network()`` returns no module, or ``prepare`` fails or returns something; the message names it.
    """
    network = unprepared_network(task, seed)
    if prepares(task):
        _prepare(task, network, seed)
    return network


def unprepared_network(task: Task, seed: int) -> nn.Module:
    """A new network with the weights of a seed, as ``task.prepare`` gets it.

    Where ``task.initial`` is ``"own"``, it is what ``task.network()`` makes under ``torch.manual_seed`` of a seed that
    is derived from the model's, pretrained weights included. Where it is ``"drawn"``, weights are drawn over it, see
    :func:`evaluators.training.drawing.draw_weights`; what is not drawn stays.

    Raises:
        TaskError: ``network()`` returns no module.
    """
    with _seeded(seed, "modules"):
        network = task.network()
    if not isinstance(network, nn.Module):
        raise TaskError(f"task {task.name!r}: network: expected a torch.nn.Module, got {network!r:.60}")
    if task.initial == "drawn":
        draw_weights(network, torch_generator(seed, "weights"))
    return network


def prepares(task: Task) -> bool:
    """True if the task has a ``prepare`` of its own."""
    return getattr(task.prepare, "__func__", None) is not Task.prepare


def _prepare(task: Task, network: nn.Module, seed: int) -> None:
    """Let the task change a network; gradients that it leaves are taken away, as the first step begins without."""
    try:
        with _seeded(seed, "prepare"), torch.enable_grad():
            returned: object = task.prepare(network, seed)  # type: ignore[func-returns-value]
    except ActsearchError:
        raise
    except Exception as error:
        raise TaskError(f"task {task.name!r}: prepare(network, seed) fails: {blame_on(error, task)}") from error
    if returned is not None:
        raise TaskError(
            f"task {task.name!r}: prepare: expected None, got a {type(returned).__name__}: it changes the network that "
            "it is given, in place, and returns nothing; a network that it returns would not be trained. Make another "
            "one in network(), or copy its weights by network.load_state_dict"
        )
    network.zero_grad()


@contextmanager
def _seeded(seed: int, purpose: str) -> Iterator[None]:
    """A context for code of the user's: on the CPU, torch's global random numbers are a seed's, and stay as they were.

    The seed is derived from the model's and the purpose.
    """
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.manual_seed(derive(seed, purpose))
        yield
