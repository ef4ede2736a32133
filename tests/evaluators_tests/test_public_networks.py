"""Networks of public packages, unchanged: found, stacked or not, and equal to a plain loop.

Each test is skipped where the network's package is missing. The stack and the single models are compared in
``test_own_networks.py``'s way; the loop knows nothing of the project but how examples are divided.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evaluators.machine.backend import Backend
from evaluators.places.survey import find_sites
from evaluators.seeds import derive
from evaluators.tasks.base import batches, split
from evaluators.tasks.examples import examples_of
from evaluators.tasks.tryout import try_out
from evaluators.training.calling import call
from evaluators.training.member import CohortMember, Schedule
from evaluators.training.models import Models
from evaluators.training.plain import PlainModel
from evaluators.training.singles import Singles
from evaluators.training.stacking.stack import Stack
from evaluators.training.stacking.stackable import unstackable
from primitives.expression.parsing import parse
from tests.evaluators_tests.public_tasks import LOSSES, NETWORKS, Public, public_task

#: torch_geometric and x-transformers compile with torch.jit when they are imported; torch says that it is old.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")]

#: Whose activations are modules; a loop by hand can put another one in the place of those alone.
MODULES = [kind for kind, public in NETWORKS.items() if not any("#" in place for place in public.places)]
SEEDS, RATE = (1, 2), 1e-3
SILU = "x*sigmoid(x)"


@pytest.fixture
def kind(request: pytest.FixtureRequest) -> str:
    """The name of a network whose package is there."""
    name: str = request.param
    if package := NETWORKS[name].package:
        try:
            pytest.importorskip(package)
        except RuntimeError as error:  # timm's, where torch has no CUDA and torchvision has
            pytest.skip(f"{package}: {error}")
    return name


every = pytest.mark.parametrize("kind", NETWORKS, indirect=True)
with_modules = pytest.mark.parametrize("kind", MODULES, indirect=True)


@every
def test_its_places_are_found(kind: str) -> None:
    task = public_task(kind)
    sites = find_sites(task.network(), task, examples_of(task, "search").rows(slice(32)).inputs)
    assert tuple(site.path for site in sites) == NETWORKS[kind].places


@every
def test_it_is_stacked_or_it_is_said_why_not(kind: str) -> None:
    task, alone = public_task(kind), NETWORKS[kind].alone
    notes = try_out(task)
    said = [note for note in notes if "cannot be stacked" in note]
    assert bool(alone) == bool(unstackable(task)) == bool(said)
    assert all(alone in note for note in said)


def built(kind: str, texts: list[str | None], steps: int, made: type[Models] | None = None) -> Models:
    """A model each seed, of each function; None is the network as it stands."""
    task = public_task(kind)
    members = [CohortMember(parse(text) if text else None, SEEDS) for text in texts]
    made = made or (Singles if unstackable(task) else Stack)
    return made(task, "search", members, Schedule(steps, (), (RATE,)), backend=Backend(dtype=_dtype(kind)))


def _dtype(kind: str) -> torch.dtype:
    return torch.float32 if NETWORKS[kind].single else torch.float64


def _steps(kind: str) -> int:
    return 10 if NETWORKS[kind].single else 20


def _close(kind: str, found: Tensor, expected: Any) -> None:
    tolerance = 1e-4 if NETWORKS[kind].single else 1e-9
    torch.testing.assert_close(found.tolist(), expected, rtol=tolerance, atol=tolerance**2)


class Silu(nn.Module):
    """By hand."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(x)


def loop(kind: str, seed: int, change: Callable[[nn.Module, Public], None] | None = None) -> tuple[list[float], float]:
    """Losses of the steps, and on the validation examples in eval mode, by a loop in plain torch."""
    task, public, dtype = public_task(kind), NETWORKS[kind], _dtype(kind)
    inputs, targets = task.data("search")
    torch.manual_seed(derive(seed, "modules"))
    network = task.network()
    if change:
        change(network, public)
    network.to(dtype)
    optimiser = torch.optim.Adam(network.parameters(), RATE)

    def loss(index: Tensor) -> Tensor:
        output, target = call(network, _rows(inputs, index, dtype)), _rows(targets, index, dtype)
        if public.kind != "labels":
            return LOSSES[public.kind](output, target).mean()
        first = output[0] if isinstance(output, tuple) else output
        logits: Tensor = output.logits if hasattr(output, "logits") else first
        return F.cross_entropy(logits.flatten(0, -2), target.flatten())

    parts, losses = split(len(targets), "search", seed), []
    for index in batches(parts.train, _steps(kind), task.batch_size, seed):
        optimiser.zero_grad()
        value = loss(index)
        value.backward()
        optimiser.step()
        losses.append(value.item())
    network.eval()
    with torch.no_grad(), without_fast_path():
        return losses, loss(parts.validation).item()


@contextmanager
def without_fast_path() -> Iterator[None]:
    """torch's encoder notes that it was made with a GELU, and in eval mode computes that whatever stands there."""
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(True)


def _rows(inputs: Any, index: Tensor, dtype: torch.dtype) -> Any:
    if isinstance(inputs, dict):
        return {name: part[index] for name, part in inputs.items()}
    return inputs[index].to(dtype) if inputs.is_floating_point() else inputs[index]


def check_against_a_loop(kind: str, text: str | None, change: Callable[[nn.Module, Public], None] | None) -> None:
    steps = _steps(kind)
    models = built(kind, [text], steps)
    losses, validation = models.advance(steps), models.loss("validation")
    for row, seed in enumerate(SEEDS):
        expected, last = loop(kind, seed, change)
        _close(kind, losses[:, row], expected)
        _close(kind, validation[row], last)


@every
@pytest.mark.parametrize("standing", [True, False], ids=["as it stands", "its own function"])
def test_losses_equal_those_of_a_plain_loop_with_the_network_unchanged(kind: str, standing: bool) -> None:
    check_against_a_loop(kind, None if standing else NETWORKS[kind].own, None)


@with_modules
def test_losses_equal_those_of_a_plain_loop_with_another_function(kind: str) -> None:
    def put(network: nn.Module, public: Public) -> None:
        for place in public.places:
            parent, _, attribute = place.rpartition(".")
            setattr(network.get_submodule(parent), attribute, Silu())

    check_against_a_loop(kind, SILU, put)


@every
def test_a_stack_equals_one_model_at_a_time(kind: str) -> None:
    if NETWORKS[kind].alone:
        pytest.skip("no stack can hold it")
    stack, singles = (built(kind, [SILU, "tanh(x)"], _steps(kind), made) for made in (Stack, Singles))
    _close(kind, stack.advance(_steps(kind)), singles.advance(_steps(kind)).tolist())
    _close(kind, stack.loss("validation"), singles.loss("validation").tolist())


@every
def test_the_candidate_stands_there_in_train_and_in_eval_mode(kind: str) -> None:
    """None of them draws anything, so the losses are the same; torch's encoder has another way for eval mode."""
    task, backend = public_task(kind), Backend(dtype=_dtype(kind))
    model = PlainModel(task, "search", parse(SILU), seed=1, rate=RATE, steps=1, backend=backend)
    if any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in model.network.modules()):
        pytest.skip("batch norm")
    with torch.no_grad():
        evaluated = model.losses(model.split.validation)
        model.network.train()
        _close(kind, model.losses(model.split.validation), evaluated.tolist())
