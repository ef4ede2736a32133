"""A stack: many copies of one network, trained in lockstep as one batched computation.

Everything that belongs to a slice (weights, buffers, optimiser state, data order) can be dropped with it, and no bit
of the others changes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from copy import copy
from functools import partial, reduce
from operator import itemgetter
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode

from evaluators.comparison import has_metric, metric_value, readings_of, reads_parts
from evaluators.errors import EvaluationError
from evaluators.gpu.usable import repeats
from evaluators.machine.backend import CPU, Backend
from evaluators.places.fitting import check_fits
from evaluators.places.looks import Look, looks
from evaluators.places.survey import find_sites
from evaluators.privacy.noise import name_of_own, standard_noise
from evaluators.tasks.base import BLOCK, HeldOut, Inputs, Part, Task
from evaluators.tasks.checks.alike import check_alike
from evaluators.tasks.checks.privacy import check_apart
from evaluators.tasks.checks.settings import check_trained
from evaluators.tasks.examples import joined, mapped
from evaluators.tasks.optimisers import optimiser_named
from evaluators.training.calling import call, without_fast_path
from evaluators.training.checkpoints.states import ModelsState, StackState
from evaluators.training.dropout import SeededDropout, put_dropout
from evaluators.training.initialisation import factor_in, initial_network, moved_in
from evaluators.training.member import CohortMember, Schedule
from evaluators.training.models import CALIBRATED, EVALUATED, Models, mean_readings
from evaluators.training.optimiser import clipped, stacked
from evaluators.training.outputs import of_loss
from evaluators.training.schedules import schedule_named
from evaluators.training.stacking import candidate_parameters
from evaluators.training.stacking.activation_slot import ActivationSlot, After
from evaluators.training.stacking.batch_norm import NORMS, StackedBatchNorm
from evaluators.training.stacking.buffers import own_buffers
from evaluators.training.stacking.convolution import StackedConvolutions
from evaluators.training.stacking.each_example import AT_ONCE, clipped_sums
from evaluators.training.stacking.layer_shares import mean_statistics
from evaluators.training.stacking.layout import Layout, Share
from evaluators.training.stacking.lone_products import lone_products
from evaluators.training.stacking.replay import LEAST, Gradients, Replayed
from primitives.equivalence.builtin import as_builtin
from primitives.expression.expression import Expression, at_place, variable
from primitives.layers.in_place import InPlace

#: Only where a network has such layers: each costs 1 us a call of torch.
_MODES: tuple[tuple[tuple[type[nn.Module], ...], type[TorchFunctionMode]], ...] = (
    ((nn.modules.conv._ConvNd,), StackedConvolutions),
    (NORMS, StackedBatchNorm),
)


class Stack(Models):
    """Members x seeds x learning rates as one model; see :class:`evaluators.training.models.Models`.

    A network as it stands is its stack's only member.

    Attributes:
        activations: the slots; a network as it stands has none.
        looks: at what stands in its places instead; there are none beside slots.
        notes: looks at other modules, while somebody wants their inputs.
        state: the stacked weights that are trained, by name.
        fixed: what belongs to a slice and is not trained, by name: its seed's frozen parameters, and the
            buffers that differ between seeds or change in a call. Other buffers are one for all.

    Raises:
        TaskError: nothing of the network is trained, or it has no place for the candidate.
        EvaluationError: a network as it stands would have company: what is in its places is the same for all slices;
            or a candidate does not fit a place.
    """

    def __init__(
        self, task: Task, part: Part, members: Sequence[CohortMember], schedule: Schedule, *, backend: Backend = CPU
    ) -> None:
        super().__init__(task, part, members, schedule, backend=backend)
        self._build([initial_network(task, seed) for seed in self.seeds])
        self.notes: list[Look] = []
        self._lay_out()
        self.candidate_parameters = backend.place(candidate_parameters.initial(self.blocks))
        self._hand_out()
        rates = torch.tensor([rate for _, rate in self.slices], device="cpu", dtype=torch.float64)
        rates = backend.place(rates)
        parameter_rates = rates[backend.place(candidate_parameters.slices(self.blocks))]
        all_rates = [rates] * len(self.state) + [parameter_rates]
        self.optimiser = stacked(optimiser_named(task.optimiser), self.tensors, all_rates, own=1)

    def _build(self, networks: Sequence[nn.Module]) -> None:
        """One network with activation slots, and the stacked weights of all."""
        check_alike(self.task, self.seeds, networks)
        check_apart(self.task, networks[0])
        weights = [dict(network.named_parameters()) for network in networks]
        trained = {name: weight.requires_grad for name, weight in weights[0].items()}
        stacked = {name: self._stacked([each[name].detach() for each in weights]) for name in trained}
        self.state = {name: tensor for name, tensor in stacked.items() if trained[name]}
        self.fixed = {name: tensor for name, tensor in stacked.items() if not trained[name]}
        own = own_buffers(self.task, networks, self.examples)
        self.fixed |= {name: self._stacked(of_seeds) for name, of_seeds in own.items()}
        self.network = networks[0]
        self.backend.move(self.network)
        self.activations, self.looks = self._fitted()
        self.masks = put_dropout(self.network, self.seeds)
        self.network.eval()
        self.writes = bool(self.looks) or any(isinstance(module, InPlace) for module in self.network.modules())
        self.modes = [mode for kinds, mode in _MODES if any(isinstance(m, kinds) for m in self.network.modules())]

    def _fitted(self) -> tuple[list[ActivationSlot], list[Look]]:
        """Slots for the candidates; or, of a network as it stands, looks at what is in its places."""
        if all(member.expression is not None for member in self.members):
            return self._put_activation_slots(), []
        if len(self.members) > 1:
            raise EvaluationError(f"expected a network as it stands alone in a stack, got {len(self.members)} members")
        check_trained(self.task, self.network)
        return [], looks(self.network, self.task, self._few())

    def _stacked(self, of_seeds: Sequence[Tensor]) -> Tensor:
        """One tensor a seed as one row a slice."""
        return self.backend.moved(torch.stack(list(of_seeds)))[self.seed]

    def _lay_out(self) -> None:
        """Give every activation slot the candidates that it has slices of."""
        for number, activation in enumerate(self.activations):
            activation.layout = self._layout(number)
        self._forget()
        self.blocks = candidate_parameters.blocks(self.activations)

    def _hand_out(self) -> None:
        """Give every activation slot its parameters: leaves that share one memory."""
        self.values = candidate_parameters.hand_out(self.activations, self.blocks, self.candidate_parameters)

    @property
    def tensors(self) -> list[Tensor]:
        """Everything that is trained: the stacked weights, then the candidates' parameters, flat."""
        return [*self.state.values(), self.candidate_parameters]

    def advance(self, steps: int) -> Tensor:
        weights = [tensor.requires_grad_() for tensor in self.state.values()]
        owners = [slice(None)] * len(weights) + [block.owners for block in self.blocks]
        factor = schedule_named(self.task.schedule).factor
        taken = [torch.empty(0, self.width, device=self.seed.device, dtype=self.backend.dtype)]
        self._forget()
        leaves, count = [*weights, *self.values], self.task.accumulate
        compute = self._repeated(partial(self._step_gradients, leaves), steps)
        compute = self._private_gradients if self.privacy else compute
        while self.step < steps:
            first = self.step * count
            losses, gradients = compute(
                first, self.orders.transpose(0, 1)[first : first + count, self.seed].contiguous()
            )
            if self.task.clip is not None:
                gradients = clipped(gradients, owners, self.task.clip)
            of_weights, of_parameters = gradients[: len(weights)], gradients[len(weights) :]
            flat = torch.cat([torch.empty_like(self.candidate_parameters[:0]), *(g.flatten() for g in of_parameters)])
            self.optimiser.step(self.tensors, [*of_weights, flat], factor(self.step, self.schedule.steps))
            self.step += 1
            taken.append(losses[None])
        return torch.cat(taken)

    def _repeated(self, compute: Callable[[int, Tensor], Gradients], steps: int) -> Callable[[int, Tensor], Gradients]:
        """What computes the gradients of the steps up to a number: on a GPU a graph, where the host draws nothing."""
        drawn = any(isinstance(module, SeededDropout) for module in self.network.modules())
        places: list[ActivationSlot | Look] = [*self.activations, *self.looks]
        watched = any(each.after is not None for each in places)
        if drawn or watched or steps - self.step < LEAST or not repeats(self.seed):
            return compute
        return Replayed(compute, [*self.fixed.values(), *self.network.buffers()])

    def _step_gradients(self, leaves: Sequence[Tensor], first: int, index: Tensor) -> Gradients:
        """The step's loss of each slice and its gradients: the means over the batches of the step.

        Args:
            leaves: what the gradients are by.
            first: the number of its first batch.
            index: its examples, shape (batches, slices, batch).
        """
        losses, gradients = self._gradients(first, index[0], leaves)
        count = len(index)
        if count == 1:
            return losses, gradients
        for batch in range(1, count):
            more, others = self._gradients(first + batch, index[batch], leaves)
            losses, gradients = losses + more, [a + b for a, b in zip(gradients, others, strict=True)]
        return losses / count, [gradient / count for gradient in gradients]

    def _gradients(self, batch: int, index: Tensor, leaves: Sequence[Tensor]) -> Gradients:
        """The mean loss of each slice on its batch of that number, in train mode, and the gradients of their sum."""
        self.masks.begin(batch, self.seed)
        self.network.train()
        losses = self.losses(index).mean(dim=1)
        self.network.eval()
        return losses.detach(), torch.autograd.grad(losses.sum(), leaves, materialize_grads=True)

    def _private_gradients(self, step: int, index: Tensor) -> Gradients:
        """As :meth:`_step_gradients`, of clipped gradients of each example and noise."""
        assert self.privacy is not None
        self.network.train()
        with self._repeated_slices(AT_ONCE) as (view, leaves, owners):

            def losses_of(part: Tensor) -> Tensor:
                view.masks.begin(step, view.seed)
                return view.losses(part)

            losses, sums = clipped_sums(losses_of, leaves, owners, index[0], self.privacy.clip)
        self.network.eval()
        size, expected = self.privacy.noise * self.privacy.clip, self.privacy.sampling * self.splits.train.shape[1]
        pairs = zip(sums, self._noise(step), strict=True)
        return losses.to(self.backend.dtype), [(total + noise * size) / expected for total, noise in pairs]

    def _noise(self, step: int) -> list[Tensor]:
        """Standard normal numbers for each of the stacked weights, then for each of the candidates' parameters."""
        places = {slot: number for number, slot in enumerate(self.activations)}
        named = [(name, tensor.shape[1:], slice(None)) for name, tensor in self.state.items()]
        for block in self.blocks:
            slot, _, parameter = block.key
            own = name_of_own(None if slot is None else places[slot], parameter)
            named.append((own, torch.Size(block.shape[1:]), block.owners))
        return [
            self.backend.place(torch.stack([standard_noise(seed, step, name, shape) for seed in self.seeds]))[
                self.seed[owners]
            ]
            for name, shape, owners in named
        ]

    @contextmanager
    def _repeated_slices(self, times: int) -> Iterator[tuple[Self, list[Tensor], list[slice]]]:
        """A view in which each slice stands so many times, with what is trained there and the slices that it is of."""
        view = copy(self)
        view.seed = self.seed.repeat_interleave(times)
        view.state = {name: _copies(tensor, times).requires_grad_() for name, tensor in self.state.items()}
        view.fixed = {name: _copies(tensor, times) for name, tensor in self.fixed.items()}
        values = {value: _copies(value, times).requires_grad_() for value in self.values}
        before = [(slot, slot.layout, slot.values) for slot in self.activations]
        for slot, layout, own in before:
            slot.layout, slot.values = layout.repeated(times), [values[value] for value in own]
        owners = [slice(block.owners.start * times, block.owners.stop * times) for block in self.blocks]
        try:
            yield view, [*view.state.values(), *values.values()], [slice(None)] * len(view.state) + owners
        finally:
            for slot, layout, own in before:
                slot.layout, slot.values = layout, own

    def _forget(self) -> None:
        """The weights, or the slices, become others: statistics for evaluation have to be taken anew."""
        self.is_calibrated = False
        for slot in self.activations:
            slot.statistics = None

    @torch.no_grad()
    def _calibrate(self) -> None:
        """Take the statistics over examples for evaluation from training batches, as the weights are now."""
        if self.is_calibrated or self.network.training:
            return
        self.is_calibrated = True
        layers = [slot for slot in self.activations if slot.layout.has_running]
        if not layers:
            return
        for slot in layers:
            slot.noted = []
        for batch in range(min(CALIBRATED, self.orders.shape[1])):
            self.outputs(self.at(self.orders[self.seed, batch]).inputs)
        for slot in layers:
            slot.statistics, slot.noted = mean_statistics(slot.noted or []), None

    @torch.no_grad()
    def loss(self, kind: HeldOut) -> Tensor:
        parts, count, missing = self._held_out(kind)
        losses = [self.losses(part) for part in parts]
        losses[-1][:, losses[-1].shape[1] - missing :] = 0.0
        # one after the other: a sum over the parts' dimension adds in an order that depends on the width
        return reduce(torch.add, [part.sum(dim=1) for part in losses]).div(count)

    @torch.no_grad()
    def metric(self, kind: HeldOut) -> Tensor:
        if not has_metric(self.task):
            return self.loss(kind)
        return torch.stack([metric_value(self.task, *each) for each in self._whole(kind)])

    @torch.no_grad()
    def readings(self, kind: HeldOut) -> list[dict[str, float]]:
        if not reads_parts(self.task):
            return [mean_readings([readings_of(self.task, *each)]) for each in self._whole(kind)]
        own = getattr(self.splits, kind)[self.seed].split(EVALUATED * self.task.batch_size, dim=1)
        by_part = [
            [readings_of(self.task, *each) for each in self._by_slice(self.outputs(self.at(part).inputs), index)]
            for part, index in zip(self._held_out(kind)[0], own, strict=True)
        ]
        return [mean_readings(of_slice) for of_slice in zip(*by_part, strict=True)]

    def _whole(self, kind: HeldOut) -> Iterator[tuple[Any, Inputs]]:
        """Outputs and targets of all held-out examples, slice by slice."""
        outputs = joined([self.outputs(self.at(part).inputs) for part in self._held_out(kind)[0]], dim=1)
        return self._by_slice(outputs, getattr(self.splits, kind)[self.seed])

    def _by_slice(self, outputs: Any, index: Tensor) -> Iterator[tuple[Any, Inputs]]:
        """Of each slice its outputs and targets for some indices, without the copies behind them."""
        for row, own in enumerate(index):
            yield mapped(itemgetter((row, slice(len(own)))), outputs), self.at(own).targets

    def _held_out(self, kind: HeldOut) -> tuple[Sequence[Tensor], int, int]:
        """Indices of held-out examples, batch by batch; their number, and that of copies that fill the last batch.

        A batch is a multiple of 32; the copies do not count.
        """
        index = getattr(self.splits, kind)[self.seed]
        count, missing = index.shape[1], -index.shape[1] % BLOCK
        if missing:
            index = index[:, torch.arange(count + missing, device=index.device) % count]
        return index.split(EVALUATED * self.task.batch_size, dim=1), count, missing

    def losses(self, index: Tensor) -> Tensor:
        """Loss of each example, shape (slices, batch), for example indices of that shape."""
        examples = self.at(index)
        return self.judged(self.outputs(examples.inputs), examples.targets)

    def outputs(self, inputs: Inputs) -> Any:
        self._calibrate()
        inputs = mapped(torch.clone, inputs) if self.writes else inputs  # the network may write into them
        with ExitStack() as contexts:
            own = (_batched_attention(self.seed.device), lone_products(self.width, self.seed.device))
            for context in (self.backend.mixed(), *own, *(mode() for mode in self.modes)):
                contexts.enter_context(context)
            output = torch.func.vmap(self._model, randomness="error")(self.state | self.fixed, self._markers(), inputs)
        return mapped(self.backend.place, output)

    def _model(self, state: dict[str, Tensor], markers: dict[str, Tensor], inputs: Inputs) -> Any:
        def network(*args: Tensor, **kwargs: Tensor) -> Any:
            return torch.func.functional_call(self.network, (state, markers), args, kwargs)

        return of_loss(self.task, call(network, inputs))

    def _markers(self) -> dict[str, Tensor]:
        zeros = torch.zeros(self.width, device=self.seed.device)
        own = (ActivationSlot, SeededDropout)
        paths = (path for path, module in self.network.named_modules() if isinstance(module, own))
        return {f"{path}.marker": zeros for path in paths}

    def keep(self, chosen: Sequence[int], rates: Sequence[tuple[int, ...]] | None = None) -> None:
        slices, flat = self._narrow(chosen, [self.rates[i] for i in chosen] if rates is None else rates)
        self.optimiser.keep([slices] * len(self.state) + [flat])

    def _narrow(self, chosen: Sequence[int], rates: Sequence[tuple[int, ...]]) -> tuple[Tensor, Tensor]:
        """Keep some models of some members, but for the optimiser; return the indices of slices and parameters."""
        of_members = dict(zip(chosen, self._places(chosen, rates), strict=True))
        flat = self.backend.place(candidate_parameters.picked(self.blocks, of_members))
        slices = self._kept(chosen, rates)
        self.state = {name: tensor.detach()[slices] for name, tensor in self.state.items()}
        self.fixed = {name: tensor[slices] for name, tensor in self.fixed.items()}
        self.candidate_parameters = self.candidate_parameters[flat]
        self._lay_out()
        self._hand_out()
        return slices, flat

    def saved(self) -> ModelsState:
        optimiser = tuple(tuple(tensor.cpu() for tensor in tensors) for tensors in self.optimiser.state)
        fixed = tuple(tensor.cpu() for tensor in self.fixed.values())
        return StackState(self.step, tuple(t.detach().cpu() for t in self.tensors), optimiser, fixed)

    def restore(self, saved: ModelsState) -> None:
        assert isinstance(saved, StackState)
        *weights, flat = (tensor.to(self.backend.device) for tensor in saved.tensors)
        self.state, self.candidate_parameters = dict(zip(self.state, weights, strict=True)), flat
        fixed = (tensor.to(self.backend.device) for tensor in saved.fixed)
        self.fixed = dict(zip(self.fixed, fixed, strict=True))
        self.optimiser.state = [[tensor.to(self.backend.device) for tensor in row] for row in saved.optimiser]
        self.step = self.optimiser.steps = saved.step
        self._forget()
        self._hand_out()

    @contextmanager
    def alone(self, position: int, rate: int) -> Iterator[Self]:
        view = copy(self)
        view._narrow([position], [(rate,)])
        try:
            yield view
        finally:
            self._lay_out()
            self._hand_out()

    @contextmanager
    def altered(self, after: After) -> Iterator[None]:
        self._calibrate()
        watched: list[ActivationSlot | Look] = [*self.activations, *self.looks]
        for each in watched:
            each.after = after
        try:
            yield
        finally:
            for each in watched:
                each.after = None

    def learned(self) -> list[dict[str, Tensor]]:
        return [slot.layout.sections(slot.values)[0] for slot in self.activations]

    @contextmanager
    def inputs_of(self, paths: Collection[str]) -> Iterator[dict[str, list[Tensor]]]:
        found: dict[str, list[Tensor]] = {path: [] for path in paths}
        self.notes = [Look(self.network.get_submodule(path), partial(_kept, into)) for path, into in found.items()]
        try:
            yield found
        finally:
            for each in self.notes:
                each.remove()
            self.notes = []

    def weight(self, name: str) -> Tensor:
        return self.state[name] if name in self.state else self.fixed[name]

    def parts(self) -> Sequence[Models]:
        return (self,)

    @contextmanager
    def lowered(self, dtype: torch.dtype) -> Iterator[None]:
        self._calibrate()
        places: list[ActivationSlot | Look] = [*self.activations, *self.looks]
        for each in places:
            each.dtype = dtype
        try:
            yield
        finally:
            for each in places:
                each.dtype = None

    def _layout(self, number: int) -> Layout:
        """What the activation slot of a number applies, candidate by candidate."""
        rows = zip(self.members, self.ranges, strict=True)
        shares = [self._share(member.expression, of, number) for member, of in rows]
        return Layout(tuple(shares), tuple(tuple(p.name for p in share.expression.parameters) for share in shares))

    def _share(self, expression: Expression | None, of: slice, number: int) -> Share:
        if expression is None:  # without slots nobody applies it
            return Share(variable(), of.start, of.stop)
        here = at_place(expression, number, len(self.activations))
        return Share(as_builtin(moved_in(self.task, here)), of.start, of.stop, factor_in(self.task, here))

    def _few(self) -> Inputs:
        """Inputs of a batch, to find places with."""
        return self.examples.rows(slice(self.orders.shape[2])).inputs

    def _put_activation_slots(self) -> list[ActivationSlot]:
        """Put activation slots where the network has its activations, and return them."""
        check_trained(self.task, self.network)
        lone = Layout((Share(variable(), 0, 1),), ((),))
        placed = []
        sites = find_sites(self.network, self.task, self._few())
        for expression in dict.fromkeys(member.expression for member in self.members if member.expression):
            check_fits(expression, sites)
        for site in sites:
            slot = ActivationSlot(lone, channels=site.inputs.channels, channel_dim=site.inputs.channel_dim)
            activation = slot.to(self.seed.device)
            site.put(activation)
            placed.append(activation)
        return placed


def _copies(tensor: Tensor, times: int) -> Tensor:
    return tensor.detach().repeat_interleave(times, dim=0)


def _kept(into: list[Tensor], x: Tensor, output: Tensor) -> Tensor:
    into.append(x)
    return output


@contextmanager
def _batched_attention(device: torch.device) -> Iterator[None]:
    """A context in which torch's attention takes operators that have rules for vmap.

    The fast path of its layers in eval mode has none. Nor has its fused product on a CPU: torch would take the slices
    one after the other, and warn of it.
    """
    with without_fast_path(), sdpa_kernel(SDPBackend.MATH) if device.type == "cpu" else nullcontext():
        yield
