"""Networks of several seeds are one network but for its numbers: the same names, and the same places."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from evaluators.errors import TaskError
from evaluators.machine.backend import CPU
from evaluators.places.survey import find_sites
from evaluators.tasks.base import BLOCK, Part, Task
from evaluators.tasks.checks.makings import prepare_parts
from evaluators.tasks.examples import examples_of
from evaluators.training.initialisation import initial_network, prepares


def check_prepared(task: Task, part: Part) -> None:
    """Refuse a ``prepare`` behind which two seeds have parameters or buffers of other names, or other places.

    Raises:
        TaskError: the message says what one of them has and the other does not.
    """
    if not prepares(task):
        return
    seeds = 0, 1
    networks = [initial_network(task, seed) for seed in seeds]
    inputs = examples_of(task, part).rows(slice(BLOCK)).mapped(CPU.place).inputs
    names = [set(_tensors(network)) for network in networks]
    places = [{site.path for site in find_sites(network, task, inputs)} for network in networks]
    for what, (one, other) in (("parameters or buffers", names), ("places for the candidate", places)):
        if one != other and prepare_parts(task, *seeds):
            raise TaskError(
                f"task {task.name!r}: prepare: behind it two seeds have other {what} ({_apart(one, other)}); it may "
                "change their values by the seed, but must make the same network for each"
            )


def check_alike(task: Task, seeds: Sequence[int], networks: Sequence[nn.Module]) -> None:
    """Refuse networks that no stack can hold, though those that were tried could be.

    Args:
        task: of the networks.
        seeds: one for each network.
        networks: prepared.

    Raises:
        TaskError: the message names a tensor and the seeds.
    """
    first = _outlines(networks[0])
    for seed, network in zip(seeds[1:], networks[1:], strict=True):
        if (found := _outlines(network)) != first:
            name = min(name for name, _ in first.items() ^ found.items())
            raise TaskError(
                f"task {task.name!r}: network: of the seeds {seeds[0]} and {seed}, {name} differs in shape or type, or "
                "is there or trained in one alone; make the same network for each seed"
            )


def _outlines(network: nn.Module) -> dict[str, object]:
    tensors = {name: tensor for name, tensor in _tensors(network).items() if not is_lazy(tensor)}
    return {name: (tuple(tensor.shape), tensor.dtype, tensor.requires_grad) for name, tensor in tensors.items()}


def _tensors(network: nn.Module) -> dict[str, Tensor]:
    return {**dict(network.named_parameters()), **dict(network.named_buffers())}


def _apart(one: set[str], other: set[str]) -> str:
    """What the second has and the first does not, or the other way round."""
    more, less = sorted(other - one), sorted(one - other)
    return " and ".join(
        f"{', '.join(names[:4])}{', ...' if len(names) > 4 else ''} in {which} alone"
        for names, which in ((less, "one"), (more, "the other"))
        if names
    )
