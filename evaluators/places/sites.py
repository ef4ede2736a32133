"""Sites: the modules of a network that a candidate takes the place of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

import torch
from torch import Tensor, nn
from torch.nn.modules import activation

from evaluators.errors import TaskError
from evaluators.places.channels import Channels, Following, agreed
from evaluators.tasks.base import Inputs, Task
from evaluators.tasks.examples import mapped
from evaluators.tasks.place import Place
from evaluators.training.calling import call
from primitives.errors import nearest
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
        channels: of its inputs, in ``channel_dim``; 1 where what is per channel is one for all.
        inplace: what stands there writes into its input, and so does what is put there.
        channel_dim: counted from the last dimension, -1.
        guessed: the layers before do not say which dimension it is.
        differ: it is called on inputs that differ in their channels.
    """

    parent: nn.Module
    attribute: str
    path: str
    channels: int
    inplace: bool = False
    channel_dim: int = -1
    guessed: bool = False
    differ: bool = False

    def put(self, module: nn.Module) -> None:
        """Put a module there."""
        there = InPlace(module) if self.inplace else module
        setattr(self.parent, self.attribute, there)
        make_called(self.parent, [there])


class _Probe(nn.Module):
    """Notes the channels of what passes."""

    def __init__(self, inner: nn.Module, following: Following, declared: Place | None) -> None:
        super().__init__()
        self.inner, self.following, self.declared = inner, following, declared
        self.calls: list[Channels] = []

    def forward(self, x: Tensor) -> Tensor:
        self.calls.append(self.following.seen(x, self.declared))
        result: Tensor = self.inner(x)
        return result


def find_sites(network: nn.Module, task: Task, x: Inputs) -> list[Site]:
    """The sites of a network, in the order of its modules; the network is called once.

    A module that a network holds under several names has a site for each. One that is called several times is one
    site; where these calls differ in their channels, what is per channel is one for all.

    Args:
        network: the network, as it came from the task.
        task: says what is to be replaced.
        x: inputs for the network.

    Raises:
        TaskError: nothing is replaced, or nothing of a pattern's name; a module is no activation, or is not used. The
            message names it.
    """
    places = {path: (parent, attribute, module) for path, parent, attribute, module in _places(network, task)}
    _check(network, task, list(places))
    probes, following = {}, Following()
    for path, (parent, attribute, module) in places.items():
        probes[path] = _Probe(module, following, _declared(task, path, module))
        setattr(parent, attribute, probes[path])
    mode = network.training
    network.eval()  # running statistics stay as they are
    make_called(network, probes.values())
    with torch.no_grad(), following:
        call(network, mapped(torch.clone, x))  # an activation may write into its input
    network.train(mode)
    sites = []
    for path, (parent, attribute, module) in places.items():
        setattr(parent, attribute, module)
        found = _channels(task, path, probes[path])
        place = found.channels, works_in_place(module), found.channel_dim, not found.known, found.differ
        sites.append(Site(parent, attribute, path, *place))
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
    known = str | type | Place
    if not isinstance(entries, tuple) or not all(isinstance(entry, known) for entry in entries) or not entries:
        raise TaskError(
            f"task {task.name!r}: replaced: expected a tuple of types and patterns of names of modules, as in "
            f'(nn.ReLU, "features.*.act"), got {entries!r}'
        )
    matches = [entry.match if isinstance(entry, Place) else entry for entry in entries]
    kinds = tuple(match for match in matches if not isinstance(match, str))
    return kinds, [match for match in matches if isinstance(match, str)]


def _declared(task: Task, path: str, module: nn.Module) -> Place | None:
    """The first place of the task that says where a module's inputs have their channels."""
    places = (entry for entry in task.replaced if isinstance(entry, Place) and entry.channel_dim is not None)
    return next((place for place in places if place.fits(path, module)), None)


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


def _channels(task: Task, path: str, probe: _Probe) -> Channels:
    if not probe.calls:
        raise TaskError(
            f"task {task.name!r}: replaced: {path} is never used; name modules that the network calls, or remove it"
        )
    return agreed(probe.calls)
