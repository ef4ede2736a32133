"""Which of f(-x), -f(x) and -f(-x) a task takes for f: found by tracing signs, confirmed by training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from evaluators.symmetry import signs_of
from evaluators.symmetry.equations import Equations
from evaluators.tasks import task
from evaluators.tasks.base import Part, Task
from evaluators.tasks.conditions import Conditions, under
from evaluators.tasks.loop_task import LoopTask
from evaluators.tasks.optimisers import SGD, AdamW, Optimiser

ALL = ("mirrored", "negated", "point-reflected")
MIRRORED, NEGATED, REFLECTED = ((name,) for name in ALL)


class Made(Task):
    """Drawn numbers in three classes, and a network that a test brings."""

    def __init__(self, network: Callable[[], nn.Module], shape: tuple[int, ...] = (6,)) -> None:
        self.name, self._network, self._shape = "made", network, shape

    def network(self) -> nn.Module:
        return self._network()

    def data(self, part: Part) -> tuple[Tensor, Tensor]:
        generator = torch.Generator().manual_seed(int(part == "search"))
        inputs = torch.randn(96, *self._shape, generator=generator)
        return inputs, torch.randint(3, (96,), generator=generator)


class Skip(nn.Module):
    """A sum with a branch."""

    def __init__(self, *branch: nn.Module) -> None:
        super().__init__()
        self.branch = nn.Sequential(*branch)

    def forward(self, x: Tensor) -> Tensor:
        total: Tensor = x + self.branch(x)
        return total


class OfOneSign(nn.Linear):
    """Weights that begin above 0."""

    def reset_parameters(self) -> None:
        super().reset_parameters()
        with torch.no_grad():
            self.weight.abs_()


class Moved(nn.Linear):
    """Weights about a mean that is not 0."""

    def reset_parameters(self) -> None:
        super().reset_parameters()
        with torch.no_grad():
            self.weight.add_(0.1)


class Twins(nn.Module):
    """Two layers, side by side, that begin with the same weights; the place is behind one of them."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other, self.head = nn.Linear(6, 16), nn.Linear(6, 16), nn.Linear(16, 3)
        self.other.load_state_dict(self.one.state_dict())

    def forward(self, x: Tensor) -> Tensor:
        total: Tensor = self.head(F.relu(self.one(x)) + self.other(x))
        return total


class LooksAtItsWeights(nn.Module):
    """Linear as far as its operators go, but not the same for weights of the other sign."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.act, self.outer = nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        scale = 2.0 if self.inner.weight.detach().numpy().sum() > 0 else 1.0
        result: Tensor = self.outer(scale * self.act(self.inner(x)))
        return result


class Single(nn.Module):
    """It knows float32 alone."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.act, self.outer = nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        assert x.dtype == torch.float32
        result: Tensor = self.outer(self.act(self.inner(x)))
        return result


class Looped(LoopTask):
    """A loop of its own."""

    name = "looped"

    def network(self) -> nn.Module:
        return perceptron()

    def data(self, part: Part) -> tuple[Tensor, Tensor]:
        return Made(perceptron).data(part)

    def fit(self, network: nn.Module, part: Part, seed: int, rate: float, rung_steps: Sequence[int]) -> Iterator[float]:
        yield 1.0


def perceptron(*between: nn.Module, last: int = 16) -> nn.Module:
    """A layer, what a test puts behind it, a place, and a layer."""
    return nn.Sequential(nn.Linear(6, 16), *between, nn.ReLU(), nn.Linear(last, 3))


def behind_place(*behind: nn.Module, inputs: int = 16) -> nn.Module:
    return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), *behind, nn.Flatten(), nn.Linear(inputs, 3))


def images(*behind: nn.Module, inputs: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), *behind, nn.Flatten(), nn.Linear(inputs, 3)
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "held"),
    [
        ("digits", ALL), ("digits-10x16", ALL), ("digits-cnn", ALL), ("image-inr", ALL), ("image-denoise", ALL),
        ("bytes-lm", ALL), ("tabular-diabetes", ALL), ("mnist1d-mlp", ALL), ("mnist1d-vit", ALL),
    ],
)  # fmt: skip
def test_of_shipped_tasks(name: str, held: tuple[str, ...]) -> None:
    assert signs_of(task(name)).held == held


