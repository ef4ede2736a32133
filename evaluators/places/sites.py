"""Sites: the modules of a network that a candidate takes the place of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

import torch
from torch import Tensor, nn
from torch.nn.modules import activation

from evaluators.errors import TaskError
from evaluators.tasks.base import Inputs, Task
from evaluators.tasks.examples import mapped
from evaluators.training.calling import call
from primitives.errors import nearest
from primitives.layers.activation import channels_of
from primitives.layers.called import kept_functions, make_called
from primitives.layers.in_place import InPlace, works_in_place

#: torch's activations whose outputs depend on more than one element of the input.
_NOT_ELEMENTWISE = (nn.GLU, nn.LogSoftmax, nn.MultiheadAttention, nn.Softmax, nn.Softmax2d, nn.Softmin)
_ELEMENTWISE = tuple(
    kind for kind in (getattr(activation, name) for name in activation.__all__) if kind not in _NOT_ELEMENTWISE
)


@dataclass(frozen=True, slots=True)
class Site:
    """One place for a candidate.

    Args:
        parent: the module that holds it.
        attribute: its name there.
        path: its name in the network.
        channels: of its inputs.
        inplace: what stands there writes into its input, and so does what is put there.
    """

    parent: nn.Module
    attribute: str
    path: str
    channels: int
    inplace: bool = False

    def put(self, module: nn.Module) -> None:
        """Put a module there."""
        there = InPlace(module) if self.inplace else module
        setattr(self.parent, self.attribute, there)
        make_called(self.parent, [there])


class _Probe(nn.Module):
    """Notes the channels of what passes."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner
        self.channels: set[int] = set()

    def forward(self, x: Tensor) -> Tensor:
        self.channels.add(channels_of(x))
        result: Tensor = self.inner(x)
        return result


def find_sites(network: nn.Module, task: Task, x: Inputs) -> list[Site]:
    """The sites of a network, in the order of its modules; the network is called once.

    A module that a network holds under several names has a site for each. One that is called several times is one
    site.

    Args:
        network: the network, as it came from the task.
        task: says what is to be replaced.
        x: inputs for the network.

    Raises:
        TaskError: nothing is replaced, or nothing of a pattern's name; a module is no activation, is not used, or is
            used on different numbers of channels. The message names it.
    """
    places = {path: (parent, attribute, module) for path, parent, attribute, module in _places(network, task)}
    _check(network, task, list(places))
    probes = {}
    for path, (parent, attribute, module) in places.items():
        probes[path] = _Probe(module)
        setattr(parent, attribute, probes[path])
    mode = network.training
    network.eval()  # running statistics stay as they are
    make_called(network, probes.values())
    with torch.no_grad():
        call(network, mapped(torch.clone, x))  # an activation may write into its input
    network.train(mode)
    sites = []
    for path, (parent, attribute, module) in places.items():
        setattr(parent, attribute, module)
        sites.append(Site(parent, attribute, path, _channels(task, path, probes[path]), works_in_place(module)))
    return sites


def _places(network: nn.Module, task: Task) -> Iterator[tuple[str, nn.Module, str, nn.Module]]:
    """Path, parent, attribute and module of all that the task wants replaced, each once."""
    kinds, patterns = _wanted(task)
    seen = set()
    for path, module in network.named_modules(remove_duplicate=False):
        prefix, _, attribute = path.rpartition(".")
        parent = network.get_submodule(prefix)
        wanted = isinstance(module, kinds) or any(fnmatchcase(path, p) for p in patterns)
        if path and wanted and (parent, attribute) not in seen:
            seen.add((parent, attribute))
            yield path, parent, attribute, module


def _wanted(task: Task) -> tuple[tuple[type[nn.Module], ...], list[str]]:
    """Types, and patterns of names."""
    entries = task.replaced
    if not isinstance(entries, tuple) or not all(isinstance(entry, str | type) for entry in entries) or not entries:
        raise TaskError(
            f"task {task.name!r}: replaced: expected a tuple of types and patterns of names of modules, as in "
            f'(nn.ReLU, "features.*.act"), got {entries!r}'
        )
    kinds = tuple(entry for entry in task.replaced if not isinstance(entry, str))
    return kinds, [entry for entry in task.replaced if isinstance(entry, str)]


def _check(network: nn.Module, task: Task, paths: list[str]) -> None:
    """Refuse what would replace nothing, or not an activation."""
    kinds, patterns = _wanted(task)
    there = {path: module for path, module in network.named_modules() if path and _is_activation(module)}
    listed = ", ".join(f"{path} ({type(module).__name__})" for path, module in there.items()) or "none"
    missed = [p for p in patterns if not any(fnmatchcase(path, p) for path in paths)]
    if not paths or missed:
        wanted = missed or [kind.__name__ for kind in kinds]
        raise TaskError(
            f"task {task.name!r}: replaced: its network has no {' or '.join(wanted)} for the candidate to replace"
            f"{nearest(wanted[0], there)}; activations that are modules: {listed}. "
            f"Calls of functions, such as F.relu(x), cannot be replaced: make them modules{_functions(network)}"
        )
    for path in paths:
        module = network.get_submodule(path)
        if isinstance(module, _NOT_ELEMENTWISE):
            raise TaskError(
                f"task {task.name!r}: replaced: {path} is a {type(module).__name__}, which is not elementwise; a "
                f"candidate is. Elementwise activations that are modules: {listed}"
            )
        if not isinstance(module, kinds) and not _is_activation(module):
            raise TaskError(
                f"task {task.name!r}: replaced: {path} is a {type(module).__name__}, no activation; "
                f"activations that are modules: {listed}"
            )


def _functions(network: nn.Module) -> str:
    """For a message: the activations that a network keeps as functions in attributes."""
    kept = list(kept_functions(network, _ELEMENTWISE))
    return f". {'; '.join(kept)}" if kept else ""


def _is_activation(module: nn.Module) -> bool:
    """True for torch's elementwise activations, and for others' modules without parts and parameters."""
    if isinstance(module, _NOT_ELEMENTWISE):
        return False
    home = type(module).__module__
    if home.startswith("torch.nn.modules."):
        return home == activation.__name__
    return not list(module.children()) and not list(module.parameters())


def _channels(task: Task, path: str, probe: _Probe) -> int:
    if len(probe.channels) != 1:
        used = "is never used" if not probe.channels else f"is used on {sorted(probe.channels)} channels"
        raise TaskError(f"task {task.name!r}: replaced: {path} {used}; give each place a module of its own")
    return probe.channels.pop()
