"""Private training: gradients of each example, clipped, with noise of the seed, in a stack as one model at a time."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from evaluators.errors import TaskError
from evaluators.machine.backend import CPU, Backend
from evaluators.privacy.noise import standard_noise
from evaluators.privacy.sampling import EMPTY, poisson_batches
from evaluators.privacy.settings import Privacy
from evaluators.tasks.base import BLOCK
from evaluators.training.chains.choice import not_native
from evaluators.training.member import CohortMember, Schedule
from evaluators.training.plain import PlainModel
from evaluators.training.stacking.stack import Stack
from primitives.expression.parsing import parse
from tests.evaluators_tests.families import FAMILIES, Family

DOUBLE = Backend(dtype=torch.float64)
SWISH, LEAKY, ONE = "x*sigmoid(beta*x); beta=1.0:channel", "max(x,c*x); c=0.25", "tanh(a*x); a=1.2:network"
#: In batches of statistics an example is not by itself.
QUICK = ("mlp", "cnn-norm")
APART = [name for name in FAMILIES if not name.startswith("resnet") and name not in QUICK]


class Private(Family):
    """A family that trains privately."""

    def __init__(self, family: str, clip: float = 0.3, noise: float = 0.7, **settings: object) -> None:
        super().__init__(family, **settings)
        self.own = Privacy(clip, noise, 0.4)

    def privacy(self, steps: int) -> Privacy | None:
        return self.own


class WithDropout(Private):
    """A perceptron that drops inputs."""

    def network(self) -> nn.Module:
        return nn.Sequential(nn.Dropout(0.4), super().network())


def stack_of(chosen: Family, members: list[CohortMember], steps: int, backend: Backend = DOUBLE) -> Stack:
    return Stack(chosen, "search", members, Schedule(steps, (), chosen.learning_rates[:1]), backend=backend)


def check(chosen: Private, steps: int) -> None:
    """Training losses, and validation losses at the end, of a stack and of its models one by one."""
    members = [CohortMember(parse(text), seeds) for text, seeds in ((SWISH, (1, 2)), (LEAKY, (2,)), (ONE, (3,)))]
    trained = stack_of(chosen, members, steps)
    models = [
        PlainModel(
            chosen, "search", m.expression, seed=seed, rate=chosen.learning_rates[0], steps=steps, backend=DOUBLE
        )
        for m in members
        for seed in m.seeds
    ]
    alone = torch.tensor([model.advance(steps) for model in models], dtype=torch.float64).T
    torch.testing.assert_close(trained.advance(steps).double(), alone, rtol=0, atol=1e-9)
    last = torch.tensor([model.loss("validation") for model in models], dtype=torch.float64)
    torch.testing.assert_close(trained.loss("validation").double(), last, rtol=0, atol=1e-9)


@pytest.mark.parametrize("settings", [{}, {"optimiser": "sgd", "schedule": "cosine", "clip": 0.2}], ids=["adam", "sgd"])
@pytest.mark.parametrize("family", QUICK)
def test_a_stack_is_one_model_at_a_time(family: str, settings: dict[str, object]) -> None:
    chosen = Private(family)
    for name, value in settings.items():
        setattr(chosen, name, value)
    check(chosen, 3)


@pytest.mark.slow
@pytest.mark.parametrize("family", APART)
def test_of_each_family_a_stack_is_one_model_at_a_time(family: str) -> None:
    check(Private(family), 3)


def test_dropout_has_one_mask_a_step() -> None:
    check(WithDropout("mlp"), 3)


def gradients_of(chosen: Private, text: str = SWISH, seeds: tuple[int, ...] = (0,)) -> tuple[Stack, list[torch.Tensor]]:
    trained = stack_of(chosen, [CohortMember(parse(text), seeds)], 3)
    index = trained.orders.transpose(0, 1)[:1, trained.seed]
    for tensor in trained.state.values():
        tensor.requires_grad_()
    return trained, list(trained._private_gradients(0, index)[1])


def norm(gradients: list[torch.Tensor]) -> float:
    return float(torch.cat([gradient.flatten() for gradient in gradients]).norm())


@pytest.mark.parametrize("clip", [1e-3, 0.05])
def test_one_example_moves_the_gradient_by_at_most_the_clip(clip: float) -> None:
    """The bound that epsilon rests on: the sum with an example less the sum without it."""
    trained = stack_of(chosen := Private("mlp", clip, 0.0), [CohortMember(parse(SWISH), (0,))], 3)
    index = trained.orders.transpose(0, 1)[:1, trained.seed]
    taken = int((index >= 0).sum())
    assert 2 < taken < index.shape[-1]
    expected = chosen.own.sampling * len(trained.splits.train[0])
    whole = [gradient * expected for gradient in trained._private_gradients(0, index)[1]]
    for place in range(taken):
        without = index.clone()
        without[..., place] = EMPTY
        rest = [gradient * expected for gradient in trained._private_gradients(0, without)[1]]
        apart = norm([a - b for a, b in zip(whole, rest, strict=True)])
        assert 0.9 * clip < apart < clip * (1 + 1e-9)  # all are clipped, and none is above
    assert norm(whole) <= taken * clip


def test_without_clip_and_noise_it_is_the_ordinary_gradient() -> None:
    trained, (first, *_) = gradients_of(Private("mlp", 1e6, 0.0))
    (index,) = trained.orders[:, 0]
    taken = index[index >= 0]
    weights = [tensor.requires_grad_() for tensor in trained.state.values()]
    trained.network.train()
    total = trained.losses(taken[None]).sum() / (0.4 * len(trained.splits.train[0]))
    torch.testing.assert_close(first, torch.autograd.grad(total, weights[:1])[0], rtol=1e-9, atol=1e-12)


def test_noise_is_of_the_seed_and_the_step_and_has_the_size_that_was_asked_for() -> None:
    chosen = Private("mlp", 0.05, 4.0)
    (trained, noisy), (_, exact) = (
        gradients_of(chosen, seeds=(0, 1)),
        gradients_of(Private("mlp", 0.05, 0.0), seeds=(0, 1)),
    )
    expected = chosen.own.sampling * len(trained.splits.train[0])
    noise = [(a - b) * expected / (0.05 * 4.0) for a, b in zip(noisy, exact, strict=True)]
    for name, rows in zip(trained.state, noise, strict=False):
        for seed, row in enumerate(rows):
            torch.testing.assert_close(row, standard_noise(seed, 0, name, row.shape).double(), rtol=0, atol=1e-6)
        assert not torch.equal(rows[0], rows[1])
    values = torch.cat([each.flatten() for each in noise])
    assert values.std().item() == pytest.approx(1, abs=5 / len(values) ** 0.5)
    other = gradients_of(chosen, "relu(x)", seeds=(0, 1))[1]
    bare = gradients_of(Private("mlp", 0.05, 0.0), "relu(x)", seeds=(0, 1))[1]
    for mine, a, b in zip(noise, other, bare, strict=False):
        torch.testing.assert_close((a - b) * expected / (0.05 * 4.0), mine, rtol=0, atol=1e-9)  # paired
    assert not torch.equal(standard_noise(0, 0, "w", (3,)), standard_noise(0, 1, "w", (3,)))


def test_each_example_is_in_a_batch_with_the_probability_that_was_asked_for() -> None:
    train = torch.randperm(500)[:400]
    table = poisson_batches(train, 2000, 0.1, 3, BLOCK)
    assert table.shape[1] % BLOCK == 0 and torch.equal(table, poisson_batches(train, 2000, 0.1, 3, BLOCK))
    counts = (table >= 0).sum(dim=1)
    assert counts.double().mean().item() == pytest.approx(40, abs=4 * 6 / 2000**0.5)
    assert counts.double().std().item() == pytest.approx(6, abs=0.5)  # a batch of one size has none
    times = torch.bincount(table[table >= 0], minlength=500)
    assert not times[[n for n in range(500) if n not in train]].any()
    assert times[train].min() > 130 and times[train].max() < 270  # 200, five deviations
    assert ((table == EMPTY).int().diff(dim=1) >= 0).all()  # examples first
    assert poisson_batches(train, 5, 1.0, 0, BLOCK).shape == (5, 416)


@pytest.mark.parametrize("others", [(0, 3), (5, 2), (20, 17)])
def test_no_bit_depends_on_the_company(others: tuple[int, int]) -> None:
    def losses(before: int, after: int) -> torch.Tensor:
        members = [
            *([CohortMember(parse("tanh(x)"), tuple(range(before)))] if before else []),
            CohortMember(parse(SWISH), (5, 6)),
            *([CohortMember(parse("relu(x)"), tuple(range(after)))] if after else []),
        ]
        trained = stack_of(Private("mlp"), members, 5, CPU)
        return torch.cat([trained.advance(5), trained.loss("validation")[None]])[:, before : before + 2]

    assert torch.equal(losses(0, 0), losses(*others))


def test_what_cannot_be_private_is_refused() -> None:
    with pytest.raises(TaskError, match=r"takes each example by itself, but .* is a BatchNorm2d"):
        stack_of(Private("resnet"), [CohortMember(parse("relu(x)"), (0,))], 3)
    with pytest.raises(TaskError, match="privacy: clip: expected a positive number, got 0"):
        stack_of(Private("mlp", 0.0), [CohortMember(parse("relu(x)"), (0,))], 3)
    with pytest.raises(TaskError, match="accumulate: expected 1, got 2"):
        stack_of(Private("mlp", accumulate=2), [CohortMember(parse("relu(x)"), (0,))], 3)
    assert "each example" in not_native(Private("mlp"), "search", parse("relu(x)"), CPU)


def test_the_settings_say_what_means_nothing() -> None:
    assert Privacy(1.0, 0.0, 1.0).fault() is None
    assert "noise" in (Privacy(1.0, -1.0, 0.1).fault() or "")
    assert "sampling" in (Privacy(1.0, 1.0, 0.0).fault() or "")
