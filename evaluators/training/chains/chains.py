"""Which tasks' networks are chains, found once for each task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from evaluators.errors import EvaluationError
from evaluators.machine.backend import CPU, Backend
from evaluators.places.survey import find_sites
from evaluators.tasks.base import Part, Task
from evaluators.tasks.checks.privacy import is_private
from evaluators.tasks.examples import examples_of
from evaluators.training.calling import call
from evaluators.training.chains.chain import Chain, NotAChain
from evaluators.training.chains.losses import Loss, loss_of
from evaluators.training.chains.recording import recorded
from evaluators.training.chains.slopes import check_slopes
from evaluators.training.dropout import SeededDropout, put_dropout
from evaluators.training.initialisation import initial_network
from evaluators.training.outputs import of_loss
from evaluators.training.stacking.activation_slot import ActivationSlot
from evaluators.training.stacking.buffers import OTHER
from evaluators.training.stacking.layout import Layout, Share
from primitives.expression.expression import variable
from primitives.user_file import blame_on

#: Two batches of sizes without a common divisor: rows that are made of several examples fit one of them at most.
_BATCHES = (5, 7)
_MANY = 1024  # examples at once
_DEPENDS = "steps that depend on other examples, on numbers, on chance or on the mode"


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """A task's chain and loss, or why it has none.

    Args:
        chain: what the network is.
        loss: what the task's loss is.
        prepared: of all examples of the part, what the chain's first step takes, a row an example, as torch makes it;
            None: the task's inputs as they are.
        reason: what the engine does not have, for people.
    """

    chain: Chain | None = None
    loss: Loss | None = None
    prepared: Tensor | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A chain that the engine trains, see :class:`Found`."""

    chain: Chain
    loss: Loss
    prepared: Tensor | None


_found: WeakKeyDictionary[Task, dict[tuple[Part, bool, torch.dtype], Found]] = WeakKeyDictionary()


def found(task: Task, part: Part, *, current: bool, backend: Backend = CPU) -> Found:
    """Whether a task's network is a chain that the engine trains.

    Args:
        task: whose network and loss are looked at.
        part: of the data.
        current: the network as it stands, without a candidate.
        backend: the type that inputs are made in.
    """
    known, key = _found.setdefault(task, {}), (part, current, backend.dtype)
    if key not in known:
        try:
            known[key] = _looked(task, part, current, backend)
        except NotAChain as error:
            known[key] = Found(reason=f"its network has {error}")
        except Exception as error:  # a user's network may raise anything at these batches; torch's stack calls it, too
            known[key] = Found(reason=f"its network raises {blame_on(error, task).partition(chr(10))[0][:200]}")
    return known[key]


def chain_of(task: Task, part: Part, *, current: bool, backend: Backend = CPU) -> Trained:
    """The chain and the loss of a task that has one.

    Raises:
        EvaluationError: it has none.
    """
    own = found(task, part, current=current, backend=backend)
    if own.chain is None or own.loss is None:
        raise EvaluationError(f"task {task.name!r} is not for the native engine: {own.reason}")
    return Trained(own.chain, own.loss, own.prepared)


def _looked(task: Task, part: Part, current: bool, backend: Backend) -> Found:
    if is_private(task):
        return Found(reason="its gradients are those of each example")
    examples = examples_of(task, part).mapped(backend.place)
    if not isinstance(examples.inputs, Tensor) or not examples.inputs.is_floating_point():
        return Found(reason="its inputs are no tensor of numbers")
    network = initial_network(task, OTHER)  # a stack tells by it whether buffers differ, see NativeStack
    backend.move(network)
    slots = [] if current else _slots(task, network, examples.rows(slice(task.batch_size)).inputs)
    put_dropout(network, (0,))
    if any(isinstance(module, SeededDropout) and module.p for module in network.modules()):
        return Found(reason="its network has dropout")
    network.train()

    def output(inputs: Tensor) -> Any:
        return of_loss(task, call(network, inputs))

    def look(inputs: Tensor) -> tuple[Chain, Tensor]:
        return recorded(network, output, inputs, slots)

    few, many = (examples.inputs[:size] for size in _BATCHES)
    chain, first = look(few)
    check_slopes(output, few, slots)
    loss = loss_of(task, chain.shape, examples.targets)
    if loss is None:
        return Found(reason="its loss is neither cross-entropy nor a squared error")
    prepared = _prepared(look, chain, examples.inputs)
    inputs = examples.inputs.flatten(1) if prepared is None else prepared
    network.eval()
    for other, made in ((chain, first), look(few), look(many)):
        if other != chain or not torch.equal(made, inputs[: len(made)]):
            raise NotAChain(_DEPENDS)
    return Found(chain, loss, prepared)


def _prepared(look: Callable[[Tensor], tuple[Chain, Tensor]], chain: Chain, inputs: Tensor) -> Tensor | None:
    """What the chain's first step takes for all inputs; None where it takes them as they are."""
    rows, is_plain = [], True
    for part in inputs.split(_MANY):
        (other, made), plain = look(part), part.flatten(1)
        if other != chain:
            raise NotAChain(_DEPENDS)
        is_same = torch.equal(made, plain)
        rows.append(plain if is_same else made)  # a view costs no memory
        is_plain &= is_same
    return None if is_plain else torch.cat(rows)


def _slots(task: Task, network: nn.Module, inputs: Tensor) -> list[ActivationSlot]:
    lone = Layout((Share(variable(), 0, 1),), ((),))
    slots = []
    for site in find_sites(network, task, inputs):
        if site.inputs.channels > 1 and site.inputs.channel_dim != -1:
            raise NotAChain("channels that are not the last dimension")
        slots.append(ActivationSlot(lone, channels=site.inputs.channels, channel_dim=site.inputs.channel_dim))
        site.put(slots[-1])
    return slots
