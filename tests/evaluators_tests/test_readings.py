"""Readings: accuracy, R^2 and PSNR of the trained models, as anyone would compute them, on every path."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import r2_score
from torch import Tensor, nn

from evaluators import Task, derive, evaluate, task
from evaluators.cohort import CohortRequest, run_cohort
from evaluators.errors import TaskError
from evaluators.machine.backend import Backend
from evaluators.objectives import gains
from evaluators.results.json_codec import Fields
from evaluators.results.reasons import Reason
from evaluators.results.records_codec import cohort_from_json, cohort_to_json
from evaluators.tasks.base import Part
from evaluators.tasks.readings import accuracy, psnr, r_squared
from evaluators.tasks.shipped.photographs import spread
from evaluators.tasks.tryout import try_out
from evaluators.training.member import CohortMember, Outcome, Schedule
from evaluators.training.plain import PlainModel
from evaluators.training.train import train
from primitives.expression.parsing import parse
from tests.evaluators_tests.test_metric import Judged, Looped, Whole

STEPS, SEEDS, RATES = 10, (1, 2), (3e-3, 1e-2)
READ = ["digits", "tabular-cancer", "tabular-diabetes", "image-inr", "image-denoise"]
DOUBLE = Backend(dtype=torch.float64)


def members(*texts: str) -> list[CohortMember]:
    return [CohortMember(parse(text), SEEDS, protected=True) for text in texts]


def outcomes_of(chosen: Task, texts: Sequence[str] = ("relu(x)", "tanh(x)"), **changes: Any) -> list[Outcome]:
    return train(chosen, "confirmation", members(*texts), Schedule(STEPS, (), RATES), **changes)


def plain_model(chosen: Task, text: str, seed: int, rate: float, backend: Backend = DOUBLE) -> PlainModel:
    model = PlainModel(chosen, "confirmation", parse(text), seed=seed, rate=rate, steps=STEPS, backend=backend)
    model.advance(STEPS)
    return model


def by_hand(chosen: Task, model: PlainModel) -> tuple[str, float]:
    """With torch and scikit-learn on the test examples."""
    examples = model.at(model.split.test)
    with torch.no_grad():
        output, target = model.network(examples.inputs), examples.targets
    if chosen.name.startswith("image"):
        peak = 1 / (0.1 if "denoise" in chosen.name else spread())
        return "PSNR in dB", 10 * math.log10(peak**2 / float((output - target).square().mean()))
    if chosen.name == "tabular-diabetes":
        return "R2", r2_score(target.numpy(), output.numpy())
    return "accuracy", (output.argmax(dim=-1) == target).double().mean().item()


@pytest.mark.parametrize("name", READ)
def test_a_stack_reads_what_is_read_of_each_model_by_hand(name: str) -> None:
    chosen = task(name)
    outcome = outcomes_of(chosen, backend=DOUBLE)[1]
    for row, seed in enumerate(SEEDS):
        for column, rate in enumerate(RATES):
            model = plain_model(chosen, "tanh(x)", seed, rate)
            what, expected = by_hand(chosen, model)
            assert outcome.readings.keys() == model.readings("test").keys() == {what}
            found = outcome.readings[what][row][column]
            if what == "accuracy":  # shares of a number of examples
                assert found == model.readings("test")[what]
            assert model.readings("test")[what] == pytest.approx(expected, rel=1e-12)
            assert found == pytest.approx(expected, rel=1e-9)


class Odd(Judged):
    """Test sets of 3 parts, or of less than a block, that no block fills; judged by the loss."""

    direction, compare, unit = "minimise", "ratio", ""
    metric = Task.metric

    def __init__(self, examples: int) -> None:
        self.name, self.examples = f"odd{examples}", examples

    def data(self, part: str) -> tuple[Tensor, Tensor]:
        x = torch.randn(self.examples, 2, generator=torch.Generator().manual_seed(len(part)))
        return x, (x.square().sum(dim=1) > 1.4).long()


class OddLine(Odd):
    """The same, as a regression: a number of the whole set."""

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return (output[:, 0] - target).square()

    def readings(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        return {"R2": r_squared(output[:, 0], target.double())}


@pytest.mark.parametrize("kind", [Odd, OddLine])
@pytest.mark.parametrize("examples", [70, 2_100])  # 10 and 288 test examples
def test_examples_that_fill_a_batch_do_not_count(kind: type[Odd], examples: int) -> None:
    chosen = kind(examples)
    (name, table), *others = outcomes_of(chosen, backend=DOUBLE)[1].readings.items()
    assert not others
    for row, seed in enumerate(SEEDS):
        model = plain_model(chosen, "tanh(x)", seed, RATES[0])
        held_out = model.at(model.split.test)
        output = model.network(held_out.inputs).detach()
        expected = (
            (output.argmax(dim=1) == held_out.targets).double().mean().item()
            if name == "accuracy"
            else r2_score(held_out.targets.numpy(), output[:, 0].numpy())
        )
        assert table[row][0] == pytest.approx(expected, rel=1e-9)


def test_no_bit_depends_on_the_company() -> None:
    chosen = task("tabular-diabetes")
    alone = outcomes_of(chosen, ["relu(x)", "sin(x)"])[1].readings
    company = outcomes_of(chosen, ["relu(x)", "tanh(x)", "x*sigmoid(x)", "sin(x)"], width=4)[3].readings
    assert alone == company


def test_a_gain_on_photographs_is_a_difference_of_decibels() -> None:
    result = run_cohort(CohortRequest(("sin(x)",), ("image-inr",), 0, 2, STEPS, purpose="confirmation", nulls=0))
    gain = gains(result.candidates[0], result.reference, ["image-inr"], test=True).mean()
    best = [
        row.readings["image-inr"]["PSNR in dB"][:, row.losses["image-inr"][STEPS].mean(axis=0).argmin()].mean()
        for row in (result.candidates[0], result.reference)
    ]
    assert best[0] - best[1] == pytest.approx(10 / math.log(10) * gain, rel=1e-4)


def test_only_confirmation_reads_and_what_it_read_comes_back() -> None:
    request = CohortRequest(("tanh(x)",), ("digits",), 0, 2, STEPS, nulls=1)
    assert "readings" not in str(cohort_to_json(run_cohort(request)))
    written = cohort_to_json(run_cohort(CohortRequest(("tanh(x)",), ("digits",), 0, 2, STEPS, purpose="confirmation")))
    again = cohort_from_json(Fields(written, "file"))
    assert cohort_to_json(again) == written
    assert again.candidates[0].readings["digits"]["accuracy"].shape == (2, 3)


def test_outputs_that_are_no_numbers_have_no_reading() -> None:
    request = CohortRequest(("exp(exp(exp(1+x)))",), ("digits",), 0, 2, STEPS, purpose="confirmation", nulls=0)
    result = run_cohort(request)
    assert np.isnan(result.candidates[0].readings["digits"]["accuracy"]).all()
    assert np.isfinite(result.reference.readings["digits"]["accuracy"]).all()


def test_evaluate_reads_validation_examples() -> None:
    better, bad = evaluate(["tanh(x)", "exp(exp(exp(1+x)))"], "digits", seeds=2, steps=STEPS, rates=RATES)
    losses = {}
    for rate in RATES:
        models = [
            PlainModel(task("digits"), "search", parse("tanh(x)"), seed=derive(0, "search", "seed", n), rate=rate,
                       steps=STEPS) for n in (0, 1)
        ]  # fmt: skip
        for model in models:
            model.advance(STEPS)
        mean = sum(model.loss("validation") for model in models)
        losses[mean] = sum(model.readings("validation")["accuracy"] for model in models) / 2
    assert better.readings == {
        "accuracy": pytest.approx(losses[min(losses)], abs=1.5 / 512)
    }  # one example at most: float32
    assert bad.readings == {} and bad.reference_readings == better.reference_readings != {}


class Raising(Looped):
    """Its loop raises with all but the controls."""

    def fit(self, network: nn.Module, part: Part, seed: int, rate: float, rung_steps: Sequence[int]) -> Any:
        if "sin" in str(network):
            raise RuntimeError("no sine")
        yield from super().fit(network, part, seed, rate, rung_steps)


def test_what_is_judged_is_read_where_it_is_no_loss() -> None:
    for chosen in (Judged(), Looped()):
        (outcome,) = outcomes_of(chosen, ["relu(x)"])
        assert outcome.readings == {"accuracy": outcome.tests}
    assert outcomes_of(type("Unnamed", (Looped,), {"unit": ""})(), ["relu(x)"])[0].readings == {}
    failing = [CohortMember(parse("relu(x)"), SEEDS, protected=True), CohortMember(parse("sin(x)"), SEEDS)]
    good, bad = train(Raising(), "confirmation", failing, Schedule(STEPS, (), RATES))
    assert (bad.reason, bad.readings) == (Reason.RAISED, {}) and good.readings


def test_a_metric_and_readings_of_ones_own() -> None:
    class Both(Whole):
        def metric(self, output: Tensor, target: Tensor) -> Tensor:
            return super(Whole, self).metric(output, target)

        def readings(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
            return {"hits": accuracy(output, target)}

    (outcome,) = outcomes_of(Both(), ["relu(x)"])
    assert outcome.readings == {"AUC": outcome.tests, "hits": outcome.tests}


def test_numbers_of_any_shape() -> None:
    labels, logits = torch.tensor([[0, 1], [2, 2]]), torch.eye(3)[torch.tensor([[0, 1], [1, 2]])]
    assert accuracy(logits, labels).tolist() == [1.0, 0.5]
    assert accuracy(logits[:, 0], labels[:, :1]).tolist() == [1.0, 0.0]  # a column of labels
    output, target = torch.randn(2, 40, 3, generator=torch.Generator().manual_seed(0))
    assert float(r_squared(output, target)) == pytest.approx(r2_score(target.numpy(), output.numpy()), rel=1e-6)
    assert float(r_squared(output[:, :1], target[:, 0])) == pytest.approx(
        r2_score(target[:, 0].numpy(), output[:, 0].numpy()), rel=1e-6
    )
    assert float(psnr(target + 0.1, target)) == pytest.approx(20.0, abs=1e-4)
    assert float(psnr(target + 0.1, target, peak=10.0)) == pytest.approx(40.0, abs=1e-4)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (torch.ones(2), "readings: expected a dict, numbers by name, got a Tensor"),
        (
            {"hits": torch.ones(2)},
            r"readings: hits: expected a tensor, one number for each of 32 examples, .* \(2",
        ),
        ({"hits": 0.5}, "readings: hits: .* got a float"),
    ],
)
def test_readings_of_another_shape_are_refused_before_a_job(found: object, said: str) -> None:
    chosen = Odd(200)
    chosen.readings = lambda output, target: found  # type: ignore[method-assign, assignment, return-value]
    with pytest.raises(TaskError, match=said):
        try_out(chosen)
