"""What is judged may differ from the loss: metrics that are maximised, of whole sets, below 0, by every path."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from evaluators import LoopTask, Task, evaluate, split
from evaluators.cohort import CohortRequest, run_cohort
from evaluators.comparison import Comparison, averages
from evaluators.errors import TaskError
from evaluators.objectives import gains
from evaluators.rejection import relative_loss
from evaluators.rejection.failure_checks import failure
from evaluators.results.json_codec import Fields
from evaluators.results.reasons import Reason
from evaluators.results.records import CohortResult, MemberResult
from evaluators.results.records_codec import member_from_json, member_to_json
from evaluators.seeds import derive
from evaluators.tasks.base import Compare, Direction, Part
from evaluators.tasks.tryout import try_out
from evaluators.training.member import CohortMember, Outcome, Schedule
from evaluators.training.plain import PlainModel
from evaluators.training.train import train
from primitives.expression.parsing import parse

TEXTS = ("tanh(x)", "sin(3*x)", "x*sigmoid(x)")
RATES, STEPS = (1e-3, 1e-2), 30
PERCENT = Comparison("maximise", "difference", "accuracy")


class Judged(Task):
    """A ring in the plane, 2 classes, judged by accuracy."""

    name = "judged"
    batch_size = 32
    learning_rates = RATES
    direction: Direction = "maximise"
    compare: Compare = "difference"
    unit = "accuracy"

    def network(self) -> nn.Module:
        return nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 2))

    def data(self, part: str) -> tuple[Tensor, Tensor]:
        x = torch.randn(256, 2, generator=torch.Generator().manual_seed(len(part)))
        return x, (x.square().sum(dim=1) > 1.4).long()

    def metric(self, output: Tensor, target: Tensor) -> Tensor:
        return (output.argmax(dim=1) == target).float()


class Whole(Judged):
    """The same by the area under the ROC curve, which no example has of its own."""

    unit = "AUC"

    def metric(self, output: Tensor, target: Tensor) -> Tensor:
        assert output.shape == (64, 2)  # all validation examples of one model, none twice: 30 % of 256 in blocks of 32
        score = output[:, 1] - output[:, 0]
        ahead = score[target == 1][:, None] - score[target == 0]
        return (ahead > 0).float().mean() + 0.5 * (ahead == 0).float().mean()


class Looped(LoopTask):
    """Accuracy by a loop of its own."""

    name = "looped"
    learning_rates = RATES
    direction: Direction = "maximise"
    compare: Compare = "difference"
    unit = "accuracy"

    def network(self) -> nn.Module:
        return Judged().network()

    def data(self, part: str) -> tuple[Tensor, Tensor]:
        return Judged().data(part)

    def fit(self, network: nn.Module, part: Part, seed: int, rate: float, rung_steps: Sequence[int]) -> Iterator[float]:
        x, y = self.data(part)
        at = split(len(x), part, seed)
        optimiser = torch.optim.Adam(network.parameters(), lr=rate)
        for step in range(1, rung_steps[-1] + 1):
            optimiser.zero_grad()
            nn.functional.cross_entropy(network(x[at.train]), y[at.train]).backward()
            optimiser.step()
            if step in rung_steps:
                yield (network(x[at.validation]).argmax(dim=1) == y[at.validation]).float().mean().item()
        if part == "confirmation":
            yield (network(x[at.test]).argmax(dim=1) == y[at.test]).float().mean().item()


class Density(Judged):
    """A negative log-likelihood that goes below 0: the loss is judged, by its difference."""

    direction = "minimise"
    unit = "nats a point"

    def network(self) -> nn.Module:
        return nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 2))

    def data(self, part: str) -> tuple[Tensor, Tensor]:
        x, _ = super().data(part)
        return x, 0.01 * x.sin().sum(dim=1)

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return output[:, 1] + 0.5 * ((target - output[:, 0]) / output[:, 1].exp()).square()

    metric = Task.metric


class Restored(Judged):
    """A regression judged by its PSNR in dB, one number of a set."""

    unit = "dB"

    def network(self) -> nn.Module:
        return nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1))

    def data(self, part: str) -> tuple[Tensor, Tensor]:
        x, _ = super().data(part)
        return x, x.prod(dim=1, keepdim=True).sin()

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return (output - target).square().mean(dim=1)

    def metric(self, output: Tensor, target: Tensor) -> Tensor:
        return -10.0 * (output - target).square().mean().log10()


def cohort(task: Task, **changes: Any) -> CohortResult:
    request = CohortRequest(TEXTS, (task.name,), 0, 2, STEPS, rates=RATES, nulls=0, **changes)
    return run_cohort(request, lambda _: task)


def by_hand(row: MemberResult, name: str) -> float:
    """The mean over seeds at the rate of the largest mean."""
    return float(np.array(row.losses[name][STEPS]).mean(axis=0).max())


@pytest.mark.parametrize("task", [Judged(), Looped(), Whole(), Restored()], ids=lambda task: task.unit + task.name)
def test_the_ranking_is_the_metrics_and_a_gain_its_difference(task: Task) -> None:
    result = cohort(task)
    mean = [by_hand(row, task.name) for row in result.candidates]
    found = [float(gains(row, result.reference, [task.name]).mean()) for row in result.candidates]
    assert np.argsort(found).tolist() == np.argsort(mean).tolist()
    assert found == pytest.approx([value - by_hand(result.reference, task.name) for value in mean], abs=1e-12)
    assert len(set(found)) > 1
    assert result.reference.comparison(task.name).unit_of_gain == task.unit


@pytest.mark.parametrize("task", [Judged(), Whole(), Restored()], ids=lambda task: task.unit)
def test_a_stack_takes_the_metric_of_the_plain_trainer(task: Task) -> None:
    members = [CohortMember(parse(text), (1, 2), protected=True) for text in ("relu(x)", "tanh(x)")]
    outcomes = train(task, "search", members, Schedule(10, (), RATES))
    model = PlainModel(task, "search", parse("tanh(x)"), seed=2, rate=RATES[1], steps=10)
    model.advance(10)
    held_out = model.at(model.split.validation)
    expected = task.metric(model.network(held_out.inputs), held_out.targets).double().mean().item()
    assert model.metric("validation") == expected
    assert outcomes[1].at(10)[1, 1] == pytest.approx(expected, abs=0.02 if task.unit == "accuracy" else 1e-3)
    assert outcomes[1].at(10)[1, 1] != pytest.approx(model.loss("validation"), abs=1e-3)


def test_a_likelihood_below_0_is_compared_by_difference() -> None:
    task = Density()
    result = cohort(task)
    relu, own = (row.losses[task.name][STEPS] for row in (result.reference, result.candidates[0]))
    assert float(own.min()) < 0
    expected = relu[:, relu.mean(axis=0).argmin()] - own[:, own.mean(axis=0).argmin()]
    assert gains(result.candidates[0], result.reference, [task.name])[0] == pytest.approx(expected)


def test_the_comparison_is_kept_with_the_values_and_nats_are_not_written() -> None:
    result = cohort(Judged())
    made = member_to_json(result.reference)
    assert member_from_json(Fields(made, "file")).comparison("judged") == PERCENT
    assert "compared" not in member_to_json(cohort(Plain()).reference)


class Plain(Judged):
    """The same judged by its loss, in nats."""

    direction = "minimise"
    compare = "ratio"
    unit = ""
    metric = Task.metric


def test_worse_is_found_worse_by_difference_and_only_divergence_is_a_failure() -> None:
    good, bad = np.array([[0.9, 0.2], [0.8, 0.2]]), np.array([[0.1, 0.5], [0.1, 0.4]])
    assert relative_loss(bad, good, PERCENT) == pytest.approx(0.85 - 0.45)
    assert failure(bad, good, 0.5, PERCENT) is None
    assert failure(np.full((2, 2), np.nan), good, 0.5, PERCENT) is Reason.DIVERGED
    assert failure(4.0 * good, good, None) is Reason.FAR_BELOW  # a ratio has the scale


def test_a_ratio_has_no_value_below_0_and_a_loss_of_0_is_the_floor() -> None:
    loss, metric = Comparison(floor=1e-4), Comparison(floor=1e-4, zero_counts=False)
    values = np.array([-1.0, 0.0, 1e-6, 2.0])
    assert np.array_equal(loss.counted(values), [np.nan, 1e-4, 1e-4, 2.0], equal_nan=True)
    assert np.array_equal(metric.counted(values), [np.nan, np.nan, 1e-4, 2.0], equal_nan=True)
    row = MemberResult().after("one", Outcome({1: [[-3.0]]}), loss)
    assert math.isnan(row.losses["one"][1][0, 0])  # it was the floor, as if it was the best there is


def test_units_and_what_may_be_averaged() -> None:
    scaled = Comparison("maximise", "difference", "accuracy", 0.05)
    assert scaled.unit_of_gain == "0.05 accuracy"
    assert scaled.gain(np.array(0.9), np.array(0.8)) == pytest.approx(2.0)
    assert averages([Comparison(), scaled])
    assert averages([PERCENT, PERCENT])
    assert not averages([Comparison(), PERCENT])


class Inverted(Looped):
    direction = "minimise"
    compare = "ratio"

    def fit(self, network: nn.Module, part: Part, seed: int, rate: float, rung_steps: Sequence[int]) -> Iterator[float]:
        return (-value for value in super().fit(network, part, seed, rate, rung_steps))


class Maximised(Looped):
    compare = "ratio"


class Misspelt(Looped):
    direction = "maximize"  # type: ignore[assignment]


class Table(Judged):
    def metric(self, output: Tensor, target: Tensor) -> Tensor:
        return output


class Negative(Judged):
    direction = "minimise"
    compare = "ratio"

    def metric(self, output: Tensor, target: Tensor) -> Tensor:
        return -super().metric(output, target) - 1.0


@pytest.mark.parametrize(
    ("task", "said"),
    [
        (Inverted(), "the loop yields: expected values above 0"),
        (Negative(), "metric: expected values above 0"),
        (Maximised(), "'maximise' cannot be compared by 'ratio'"),
        (Misspelt(), "direction: expected 'minimise' or 'maximise', got 'maximize'"),
        (Table(), r"metric: expected a tensor, .* got shape \(32, 2\)"),
    ],
)
def test_what_cannot_be_compared_is_refused_by_name(task: Task, said: str) -> None:
    with pytest.raises(TaskError, match=said):
        try_out(task)


def test_evaluate_names_the_unit_and_a_worse_function_does_not_win() -> None:
    better, bad = evaluate(["tanh(x)", "0.001*sin(300*x)"], Looped(), seeds=2, steps=STEPS, rates=RATES, seed=derive(3))
    assert better.unit == "accuracy"
    assert bad.gain < better.gain
    assert bad.gain < 0


def test_robustness_of_a_task_of_differences_is_a_difference_of_losses() -> None:
    task = Density()
    result = cohort(task, measured=("robustness",))
    (found,) = evaluate(["tanh(x)"], task, seeds=2, steps=STEPS, rates=RATES, objectives=["robustness"])
    of_relu, own = (r.measured[task.name]["robustness"] for r in (result.reference, result.candidates[0]))
    assert found.objectives["robustness"] == pytest.approx(of_relu - own, abs=1e-6)
