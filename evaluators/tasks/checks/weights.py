"""What a try-out says of a network's first weights: seeds that are one, and parameters that are not drawn."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from evaluators.errors import TaskError
from evaluators.tasks.base import Task
from evaluators.training.drawing import undrawn
from evaluators.training.initialisation import initial_network, prepares, unprepared_network

_SHOWN = 4  # names in a note


def check_seeds(task: Task) -> None:
    """Refuse a network whose weights are the same for two seeds, unless they are pretrained.

    All seeds of a job would begin at one point: their spread would be that of the data's order alone. It is enough
    that one trained parameter differs, such as the new head of a pretrained trunk. Masks alone do not count: intervals
    of weights that are the same for every seed allow for more overlap.

    Raises:
        TaskError: the message names the two ways out.
    """
    if task.pretrained:
        return
    one, other = (initial_network(task, seed) for seed in (0, 1))
    if not _begin_alike(one, other):
        return
    names = list(_trained(one))
    if prepares(task) and not _begin_alike(*(unprepared_network(task, seed) for seed in (0, 1))):
        method, way_out = "prepare: behind it, of", "load other weights for another seed"
    else:
        method, way_out = "network: made with", "take out what seeds network() itself, such as torch.manual_seed"
    raise TaskError(
        f"task {task.name!r}: {method} two seeds, all of its trained parameters are the same "
        f"({', '.join(names[:_SHOWN])}{', ...' if len(names) > _SHOWN else ''}), so that every seed would begin "
        f"with one set of weights; {way_out}; or, if the weights are pretrained, set pretrained = True in the task"
    )


def left_as_made(task: Task) -> list[str]:
    """A note on the weights that are not drawn though ``initial`` is ``"drawn"``; none where all are."""
    names = undrawn(unprepared_network(task, 0)) if task.initial == "drawn" else ()
    if not names:
        return []
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return [
        f"task {task.name!r}: initial is 'drawn', but these parameters stay as network() makes them, since they "
        f"are frozen or of no linear, convolution or embedding layer: {', '.join(names[:_SHOWN])}{more}"
    ]


def _begin_alike(one: nn.Module, other: nn.Module) -> bool:
    """True if something is trained, and all that is trained is the same."""
    mine, others = _trained(one), _trained(other)
    return bool(mine) and mine.keys() == others.keys() and all(_same(mine[name], others[name]) for name in mine)


def _trained(network: nn.Module) -> dict[str, Tensor]:
    named = network.named_parameters()
    return {name: weight.detach() for name, weight in named if weight.requires_grad and not is_lazy(weight)}


def _same(one: Tensor, other: Tensor) -> bool:
    """Equal in type, shape and values; NaN is no value that a seed draws."""
    return one.dtype == other.dtype and torch.equal(one, other)
