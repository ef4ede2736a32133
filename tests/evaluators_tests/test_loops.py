"""A user's own loop that does what the stack does has the stack's outcomes; it is stopped, and random by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from evaluators import LoopTask, Task, split
from evaluators.cohort import CohortRequest
from evaluators.errors import TaskError
from evaluators.machine.backend import Backend
from evaluators.machine.width import probe_width
from evaluators.results.reasons import Reason
from evaluators.tasks.base import Part, batches
from evaluators.training.initialisation import normalised
from evaluators.training.member import CohortMember, Outcome, Schedule
from evaluators.training.train import train
from primitives.expression.parsing import parse
from tests.plain import ran

RUNG_STEPS = (4, 8, 20)
RATES = (1e-3, 1e-2)
DOUBLE = Backend(dtype=torch.float64)
MEMBERS = [
    CohortMember(parse(text), (1, 2), protected=n == 0)
    for n, text in enumerate(["relu(x)", "x*sigmoid(beta*x); beta=1.0:channel", "exp(exp(x))", "gelu(x)"])
]


class Stacked(Task):
    """A small regression."""

    name = "stacked"
    batch_size = 32
    learning_rates = RATES

    def network(self) -> nn.Module:
        return nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 1))

    def data(self, part: str) -> tuple[Tensor, Tensor]:
        x = torch.randn(160, 3, generator=torch.Generator().manual_seed(len(part)))
        return x, x.prod(dim=1, keepdim=True).sin()

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return (output - target).square().mean(dim=1)


class Looped(LoopTask):
    """The same by a loop of its own; counts the steps that it takes."""

    name = "looped"
    learning_rates = RATES
    steps_taken = 0

    def network(self) -> nn.Module:
        return Stacked().network()

    def data(self, part: str) -> tuple[Tensor, Tensor]:
        return Stacked().data(part)

    def fit(self, network: nn.Module, part: Part, seed: int, rate: float, rung_steps: Sequence[int]) -> Iterator[float]:
        x, y = (tensor.to(next(network.parameters()).dtype) for tensor in self.data(part))
        examples = split(len(x), part, seed)
        order = batches(examples.train, rung_steps[-1], 32, seed)
        optimiser = torch.optim.Adam(network.parameters(), lr=rate)
        for step, index in enumerate(order, start=1):
            self.steps_taken += 1
            optimiser.zero_grad()
            (network(x[index]) - y[index]).square().mean().backward()
            optimiser.step()
            if step in rung_steps:
                yield (network(x[examples.validation]) - y[examples.validation]).square().mean().item()
        if part == "confirmation":
            yield (network(x[examples.test]) - y[examples.test]).square().mean().item()


def outcomes(task: Task, part: Part = "search", members: Sequence[CohortMember] = MEMBERS) -> list[Outcome]:
    return train(task, part, members, Schedule(RUNG_STEPS[-1], RUNG_STEPS[:-1], RATES), backend=DOUBLE)


@pytest.mark.parametrize("part", ["search", "confirmation"])
def test_outcomes_equal_the_stacks(part: Part) -> None:
    for own, stacked in zip(outcomes(Looped(), part), outcomes(Stacked(), part), strict=True):
        assert own.reason == stacked.reason
        assert list(own.losses) == list(stacked.losses)
        for step in own.losses:
            assert own.at(step) == pytest.approx(stacked.at(step), abs=1e-9, nan_ok=True)
        if part == "confirmation":
            assert torch.tensor(own.tests) == pytest.approx(torch.tensor(stacked.tests), abs=1e-9, nan_ok=True)


def test_a_rejected_candidate_is_not_trained_on() -> None:
    looped = Looped()
    found = outcomes(looped)
    assert [outcome.reason for outcome in found] == [None, None, Reason.DIVERGED, None]
    assert looped.steps_taken == 4 * (3 * RUNG_STEPS[-1] + RUNG_STEPS[0])


def test_controls_and_nulls_of_a_cohort_go_through_the_loop() -> None:
    request = CohortRequest(("x*atan(x)", "relu(x)"), ("looped",), 3, 2, 8, (4,))
    found, again = (ran(request, lambda _: Looped()) for _ in range(2))
    assert found["candidates"][1] == found["controls"]["relu"]
    assert len(found["nulls"]) == 4
    assert all(found[group] == again[group] for group in ("candidates", "controls", "nulls"))


class Noisy(Looped):
    """Torch's global random numbers decide, and foreign modules are welcome."""

    def network(self) -> nn.Module:
        return nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 1))


