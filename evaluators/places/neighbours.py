"""The linear layers beside each call of a place: whose output it gets, and which takes what it gives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from evaluators.machine.backend import CPU
from evaluators.places.site import Site
from evaluators.places.survey import find_sites
from evaluators.tasks.base import BLOCK, Task
from evaluators.tasks.examples import examples_of, tensors
from evaluators.training.calling import call
from evaluators.training.initialisation import initial_network


@dataclass(frozen=True, slots=True)
class LinearCall:
    """A call of a linear layer: its name in the network, and the number of the call in a pass, from 0."""

    path: str
    number: int


@dataclass(frozen=True, slots=True)
class PlaceCall:
    """A call of a place in a pass of a network.

    Args:
        path: the place's name in the network.
        channel_dim: of its output, counted from the last one, -1.
        dimensions: number of those of its output, that of the examples among them.
        before: calls of linear layers whose output it gets as it is; a gate may have two.
        after: names of the linear layers that take its output as it is.
    """

    path: str
    channel_dim: int
    dimensions: int
    before: tuple[LinearCall, ...]
    after: tuple[str, ...]


_known: WeakKeyDictionary[Task, tuple[PlaceCall, ...]] = WeakKeyDictionary()


def place_calls(task: Task) -> tuple[PlaceCall, ...]:
    """The calls of the places of a task's network, in the order of a pass in eval mode; looked for once a task.

    Linear layers are ``nn.Linear`` whose weight is a parameter. One that is computed, as by pruning or ``weight_norm``,
    is none. What hands its input on as it is, such as dropout in evaluation, may stand between.

    Raises:
        TaskError: see :func:`evaluators.places.survey.find_sites`.
    """
    if task not in _known:
        _known[task] = _seen(task)
    return _known[task]


def _seen(task: Task) -> tuple[PlaceCall, ...]:
    inputs = examples_of(task, "search").rows(slice(BLOCK)).mapped(CPU.place).inputs
    network, watch = initial_network(task, 0).eval(), _Watch()
    sites = {site.standing(): site for site in find_sites(network, task, inputs)}
    with ExitStack() as hooks, torch.no_grad():
        for module, site in sites.items():
            hooks.callback(watch.place(module, site).remove)
        for path, module in network.named_modules():
            if isinstance(module, nn.Linear) and "weight" in module._parameters:
                hooks.callback(watch.linear(module, path).remove)
        call(network, inputs)
    return tuple(watch.found())


@dataclass(slots=True)
class _Watch:
    """Who made which tensor. A tensor is itself as long as it is kept."""

    kept: list[Tensor] = field(default_factory=list)
    linear_of: dict[int, LinearCall] = field(default_factory=dict)
    numbers: Counter[str] = field(default_factory=Counter)
    calls: list[tuple[Site, Tensor, tuple[LinearCall, ...]]] = field(default_factory=list)
    taken: dict[int, list[str]] = field(default_factory=dict)

    def place(self, module: nn.Module, site: Site) -> RemovableHandle:
        def left(_: nn.Module, args: tuple[Tensor, ...], kwargs: Mapping[str, Tensor], output: Tensor) -> None:
            given = tensors((args, kwargs))  # those of a call, such as a gate's product, are within a tuple
            before = [self.linear_of[id(each)] for each in given if id(each) in self.linear_of]
            self.kept += given
            self.calls.append((site, output, tuple(before)))

        return module.register_forward_hook(left, with_kwargs=True)

    def linear(self, module: nn.Module, path: str) -> RemovableHandle:
        def left(_: nn.Module, args: tuple[Tensor, ...], kwargs: Mapping[str, Tensor], output: Tensor) -> None:
            for each in (*args, *kwargs.values()):
                self.taken.setdefault(id(each), []).append(path)
                self.kept.append(each)
            self.linear_of[id(output)] = LinearCall(path, self.numbers[path])
            self.numbers[path] += 1
            self.kept.append(output)

        return module.register_forward_hook(left, with_kwargs=True)

    def found(self) -> list[PlaceCall]:
        return [
            PlaceCall(site.path, site.inputs.channel_dim, output.dim(), before, tuple(self.taken.get(id(output), ())))
            for site, output, before in self.calls
        ]
