"""The stacked trainer equals one ordinary model at a time: every family, optimiser, schedule and clip, step by step."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from evaluators.machine.backend import CPU, Backend
from evaluators.places.each_place import LEARNED, kinds_of
from evaluators.tasks import task, task_names
from evaluators.tasks.base import Task
from evaluators.tasks.optimisers import SGD, Adam, AdamW
from evaluators.training.member import CohortMember, Schedule
from evaluators.training.plain import PlainModel
from evaluators.training.schedules import Cosine, OneCycle
from evaluators.training.stacking.stack import Stack
from primitives.expression.parsing import parse
from tests.evaluators_tests.families import FAMILIES, LARGE, Family

OPTIONS: dict[str, dict[str, object]] = {
    "adam-decay": {"optimiser": Adam(weight_decay=0.1)},
    "adamw-warm-cosine": {"optimiser": AdamW(weight_decay=0.1), "schedule": Cosine(warmup=0.2, final=0.1)},
    "nesterov-decay-cycle": {"optimiser": SGD(0.8, nesterov=True, weight_decay=0.01), "schedule": OneCycle()},
    "accumulate-clip": {"accumulate": 3, "clip": 0.1},
    "smoothing-weights": {"label_smoothing": 0.1, "class_weights": [0.5, 1.0, 2.0, 0.0, 1.5]},
}
DOUBLE = Backend(dtype=torch.float64)
SWISH, LEAKY = "x*sigmoid(beta*x); beta=1.0:channel", "max(x,c*x); c=0.25"
SHARPENED = "exp(beta*x)/sum_c(exp(beta*x)); beta=1.0:channel"
SETTINGS: dict[str, dict[str, object]] = {
    "adam": {},
    "adam-cosine-clip": {"schedule": "cosine", "clip": 0.5},
    "sgd": {"optimiser": "sgd"},
    "sgd-cosine-clip": {"optimiser": "sgd", "schedule": "cosine", "clip": 0.1},
}


def pairs(
    chosen: Task, members: Sequence[CohortMember], steps: int, backend: Backend
) -> tuple[Stack, list[PlainModel]]:
    """A stack of members and the same models one by one, in the order of the slices."""
    stack = Stack(chosen, "search", members, Schedule(steps, (), chosen.learning_rates), backend=backend)
    models = [
        PlainModel(chosen, "search", member.expression, seed=seed, rate=rate, steps=steps, backend=backend)
        for member in members
        for seed in member.seeds
        for rate in chosen.learning_rates
    ]
    return stack, models


def check(chosen: Task, members: Sequence[CohortMember], steps: int, backend: Backend, tolerance: float) -> None:
    """Both train; every training loss and the last validation losses agree absolutely."""
    stack, models = pairs(chosen, members, steps, backend)
    plain = torch.tensor([model.advance(steps) for model in models], dtype=torch.float64)
    own = stack.advance(steps)
    assert own.shape == (steps, len(models))
    torch.testing.assert_close(own.double(), plain.T, rtol=0, atol=tolerance)
    last = torch.tensor([model.loss("validation") for model in models], dtype=torch.float64)
    torch.testing.assert_close(stack.loss("validation").double(), last, rtol=0, atol=tolerance)


def two(chosen: Task | None = None) -> list[CohortMember]:
    """Parameters per channel and per layer, different seeds; gates and rows where a task has these."""
    gates = [text.replace(";", "*z;") for text in (SWISH, LEAKY)]
    of_kind = {"gate": gates, "row": [SHARPENED, LEARNED["row"]]}
    (kind, *others) = kinds_of(chosen) if chosen is not None else ("pointwise",)
    texts = [SWISH, LEAKY] if others else of_kind.get(kind, [SWISH, LEAKY])
    return [CohortMember(parse(text), (seed,)) for seed, text in enumerate(texts, 1)]


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("family", FAMILIES)
def test_float64(family: str, settings: str) -> None:
    check(Family(family, **SETTINGS[settings]), two(), 30, DOUBLE, 1e-9)


@pytest.mark.parametrize("settings", OPTIONS)
@pytest.mark.parametrize("family", ["mlp-norm", "cnn"])
def test_options(family: str, settings: str) -> None:
    check(Family(family, **OPTIONS[settings]), two(), 20, DOUBLE, 1e-9)


@pytest.mark.parametrize("settings", OPTIONS)
def test_each_option_makes_a_difference(settings: str) -> None:
    with_it, without = (pairs(Family("mlp", **chosen), two(), 3, DOUBLE)[0] for chosen in (OPTIONS[settings], {}))
    assert (with_it.advance(3)[-1] != without.advance(3)[-1]).all()


@pytest.mark.parametrize("family", FAMILIES)
def test_float32_over_5_steps(family: str) -> None:
    """As few, so that rounding cannot grow: Adam normalises a gradient that is rounding noise to a whole step."""
    check(Family(family), two(), 5, CPU, 1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("family", LARGE)
def test_larger_sizes(family: str, settings: str) -> None:
    check(Family(family, **SETTINGS[settings]), two(), 30, DOUBLE, 1e-9)


FORMULAS = ("relu(x)", "gelu(x)", SWISH, "a*tanh(x)+b*x; a=1.2, b=0.1:channel", LEAKY, "x*tanh(softplus(x))")


@pytest.mark.parametrize(("backend", "steps", "tolerance"), [(DOUBLE, 50, 1e-9), (CPU, 5, 1e-4)])
@pytest.mark.parametrize("name", ["digits", pytest.param("digits-10x32", marks=pytest.mark.slow)])
def test_shipped_tasks(name: str, backend: Backend, steps: int, tolerance: float) -> None:
    chosen = task(name)
    chosen.learning_rates = (3e-4, 1e-3)  # at 1e-2 ten layers amplify rounding to 0.5 nats
    check(chosen, [CohortMember(parse(text), (1, 2)) for text in FORMULAS], steps, backend, tolerance)


@pytest.mark.parametrize("name", task_names())
def test_first_steps_of_every_task(name: str) -> None:
    """The data, loss and network of the task; validation sets below 32, which the stack fills up, too."""
    chosen = task(name)
    chosen.learning_rates = chosen.learning_rates[:1]
    check(chosen, two(chosen), 2, DOUBLE, 1e-9)


@pytest.mark.parametrize("family", ["mlp", "cnn-norm", "transformer", "derivatives"])
def test_candidate_parameters_are_trained(family: str) -> None:
    stack, models = pairs(Family(family, clip=1.0, learning_rates=(1e-3, 1e-2)), two(), 10, DOUBLE)
    stack.advance(10)
    for model in models:
        model.advance(10)
    plain = [[p for path, p in model.network.named_parameters() if path.endswith((".beta", ".c"))] for model in models]
    for number, activation in enumerate(stack.activations):
        swish, leaky = activation.values
        own: list[Tensor] = [swish[0], swish[1], leaky[0], leaky[1]]
        for value, of_model, initial in zip(own, plain, (1.0, 1.0, 0.25, 0.25), strict=True):
            torch.testing.assert_close(value, of_model[number].detach().view_as(value), rtol=0, atol=1e-10)
            assert (value != initial).all()
