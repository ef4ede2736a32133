"""Steps replayed: the same numbers through rungs; what a recording cannot repeat is computed anew."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from evaluators.training.member import CohortMember, Schedule
from evaluators.training.stacking import replay, stack
from evaluators.training.stacking.replay import LEAST, WARM, Gradients
from evaluators.training.stacking.stack import Stack
from primitives.expression.parsing import parse
from tests.evaluators_tests.families import FAMILIES, Family

Recorder = Callable[[Callable[[], Gradients]], tuple[Gradients, Callable[[], None]]]
TEXTS = ("x*sigmoid(beta*x); beta=1.0:channel", "max(x,c*x); c=0.25", "tanh(x)")
COUNTS = {"replayed": 0}


def honest(function: Callable[[], Gradients]) -> tuple[Gradients, Callable[[], None]]:
    """What a graph does: computes again, from and into the same memory."""
    losses, gradients = function()
    memory = [losses.clone(), *(gradient.clone() for gradient in gradients)]

    def again() -> None:
        COUNTS["replayed"] += 1
        first, others = function()
        for kept, new in zip(memory, (first, *others), strict=True):
            kept.copy_(new)

    return (memory[0], memory[1:]), again


def stale(function: Callable[[], Gradients]) -> tuple[Gradients, Callable[[], None]]:
    """The host brought the examples: the graph has those of its step for ever."""
    return function(), lambda: None


def refused(function: Callable[[], Gradients]) -> tuple[Gradients, Callable[[], None]]:
    function()
    raise RuntimeError("operation not permitted when stream is capturing")


def trained(family: str, **options: object) -> list[Tensor]:
    """Losses in two rungs, the validation losses, and all tensors."""
    members = [CohortMember(parse(text), (1, 2)) for text in TEXTS]
    chosen = Stack(Family(family, **options), "search", members, Schedule(60, (), (3e-3,)))
    first = chosen.advance(LEAST + 5)
    chosen.keep([0, 2])
    more = chosen.advance(60)
    return [first, more, chosen.loss("validation"), *chosen.tensors, *chosen.fixed.values()]


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> Callable[[Recorder], None]:
    """Replay, as on a GPU, with some recorder."""

    def put(recorder: Recorder) -> None:
        COUNTS.update(replayed=0)
        monkeypatch.setattr(stack, "repeats", lambda x: True)
        monkeypatch.setattr(replay, "recorded", recorder)

    return put


OPTIONS: dict[str, dict[str, object]] = {
    "mlp": {},
    "mlp-norm": {"accumulate": 2, "clip": 0.1},
    "cnn": {"optimiser": "sgd", "schedule": "cosine"},
}


@pytest.mark.parametrize("family", OPTIONS)
@pytest.mark.parametrize("recorder", [honest, stale, refused])
def test_the_same_bits(family: str, recorder: Recorder, on: Callable[[Recorder], None]) -> None:
    expected = trained(family, **OPTIONS[family])
    on(recorder)
    found = trained(family, **OPTIONS[family])
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
    assert COUNTS["replayed"] == (60 - 2 * WARM if recorder is honest else 0)


def test_buffers_change_once_a_step(on: Callable[[Recorder], None], monkeypatch: pytest.MonkeyPatch) -> None:
    def network() -> nn.Module:
        return nn.Sequential(nn.Linear(12, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 5))

    monkeypatch.setitem(FAMILIES, "batch-norm", (network, (12,)))
    expected = trained("batch-norm")
    on(honest)
    found = trained("batch-norm")
    assert COUNTS["replayed"] == 60 - 2 * WARM
    assert len(found) == len(expected) > 8
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_dropout_draws_on_the_host_and_is_not_replayed(
    on: Callable[[Recorder], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def network() -> nn.Module:
        return nn.Sequential(nn.Linear(12, 8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 5))

    monkeypatch.setitem(FAMILIES, "dropout", (network, (12,)))
    expected = trained("dropout")
    on(honest)
    found = trained("dropout")
    assert COUNTS["replayed"] == 0
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_short_rungs_are_not_recorded(on: Callable[[Recorder], None]) -> None:
    on(honest)
    chosen = Stack(Family("mlp"), "search", [CohortMember(parse("tanh(x)"), (1,))], Schedule(60, (), (3e-3,)))
    for steps in range(LEAST - 1, 60, LEAST - 1):
        chosen.advance(steps)
    assert COUNTS["replayed"] == 0


def test_a_slice_that_explodes_hides_no_difference() -> None:
    rows = torch.tensor([[1e30], [1.0], [torch.nan]])
    other = rows * torch.tensor([[1.0], [1.1], [1.0]])
    assert replay._alike((torch.ones(3), [rows]), (torch.ones(3), [rows * (1 + 1e-6)]))
    assert not replay._alike((torch.ones(3), [rows]), (torch.ones(3), [other]))