def test_random_numbers_do_not_depend_on_company() -> None:
    state = torch.random.get_rng_state()
    together, alone = outcomes(Noisy()), outcomes(Noisy(), members=[MEMBERS[0], MEMBERS[3]])
    assert torch.equal(torch.random.get_rng_state(), state)
    assert together[3].losses == alone[1].losses
    other = outcomes(Noisy(), members=[CohortMember(MEMBERS[0].expression, (3,), protected=True)])
    assert other[0].losses != together[0].losses


class Failing(Looped):
    """The loop ends, or raises, for some functions."""

    def __init__(self, control: bool) -> None:
        self.control = control

    def fit(self, network: nn.Module, *rest: Any) -> Iterator[float]:
        relu = network[1].expression == normalised(parse("relu(x)"))  # type: ignore[index]
        if relu == self.control:
            return
        yield from super().fit(network, *rest)


def test_a_loop_that_ends_early() -> None:
    with pytest.raises(TaskError, match=r"task 'looped': its loop fit\(\) ended before it yielded the loss at step 4"):
        outcomes(Failing(control=True))
    found = outcomes(Failing(control=False))
    assert [outcome.reason for outcome in found] == [None, Reason.RAISED, Reason.RAISED, Reason.RAISED]
    assert ["ended before" in outcome.error for outcome in found] == [False, True, True, True]


def test_there_is_no_stack_to_measure() -> None:
    assert probe_width(Looped(), widths=(66, 12)) == 12


class Watched(Looped):
    """Notes the type of each layer's outputs, and the loss of each step."""

    def __init__(self) -> None:
        self.types: set[torch.dtype] = set()

    def fit(self, network: nn.Module, *rest: Any) -> Iterator[float]:
        for module in network.modules():
            if isinstance(module, nn.Linear):
                module.register_forward_hook(lambda _, inputs, output: self.types.add(output.dtype))
        yield from super().fit(network, *rest)


class ByHand(Looped):
    """Autocast around each call of the network alone, as torch advises, with its cache."""

    def fit(self, network: nn.Module, *rest: Any) -> Iterator[float]:
        def forward(x: Tensor, own: Any = network.forward) -> Tensor:
            with torch.autocast("cpu", torch.bfloat16, cache_enabled=True):
                result: Tensor = own(x)
            return result.float()

        network.forward = forward
        yield from super().fit(network, *rest)


class Holding(Watched):
    """Holds an autocast context of its own over its yields."""

    def fit(self, *arguments: Any) -> Iterator[float]:
        with torch.autocast("cpu", torch.bfloat16, enabled=False):
            yield from super().fit(*arguments)


MIXED = Backend(autocast=torch.bfloat16)


def lowered(task: Task, backend: Backend, texts: Sequence[int] = (0, 1, 2)) -> list[Outcome]:
    schedule = Schedule(RUNG_STEPS[-1], RUNG_STEPS[:-1], RATES)
    found = train(task, "search", [MEMBERS[n] for n in texts], schedule, backend=backend)
    assert not torch.is_autocast_enabled("cpu")
    assert torch.is_autocast_cache_enabled()
    return found


def test_autocast_holds_in_the_loop_and_not_outside() -> None:
    """Every step sees the weights of the step before: losses are those of autocast around each call."""
    watched = Watched()
    found, expected, full = lowered(watched, MIXED), lowered(ByHand(), Backend()), lowered(Looped(), Backend())
    assert watched.types == {torch.bfloat16}
    for own, other, exact in zip(found, expected, full, strict=True):
        assert own.reason == other.reason
        for step in own.losses:
            assert own.at(step) == pytest.approx(other.at(step), rel=1e-3, nan_ok=True)
        assert own.losses[RUNG_STEPS[0]] != exact.losses[RUNG_STEPS[0]]


@pytest.mark.parametrize("backend", [MIXED, Backend()], ids=["autocast", "none"])
def test_a_loops_own_autocast_holds_over_its_yields(backend: Backend) -> None:
    holding = Holding()
    found, expected = lowered(holding, backend, (0, 1)), lowered(Looped(), Backend(), (0, 1))
    assert holding.types == {torch.float32}
    assert [outcome.losses for outcome in found] == [outcome.losses for outcome in expected]


class OneLayer(Looped):
    """Yields how much doubled weights change the outputs of a layer that is called by itself."""

    def fit(self, network: nn.Module, part: str, seed: int, rate: float, marks: Sequence[int]) -> Iterator[float]:
        layer, x = network[0], self.data(part)[0]  # type: ignore[index]
        for _ in marks:
            before = layer(x)
            with torch.no_grad():
                layer.weight.mul_(2.0)
            yield (layer(x) - before).abs().mean().item()


def test_no_cast_of_weights_outlives_a_step() -> None:
    (found,) = lowered(OneLayer(), MIXED, (0,))
    assert all(loss > 0.1 for mark in found.losses for row in found.at(mark) for loss in row)
