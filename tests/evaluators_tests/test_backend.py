"""Devices and types: nothing is made on a device by default, and autocast lowers the network alone."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from evaluators.machine.backend import CPU, Backend
from evaluators.training.member import CohortMember, Schedule
from evaluators.training.plain import PlainModel
from evaluators.training.stacking.stack import Stack
from primitives.expression.parsing import parse
from tests.evaluators_tests.families import FAMILIES, Family

MIXED = Backend(autocast=torch.bfloat16)
TEXTS = ("x*sigmoid(beta*x); beta=1.0:channel", "max(x,c*x); c=0.25", "sin(x)+x")
EVERYTHING = {"optimiser": "sgd", "schedule": "cosine", "clip": 0.5}


def stack(family: Family, backend: Backend) -> Stack:
    members = [CohortMember(parse(text), (1, 2)) for text in TEXTS]
    return Stack(family, "search", members, Schedule(6, (), (1e-3, 3e-3)), backend=backend)


def results(family: Family) -> list[Tensor]:
    """What a stack that shrinks and a plain model compute, on a device that is named."""
    trained = stack(family, CPU)
    first = trained.advance(3)
    trained.keep([0, 2])
    model = PlainModel(family, "search", parse(TEXTS[0]), seed=1, rate=1e-3, steps=6)
    plain = torch.tensor(model.advance(6), device="cpu")
    return [first, trained.advance(6), trained.loss("validation"), *trained.tensors, plain]


@pytest.mark.parametrize(("family", "settings"), [("mlp", {}), *((family, EVERYTHING) for family in FAMILIES)])
def test_every_tensor_is_made_on_a_named_device(family: str, settings: dict[str, object]) -> None:
    """With "meta", where nothing can be computed, as torch's default device, all results are the same."""
    chosen = Family(family, **settings)
    expected = results(chosen)
    with torch.device("meta"):
        found = results(chosen)
    assert all(torch.equal(own, other) for own, other in zip(found, expected, strict=True))


@pytest.mark.parametrize("family", FAMILIES)
def test_autocast_is_close_and_lowers_the_network_alone(family: str) -> None:
    exact, mixed = stack(Family(family), CPU), stack(Family(family), MIXED)
    losses, lowered = exact.advance(6), mixed.advance(6)
    assert all(tensor.dtype == torch.float32 for tensor in (lowered, *mixed.tensors))
    assert torch.equal(losses, lowered) == (family == "kan")  # it has no product of matrices, which alone are lowered
    torch.testing.assert_close(lowered, losses, rtol=0.1, atol=0.05)
    model = PlainModel(Family(family), "search", parse(TEXTS[0]), seed=1, rate=1e-3, steps=6, backend=MIXED)
    torch.testing.assert_close(torch.tensor(model.advance(6)), lowered[:, 0], rtol=0.1, atol=0.05)


@pytest.mark.parametrize("family", ["mlp", "cnn", "transformer"])
def test_bits_under_autocast(family: str) -> None:
    whole = stack(Family(family), MIXED)
    part = stack(Family(family), MIXED)
    part.keep([1])
    assert torch.equal(part.advance(6), whole.advance(6)[:, 4:8])


def test_place_leaves_whole_numbers_alone() -> None:
    backend = Backend(dtype=torch.float64)
    assert backend.place(torch.zeros(2)).dtype == torch.float64
    assert backend.place(torch.zeros(2, dtype=torch.int64)).dtype == torch.int64
