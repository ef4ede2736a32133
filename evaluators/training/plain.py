"""One model with ordinary modules and ``torch.optim``: what a stack must equal, and what trains where none can be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from evaluators.comparison import has_metric, metric_value, readings_of, reads_parts
from evaluators.machine.backend import CPU, Backend
from evaluators.places.survey import find_sites
from evaluators.privacy.noise import name_of_own, standard_noise
from evaluators.tasks.base import HeldOut, Inputs, Part, Split, Task
from evaluators.tasks.checks.privacy import check_apart, privacy_of
from evaluators.tasks.checks.settings import check_settings, check_trained
from evaluators.tasks.examples import Examples, examples_of, joined, mapped
from evaluators.tasks.optimisers import optimiser_named
from evaluators.tasks.ordering import ordered
from evaluators.training.calling import call
from evaluators.training.dropout import put_dropout
from evaluators.training.initialisation import initial_network
from evaluators.training.models import CALIBRATED, EVALUATED, mean_readings
from evaluators.training.optimiser import plain
from evaluators.training.outputs import of_loss
from evaluators.training.putting import put_candidate
from evaluators.training.randomness import begin_step, own_random_numbers
from evaluators.training.schedules import schedule_named
from primitives.expression.expression import Expression
from primitives.layers.expression_layer import ExpressionLayer
from primitives.layers.in_place import InPlace
from primitives.layers.norm_activation import NormActivation

T = TypeVar("T")


class PlainModel:
    """One function, or the network as it stands, one seed, one learning rate.

    What the network draws when it is called comes from the seed and the step; see
    :mod:`evaluators.training.randomness`.

    Args:
        task: data, network and loss.
        part: the part of the data.
        expression: the candidate; applied with the scale that the task has, as in the stack. None leaves the network as
            it stands.
        seed: of weights, split and data order.
        rate: the learning rate.
        steps: the number of steps that the data order is made for.
        backend: device and types.
        examples: of the part, on the device, if they are there already.

    Raises:
        TaskError: a setting of the task, its data, or a module of its network cannot be used.
    """

    def __init__(
        self,
        task: Task,
        part: Part,
        expression: Expression | None,
        *,
        seed: int,
        rate: float,
        steps: int,
        backend: Backend = CPU,
        examples: Examples | None = None,
    ) -> None:
        check_settings(task)
        self.task, self.backend, self.seed, self.rate, self.steps = task, backend, seed, rate, steps
        self.examples = examples_of(task, part).mapped(backend.place) if examples is None else examples
        self.split = _placed(task.divided(len(self.examples), part, seed, self.examples.held_out), backend)
        order = ordered(task, self.examples, self.split.train.cpu(), steps * task.accumulate, seed)
        self.order = backend.place(order)
        self.network = initial_network(task, seed)
        backend.move(self.network)
        check_trained(task, self.network)
        check_apart(task, self.network)
        self.privacy = privacy_of(task, steps)
        self.activations = self._put_activations(expression)
        backend.move(self.network)
        for activation in self.activations:
            if isinstance(activation, ExpressionLayer):
                activation.reset_parameters()  # initial values rounded to dtype, not to float32 before
        self.masks = put_dropout(self.network, (seed,))
        self.network.eval()
        self.writes = any(isinstance(module, InPlace) for module in self.network.modules())
        self.step = 0
        self.is_calibrated = False

    @cached_property
    def optimiser(self) -> torch.optim.Optimizer:
        """torch's own, made when it is first used."""
        return plain(optimiser_named(self.task.optimiser), self.network, self.rate)

    def _put_activations(self, expression: Expression | None) -> list[nn.Module]:
        """Put the candidate in its places; return what stands in them then."""
        sites = find_sites(self.network, self.task, self.examples.rows(self.order[0]).inputs)
        if expression is None:
            return list(dict.fromkeys(site.standing() for site in sites))
        return [*put_candidate(self.task, expression, sites)]

    def advance(self, steps: int) -> list[float]:
        """Train up to step number ``steps``; return the training loss of each step taken."""
        losses = []
        factor = schedule_named(self.task.schedule).factor
        self.network.train()
        with own_random_numbers():
            while self.step < steps:
                losses.append(self._take_step(factor(self.step, self.steps)))
                self.step += 1
        self.network.eval()
        self.is_calibrated = False
        return losses

    def _take_step(self, factor: float) -> float:
        """Take the next step with ``factor`` times the rate; return its loss, the mean over its batches."""
        first, count = self.step * self.task.accumulate, self.task.accumulate
        self.network.zero_grad()
        backward = self._private_backward if self.privacy else self._backward
        losses = [backward(number) for number in range(first, first + count)]
        if self.task.clip is not None:
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.task.clip)
        self._update(factor)
        return sum(losses)

    def _update(self, factor: float) -> None:
        """Move the parameters by their gradients."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate * factor
        self.optimiser.step()

    def _backward(self, number: int) -> float:
        """Add a batch's share to the step's gradient; return its share of the step's loss."""
        begin_step(self.seed, number)
        self.masks.begin(number)
        loss = self.losses(self.order[number]).mean()
        if self.task.accumulate > 1:
            loss = loss / self.task.accumulate
        self.masks.begin(number)
        loss.backward()
        return float(loss.detach())

    def _private_backward(self, number: int) -> float:
        """Make the step's gradient of those of its examples, one after the other; return their mean loss."""
        assert self.privacy is not None
        names = self._names()
        sums = {weight: torch.zeros_like(weight) for weight in names}
        index, total = self.order[number], 0.0
        taken = index[index >= 0].split(1)
        for each in taken:
            self.network.zero_grad()
            begin_step(self.seed, number)
            self.masks.begin(number)
            loss = self.losses(each).sum()
            self.masks.begin(number)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(names, self.privacy.clip)
            for weight, of_examples in sums.items():
                of_examples += 0.0 if weight.grad is None else weight.grad
            total += float(loss.detach())
        for weight, name in names.items():
            noise = standard_noise(self.seed, number, name, weight.shape).to(weight)
            noisy = sums[weight] + noise * (self.privacy.noise * self.privacy.clip)
            weight.grad = noisy / (self.privacy.sampling * len(self.split.train))
        return total / max(1, len(taken))

    def _names(self) -> dict[nn.Parameter, str]:
        """What is trained, with the names that its noise is drawn by."""
        names = {weight: name for name, weight in self.network.named_parameters() if weight.requires_grad}
        for place, layer in enumerate(self.activations):
            if isinstance(layer, ExpressionLayer):
                for p in layer.expression.parameters:
                    own = name_of_own(None if p.per == "network" else place, p.name)
                    names[layer.get_parameter(p.name)] = own
        return names

    @torch.no_grad()
    def _calibrate(self) -> None:
        """Take the statistics over examples for evaluation from training batches, as the weights are now."""
        layers = [each for each in self.activations if isinstance(each, NormActivation)]
        if self.is_calibrated or self.network.training or not layers:
            return
        self.is_calibrated = True
        for layer in layers:
            layer.reset_running_stats()
            layer.momentum = None  # the mean of all batches
            layer.train()
        with own_random_numbers():
            begin_step(self.seed, "calibration")
            for index in self.order[:CALIBRATED]:
                self.output(self.at(index).inputs)
        for layer in layers:
            layer.eval()

    @torch.no_grad()
    def loss(self, kind: HeldOut) -> float:
        """Mean loss on ``"validation"`` or ``"test"`` examples."""
        return float(torch.cat(self._of_parts(kind, self.losses)).mean())

    @torch.no_grad()
    def metric(self, kind: HeldOut) -> float:
        """What is judged on ``"validation"`` or ``"test"`` examples: the task's metric, or the loss."""
        if not has_metric(self.task):
            return self.loss(kind)
        return float(metric_value(self.task, *self._whole(kind)))

    @torch.no_grad()
    def readings(self, kind: HeldOut) -> dict[str, float]:
        """The task's readings on ``"validation"`` or ``"test"`` examples by name."""
        if reads_parts(self.task):
            return mean_readings(self._of_parts(kind, self._readings))
        return mean_readings([readings_of(self.task, *self._whole(kind))])

    def _readings(self, index: Tensor) -> dict[str, Tensor]:
        examples = self.at(index)
        return readings_of(self.task, self.output(examples.inputs), examples.targets)

    def _whole(self, kind: HeldOut) -> tuple[Any, Inputs]:
        """Outputs and targets of all held-out examples."""
        outputs = self._of_parts(kind, lambda part: self.output(self.at(part).inputs))
        return joined(outputs), self.at(getattr(self.split, kind)).targets

    def _of_parts(self, kind: HeldOut, function: Callable[[Tensor], T]) -> list[T]:
        """What a function gives for the indices of held-out examples, part by part."""
        index: Tensor = getattr(self.split, kind)
        self._calibrate()
        with own_random_numbers():
            begin_step(self.seed, kind)
            return [function(part) for part in index.split(EVALUATED * self.task.batch_size)]

    def output(self, inputs: Inputs) -> Any:
        """What the loss takes of the network's output for a batch, in the mode that the network is in."""
        self._calibrate()
        inputs = mapped(torch.clone, inputs) if self.writes else inputs  # the network may write into them
        with self.backend.mixed():
            output = of_loss(self.task, call(self.network, inputs))
        return mapped(self.backend.place, output)

    def at(self, index: Tensor) -> Examples:
        """The examples at some indices."""
        return self.examples.rows(index)

    def losses(self, index: Tensor) -> Tensor:
        """Loss of each example."""
        examples = self.at(index)
        return self.task.loss(self.output(examples.inputs), examples.targets)

    def tensors(self) -> dict[str, Tensor]:
        """Parameters and buffers by name."""
        return dict(self.network.named_parameters()) | dict(self.network.named_buffers())

    def restore(self, step: int, tensors: Mapping[str, Tensor], optimiser: Mapping[int, Mapping[str, Tensor]]) -> None:
        """Go on from the tensors and the optimiser's state of a step."""
        own = self.tensors()
        for name, tensor in tensors.items():
            own[name].data = tensor.to(own[name].device)
        groups = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict({"state": {k: dict(v) for k, v in optimiser.items()}, "param_groups": groups})
        self.step, self.is_calibrated = step, False


def _placed(parts: Split, backend: Backend) -> Split:
    return Split(*(backend.place(part) for part in (parts.train, parts.validation, parts.test)))