@pytest.mark.parametrize(
    ("network", "shape", "held"),
    [
        (perceptron, (6,), ALL),
        (lambda: perceptron(nn.LayerNorm(16)), (6,), ALL),
        (lambda: perceptron(nn.BatchNorm1d(16)), (6,), ALL),
        (lambda: perceptron(nn.GroupNorm(4, 16)), (6,), ALL),
        (lambda: perceptron(nn.Dropout(0.2)), (6,), ALL),
        (lambda: perceptron(nn.LayerNorm(16), nn.Softplus()), (6,), NEGATED),  # something else before the place
        (lambda: images(nn.MaxPool2d(2), inputs=32), (1, 4, 4), MIRRORED),
        (lambda: images(nn.AvgPool2d(2), inputs=32), (1, 4, 4), ALL),
        (lambda: behind_place(nn.Softmax(-1)), (6,), MIRRORED),
        # the skip's sum turns with both signs, and the next layer turns it back
        (lambda: behind_place(Skip(nn.ReLU()), nn.Linear(16, 16)), (6,), REFLECTED),
        (lambda: behind_place(Skip(nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 16))), (6,), ALL),
        (lambda: nn.Sequential(nn.ReLU(), nn.Linear(6, 3)), (6,), NEGATED),  # data have their sign
        (lambda: nn.Sequential(nn.Linear(6, 3), nn.ReLU()), (6,), MIRRORED),  # so has what is judged
        (lambda: nn.Sequential(OfOneSign(6, 16), nn.ReLU(), nn.Linear(16, 3)), (6,), NEGATED),
        (lambda: nn.Sequential(nn.Linear(6, 16), nn.ReLU(), OfOneSign(16, 3)), (6,), MIRRORED),
        (lambda: nn.Sequential(Moved(6, 64), nn.ReLU(), nn.Linear(64, 3)), (6,), NEGATED),
        (Twins, (6,), ()),  # with other signs of one layer they are no twins
    ],
)  # fmt: skip
def test_of_networks_with_their_own_weights(
    network: Callable[[], nn.Module], shape: tuple[int, ...], held: tuple[str, ...]
) -> None:
    found = signs_of(Made(network, shape))
    assert found.held == held
    assert set(found.why_not) == set(ALL) - set(held)


def test_drawn_weights_are_of_both_signs_whatever_the_network_began_with() -> None:
    made = Made(lambda: nn.Sequential(OfOneSign(6, 16), nn.ReLU(), OfOneSign(16, 3)))
    assert signs_of(made).held == ()
    assert signs_of(under(made, Conditions(initial="drawn"))).held == ALL


@pytest.mark.parametrize("optimiser", ["adam", AdamW(weight_decay=0.1), SGD(nesterov=True, weight_decay=0.1)])
def test_of_optimisers(optimiser: str | Optimiser) -> None:
    made = Made(lambda: perceptron(nn.LayerNorm(16)))
    made.optimiser, made.clip, made.accumulate, made.schedule = optimiser, 0.5, 2, "cosine"
    assert signs_of(made).held == ALL


def test_one_fixed_set_of_weights_is_no_draw() -> None:
    def fixed() -> nn.Module:
        torch.manual_seed(5)
        return perceptron()

    assert signs_of(Made(fixed)).held == ()
    pretrained = Made(perceptron)
    pretrained.pretrained = True
    (why,) = set(signs_of(pretrained).why_not.values())
    assert why == "its weights are the same for every seed"


def test_what_the_tracing_does_not_see_training_does() -> None:
    found = signs_of(Made(LooksAtItsWeights))
    assert found.held == NEGATED
    assert found.why_not["mirrored"] == "from weights of other signs (inner.weight, inner.bias) it trains differently"


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (Made(Single), "the test fails"),
        (Made(lambda: nn.Linear(6, 3)), "the test fails: task 'made': replaced: expected"),
        (Looped(), "what its own loop does"),
    ],
)
def test_what_cannot_be_found_out_does_not_hold(made: Task, why: str) -> None:
    found = signs_of(made)
    assert found.held == ()
    assert all(found.why_not[name].startswith(why) for name in ALL)


def test_nothing_is_left_behind() -> None:
    torch.manual_seed(0)
    before, digits = torch.get_rng_state(), task("digits")
    signs_of(digits)
    assert torch.equal(torch.get_rng_state(), before)
    assert not vars(digits).keys() - {"depth", "width", "name"}


@settings(deadline=None)
@given(st.lists(st.integers(0, 2**6 - 1), max_size=8))
def test_equations_are_solved_or_contradict_each_other(forms: list[int]) -> None:
    equations = Equations()
    for _ in range(5):
        equations.unknown()
    held = [form for form in forms if equations.require(form)]
    assignments = [1 | bits << 1 for bits in range(2**5)]
    fits = [a for a in assignments if all((form & a).bit_count() % 2 == 0 for form in held)]
    assert 1 | equations.negative() in fits
    refused = [form for form in forms if form not in held]
    assert all((form & a).bit_count() % 2 for form in refused for a in fits)
