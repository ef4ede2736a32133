"""Digits that are learnt privately: the same epsilon for all functions, counted by a library that may be missing."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch

from evaluators.errors import EvaluationError, TaskError
from evaluators.mixture.training import MixtureTraining
from evaluators.privacy import accountant
from evaluators.privacy.accountant import INSTALL, epsilon, noise_for
from evaluators.privacy.settings import Privacy
from evaluators.statistics import interval
from evaluators.tasks import task, task_names_with_extras
from evaluators.tasks.shipped.optional.private_digits import DELTA, EPSILON, PrivateDigits
from evaluators.training.member import CohortMember, Schedule
from evaluators.training.plain import PlainModel
from evaluators.training.stacking.stack import Stack
from evaluators.training.train import train
from primitives.expression.parsing import parse


def test_epsilon_is_the_librarys_and_the_same_for_any_number_of_steps() -> None:
    accountants = pytest.importorskip("opacus.accountants")
    found = []
    for steps in (1, 150):
        privacy = PrivateDigits().privacy(steps)
        counted = accountants.RDPAccountant()
        for _ in range(steps):
            counted.step(noise_multiplier=privacy.noise, sample_rate=privacy.sampling)
        assert epsilon(privacy, steps, DELTA) == counted.get_epsilon(delta=DELTA)
        assert EPSILON - 0.01 <= epsilon(privacy, steps, DELTA) <= EPSILON
        found.append(privacy.noise)
    assert found == sorted(found)


def test_delta_is_below_one_in_the_training_examples() -> None:
    chosen = PrivateDigits()
    for part in ("search", "confirmation"):
        images = len(chosen.data(part)[0])
        assert len(chosen.divided(images, part, 0).train) < 1 / DELTA


def test_without_the_library_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opacus.accountants", None)
    monkeypatch.setitem(sys.modules, "opacus.accountants.utils", None)
    noise_for.cache_clear()
    message = f"^private training needs the library opacus, which counts epsilon: {INSTALL}$".replace("[", r"\[")
    with pytest.raises(EvaluationError, match=message):
        train(PrivateDigits(), "search", [CohortMember(parse("relu(x)"), (0,))], Schedule(3, (), (0.01,)))
    with pytest.raises(EvaluationError, match=message):
        epsilon(Privacy(1.0, 1.0, 0.1), 10, DELTA)
    assert accountant.INSTALL == "pip install 'actsearch[privacy]'"


def test_it_is_listed_and_has_sizes() -> None:
    assert "dp-sgd" in task_names_with_extras()
    assert isinstance(task("dp-sgd-3x16"), PrivateDigits) and task("dp-sgd-3x16").name == "dp-sgd-3x16"
    with pytest.raises(TaskError, match="did you mean 'dp-sgd'"):
        task("dp-sdg")


def test_a_stack_is_one_model_at_a_time() -> None:
    pytest.importorskip("opacus")
    chosen, expression = task("dp-sgd-1x16"), parse("x*sigmoid(beta*x); beta=1.0:channel")
    stack = Stack(chosen, "search", [CohortMember(expression, (4,))], Schedule(3, (), (0.03,)))
    plain = PlainModel(chosen, "search", expression, seed=4, rate=0.03, steps=3)
    torch.testing.assert_close(stack.advance(3)[:, 0].tolist(), plain.advance(3), rtol=0, atol=1e-4)
    assert stack.readings("validation")[0].keys() == {"accuracy", "epsilon"}
    assert stack.readings("validation")[0] == pytest.approx(plain.readings("validation"), abs=0.02)


def test_no_mixture_is_trained_privately() -> None:
    with pytest.raises(TaskError, match="trains privately: no mixture"):
        MixtureTraining(PrivateDigits(), None)  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_tempered_sigmoid_is_above_relu() -> None:
    """2*sigmoid(2*x)-1 is tanh. Each function at its own rate, which is chosen on these very images."""
    pytest.importorskip("opacus")
    chosen, seeds = PrivateDigits(), tuple(range(40, 48))
    members = [CohortMember(parse(text), seeds, protected=True) for text in ("relu(x)", "tanh(x)")]
    schedule = Schedule(chosen.steps, (), chosen.learning_rates)
    relu, tanh = (each.at(chosen.steps) for each in train(chosen, "search", members, schedule))
    gains = np.log(relu[:, relu.mean(axis=0).argmin()] / tanh[:, tanh.mean(axis=0).argmin()])
    bounds = interval(gains.tolist())
    assert bounds is not None and bounds[0] > 0
