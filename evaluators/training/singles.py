"""Models that are trained one at a time: for networks that no stack can hold."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from copy import copy
from operator import itemgetter
from typing import Any, Self

import torch
from torch import Tensor, nn

from evaluators.machine.backend import CPU, Backend
from evaluators.tasks.base import HeldOut, Inputs, Part, Task
from evaluators.tasks.examples import joined, mapped
from evaluators.training.checkpoints.states import ModelsState, SinglesState
from evaluators.training.member import CohortMember, Schedule
from evaluators.training.models import Models
from evaluators.training.plain import PlainModel
from evaluators.training.stacking.activation_slot import After
from primitives.layers.expression_layer import ExpressionLayer


class Singles(Models):
    """Members x seeds x learning rates, a :class:`PlainModel` each; see :class:`evaluators.training.models.Models`."""

    def __init__(
        self, task: Task, part: Part, members: Sequence[CohortMember], schedule: Schedule, *, backend: Backend = CPU
    ) -> None:
        super().__init__(task, part, members, schedule, backend=backend)
        self.models = [
            PlainModel(
                task,
                part,
                m.expression,
                seed=seed,
                rate=rate,
                steps=schedule.steps,
                backend=backend,
                examples=self.examples,
            )
            for m in members
            for seed in m.seeds
            for rate in schedule.rates
        ]

    def advance(self, steps: int) -> Tensor:
        losses = [model.advance(steps) for model in self.models]
        self.step = steps
        return torch.tensor(losses, dtype=self.backend.dtype, device=self.seed.device).T

    def outputs(self, inputs: Inputs) -> Any:
        rows = [model.output(mapped(itemgetter(row), inputs)) for row, model in enumerate(self.models)]
        return joined([mapped(lambda tensor: tensor[None], row) for row in rows])

    def loss(self, kind: HeldOut) -> Tensor:
        losses = [model.loss(kind) for model in self.models]
        return torch.tensor(losses, dtype=torch.float64, device=self.seed.device)

    def metric(self, kind: HeldOut) -> Tensor:
        values = [model.metric(kind) for model in self.models]
        return torch.tensor(values, dtype=torch.float64, device=self.seed.device)

    def readings(self, kind: HeldOut) -> list[dict[str, float]]:
        return [model.readings(kind) for model in self.models]

    def keep(self, chosen: Sequence[int], rates: Sequence[tuple[int, ...]] | None = None) -> None:
        slices = self._kept(chosen, [self.rates[i] for i in chosen] if rates is None else rates)
        self.models = [self.models[i] for i in slices.tolist()]

    def saved(self) -> ModelsState:
        tensors = tuple({name: t.detach().cpu() for name, t in model.tensors().items()} for model in self.models)
        return SinglesState(self.step, tensors, tuple(_state(model.optimiser) for model in self.models))

    def restore(self, saved: ModelsState) -> None:
        assert isinstance(saved, SinglesState)
        for model, tensors, optimiser in zip(self.models, saved.tensors, saved.optimisers, strict=True):
            model.restore(saved.step, tensors, optimiser)
        self.step = saved.step

    @contextmanager
    def alone(self, position: int, rate: int) -> Iterator[Self]:
        view = copy(self)
        view.keep([position], [(rate,)])
        yield view

    @contextmanager
    def altered(self, after: After) -> Iterator[None]:
        def hook(module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> Tensor:
            return after(args[0][None], output[None])[0]

        with ExitStack() as hooks:
            for model in self.models:
                for activation in model.activations:
                    hooks.callback(activation.register_forward_hook(hook).remove)
            yield

    def learned(self) -> list[dict[str, Tensor]]:
        if self.members[0].expression is None:
            return []
        places = zip(*(model.activations for model in self.models), strict=True)
        return [_stacked_values(layers) for layers in places]

    @contextmanager
    def inputs_of(self, paths: Collection[str]) -> Iterator[dict[str, list[Tensor]]]:
        found: dict[str, list[Tensor]] = {path: [] for path in paths}
        (model,) = self.models
        with ExitStack() as hooks:
            for path, into in found.items():
                module = model.network.get_submodule(path)
                hook = module.register_forward_pre_hook(lambda _, args, into=into: into.append(args[0][None]))
                hooks.callback(hook.remove)
            yield found

    def weight(self, name: str) -> Tensor:
        (model,) = self.models
        return model.network.get_parameter(name)[None]

    def parts(self) -> Sequence[Models]:
        return [self._one(row) for row in range(len(self.models))]

    def _one(self, row: int) -> Singles:
        view = copy(self)
        view.models, view.seed = [self.models[row]], self.seed[row : row + 1]
        return view

    @contextmanager
    def lowered(self, dtype: torch.dtype) -> Iterator[None]:
        with ExitStack() as hooks:
            for activation in (each for model in self.models for each in model.activations):
                hooks.enter_context(computed_in(dtype, activation))
            yield


@contextmanager
def computed_in(dtype: torch.dtype, activation: nn.Module) -> Iterator[None]:
    """A context in which an activation is computed in a type; one that is no candidate of ours, of rounded inputs."""

    types: list[torch.dtype] = []

    def before(module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        types.append(args[0].dtype)
        lowered = tuple(each.to(dtype) for each in args)
        return lowered if isinstance(module, ExpressionLayer) else tuple(each.to(types[-1]) for each in lowered)

    def behind(module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> Tensor:
        return output.to(dtype).to(types.pop())

    with ExitStack() as hooks:
        hooks.callback(activation.register_forward_pre_hook(before).remove)
        hooks.callback(activation.register_forward_hook(behind).remove)
        yield


def _state(optimiser: torch.optim.Optimizer) -> dict[int, dict[str, Tensor]]:
    """The optimiser's state, on the CPU, by the parameter's number and the name there."""
    state = optimiser.state_dict()["state"]
    return {
        number: {name: value.cpu() for name, value in of_parameter.items() if isinstance(value, Tensor)}
        for number, of_parameter in state.items()
    }


def _stacked_values(layers: Sequence[nn.Module]) -> dict[str, Tensor]:
    """The parameters of one place's layers, a row each, by name."""
    named = [dict(layer.named_parameters()) for layer in layers]
    return {name: torch.stack([each[name].detach() for each in named]) for name in named[0]}
