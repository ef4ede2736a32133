"""The contract of objectives: what every registered one keeps to."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import Tensor

from evaluators.cohort import CohortRequest, run_cohort
from evaluators.errors import TaskError
from evaluators.objectives import OBJECTIVES, Objective, Trained, check_measured, measure, measured_objectives
from evaluators.objectives.formula import FormulaObjective
from evaluators.objectives.measured import MeasuredObjective, mean_of_activations
from evaluators.results.records import CohortResult
from evaluators.tasks import task
from evaluators.tasks.base import with_one_split
from evaluators.training.member import CohortMember, Schedule
from evaluators.training.stacking.stack import Stack
from primitives.expression.parsing import parse

TEXT = "x*sigmoid(beta*x); beta=1.0"
PAGE = Path(__file__).resolve().parents[2] / "docs" / "objectives.md"
MEASURED = measured_objectives(OBJECTIVES)
#: Those that not every task has.
TASK_OF = {"reuse": "bytes-lm"}
Results = Callable[[Objective], CohortResult]


@pytest.fixture(params=OBJECTIVES)
def objective(request: pytest.FixtureRequest) -> Objective:
    return OBJECTIVES[request.param]


@pytest.fixture(params=[each.name for each in MEASURED])
def measured(request: pytest.FixtureRequest) -> MeasuredObjective:
    return measured_objectives([request.param])[0]


def task_of(objective: Objective | None) -> str:
    return TASK_OF.get(objective.name if objective else "", "digits")


@pytest.fixture(scope="module")
def results() -> Results:
    """The cohort of an objective's task, with all that are measured there."""

    @cache
    def result(name: str) -> CohortResult:
        names = tuple(each.name for each in MEASURED if task_of(each) == name)
        return run_cohort(CohortRequest((TEXT,), (name,), 3, 2, 8, rates=(1e-2,), nulls=0, measured=names))

    return lambda objective: result(task_of(objective))


def trained(result: CohortResult, objective: Objective) -> Trained:
    return Trained(parse(TEXT), result.candidates[0], 0.25, result.reference, (task_of(objective),))


def models(objective: Objective | None = None, text: str = TEXT, seeds: tuple[int, ...] = (4, 5)) -> Stack:
    chosen = with_one_split(task(task_of(objective)), 6)
    stack = Stack(chosen, "search", [CohortMember(parse(text), seeds)], Schedule(4, (), (3e-3,)))
    stack.advance(4)
    return stack


def test_it_says_what_it_is(objective: Objective) -> None:
    assert OBJECTIVES[objective.name] is objective
    assert objective.unit and objective.formula and objective.source
    assert objective.direction in ("maximize", "minimize")
    assert inspect.getdoc(type(objective)) != inspect.getdoc(Objective)


def test_it_is_one_of_three_kinds(objective: Objective) -> None:
    kinds = {"formula": FormulaObjective, "measured": MeasuredObjective, "training": Objective}
    assert isinstance(objective, kinds[objective.kind])
    assert (objective.kind == "training") == (objective.name in {"gain", "worst_gain"})


def test_its_value_is_a_finite_number_that_the_arguments_alone_decide(objective: Objective, results: Results) -> None:
    found = trained(results(objective), objective)
    value = objective.value(found)
    assert isinstance(value, float) and math.isfinite(value) == (not objective.lacks(parse(TEXT)))
    assert repr(objective.value(found)) == repr(value)


def test_a_formula_needs_no_training_and_its_writing_does_not_matter(objective: Objective) -> None:
    if isinstance(objective, FormulaObjective):
        assert repr(objective.of(parse("x*tanh(x)"))) == repr(objective.of(parse("x * tanh( x )")))  # NaN, too
        for text in ("exp(x)", "where(x>0,1,0)", "x**3", "softplus(x)"):
            assert math.isfinite(objective.of(parse(text))) == (not objective.lacks(parse(text)))


def test_a_measure_is_one_number_that_leaves_the_models_alone(measured: MeasuredObjective) -> None:
    stack = models(measured)
    before = [tensor.clone() for tensor in stack.tensors]
    value = measured.measure(stack)
    assert value.shape == () and bool(torch.isfinite(value))
    assert torch.equal(value, measured.measure(stack))
    assert all(torch.equal(a, b) for a, b in zip(before, stack.tensors, strict=True))
    assert all(activation.after is None for activation in stack.activations)


def test_a_network_that_is_nan_has_no_number(measured: MeasuredObjective) -> None:
    stack = models(measured)
    next(iter(stack.state.values())).data.fill_(math.nan)
    assert math.isnan(measure(stack, [measured])[measured.name])


def test_a_measure_without_a_number_has_no_value(measured: MeasuredObjective, results: Results) -> None:
    found = trained(results(measured), measured)
    (name,) = found.tasks
    row = found.row.measured[name]
    broken = type(found.row)(measured={name: {**row, measured.name: math.nan}})
    assert math.isnan(measured.value(Trained(found.expression, broken, 0.0, found.reference, found.tasks)))


def test_relu_has_no_relative_loss_over_itself(measured: MeasuredObjective, results: Results) -> None:
    reference = results(measured).reference
    value = measured.value(Trained(parse("relu(x)"), reference, 0.0, reference, (task_of(measured),)))
    assert not measured.relative or value == 0.0


def test_its_requirements_are_checked_before_training(measured: MeasuredObjective) -> None:
    check_measured([measured], models(measured))
    if measured.fewest_seeds > 1:
        with pytest.raises(
            TaskError, match=f"'{task_of(measured)}': {measured.name}: expected at least .* seeds, got 1"
        ):
            check_measured([measured], models(measured, seeds=(4,)))


def test_the_page_has_every_objective() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == list(OBJECTIVES)
    for row, objective in zip(rows, OBJECTIVES.values(), strict=True):
        assert objective.unit in row and objective.direction in row and objective.kind in row


def test_activations_are_looked_at_with_their_inputs() -> None:
    def look(x: Tensor, output: Tensor) -> Tensor:
        assert x.shape == output.shape
        return (output - x).abs().flatten(1).double().mean(dim=1)

    assert float(mean_of_activations(models(text="x"), look)) == pytest.approx(0.0, abs=1e-6)
    assert float(mean_of_activations(models(text="2*x+1"), look)) > 0.1
