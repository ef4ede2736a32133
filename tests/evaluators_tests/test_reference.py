"""The reference of a user's task is its network as it stands: equal to a plain loop, untouched, first in everything."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from evaluators import LoopTask, Task
from evaluators.cohort import NULLS, CohortRequest, run_cohort
from evaluators.controls import more_controls
from evaluators.errors import EvaluationError, ReferenceLossError, TaskError
from evaluators.evaluate import evaluate
from evaluators.machine.backend import Backend
from evaluators.objectives import Trained, gains, objective
from evaluators.results.control_labels import CURRENT
from evaluators.results.reasons import Reason
from evaluators.results.records import CohortResult, reference_of, rivals
from evaluators.seeds import derive
from evaluators.tasks import task, task_names
from evaluators.tasks.base import Part, batches, split
from evaluators.tasks.tryout import try_out
from evaluators.training.initialisation import initial_network
from evaluators.training.member import CohortMember, Outcome, Schedule
from evaluators.training.plain import PlainModel
from evaluators.training.stacking.stack import Stack
from evaluators.training.stacking.stackable import unstackable
from evaluators.training.train import train
from primitives.expression.expression import variable
from primitives.expression.parsing import parse
from tests.evaluators_tests.test_checkpoint import asked, killed_after, results
from tests.plain import ran

DOUBLE = Backend(dtype=torch.float64)
STEPS, RATES, SEEDS = 20, (1e-3, 1e-2), (3, 5)
STANDING = CohortMember(None, SEEDS, protected=True)


class Curve(Task):
    """A small regression whose network has tanh."""

    name = "curve"
    batch_size = 32
    learning_rates = RATES
    replaced: tuple[type[nn.Module] | str, ...] = (nn.Tanh,)

    def network(self) -> nn.Module:
        return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 1))

    def data(self, part: str) -> tuple[Tensor, Tensor]:
        x = torch.randn(160, 3, generator=torch.Generator().manual_seed(len(part)))
        return x, x.prod(dim=1, keepdim=True).sin()

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return (output - target).square().mean(dim=1)


class Mixed(Curve):
    """Each place has another activation, one with parameters, one that writes into its input."""

    name = "mixed"
    replaced = (nn.PReLU, nn.ReLU, nn.Softplus)

    def network(self) -> nn.Module:
        return nn.Sequential(
            *(nn.ReLU(inplace=True), nn.Linear(3, 8), nn.PReLU(8), nn.Linear(8, 8), nn.PReLU()),
            *(nn.Linear(8, 8), nn.Softplus(beta=2.0), nn.Linear(8, 1)),
        )


class UnitReLU(nn.Module):
    """ReLU over the root of its second moment under a standard normal, as candidates are applied."""

    def forward(self, x: Tensor) -> Tensor:
        return math.sqrt(2.0) * torch.relu(x)


class Unit(Curve):
    """What stands there is what the candidate relu(x) is with its factor."""

    name = "unit"
    replaced = (UnitReLU,)
    scale = "unit"

    def network(self) -> nn.Module:
        return nn.Sequential(nn.Linear(3, 8), UnitReLU(), nn.Linear(8, 8), UnitReLU(), nn.Linear(8, 1))


class Rectified(Curve):
    """ReLU stands there, and candidates have no factor."""

    name = "rectified"
    replaced = (nn.ReLU,)

    def network(self) -> nn.Module:
        return nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 1))


class Random(Curve):
    """Candidates could be stacked; what stands there draws random numbers and cannot."""

    name = "random"
    replaced = (nn.RReLU,)

    def network(self) -> nn.Module:
        return nn.Sequential(nn.Linear(3, 8), nn.RReLU(), nn.Linear(8, 1))


class Looped(LoopTask):
    """:class:`Mixed` by a loop of its own."""

    name = "looped"
    replaced = Mixed.replaced
    learning_rates = RATES

    def network(self) -> nn.Module:
        return Mixed().network()

    def data(self, part: str) -> tuple[Tensor, Tensor]:
        return Mixed().data(part)

    def fit(self, network: nn.Module, part: Part, seed: int, rate: float, rung_steps: Sequence[int]) -> Iterator[float]:
        yield from in_a_plain_loop(Mixed(), network, part, seed, rate, rung_steps)


class Bad(Curve):
    """Its own activation has no finite value; other functions in its place train."""

    name = "bad"

    class Log(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.log(x)

    replaced = (Log,)

    def network(self) -> nn.Module:
        return nn.Sequential(nn.Linear(3, 8), self.Log(), nn.Linear(8, 1))


class Overflowing(Curve):
    """What stands there is finite at first, so that the try-out passes; it overflows once the weights have moved."""

    name = "overflowing"

    class Exp(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.exp(x)

    replaced = (Exp,)

    def network(self) -> nn.Module:
        return nn.Sequential(nn.Linear(3, 8), self.Exp(), nn.Linear(8, 1))


def in_a_plain_loop(
    chosen: Task, network: nn.Module, part: Part, seed: int, rate: float, rung_steps: Sequence[int]
) -> Iterator[float]:
    """A loop as a user would write it, which knows nothing of slots and stacks: the validation loss at each rung."""
    x, y = (tensor.to(next(network.parameters()).dtype) for tensor in chosen.data(part))
    parts = split(len(x), part, seed)
    optimiser = torch.optim.Adam(network.parameters(), lr=rate)

    def loss(index: Tensor) -> Tensor:
        return (network(x[index]) - y[index]).square().mean()

    for step, index in enumerate(batches(parts.train, rung_steps[-1], 32, seed), start=1):
        optimiser.zero_grad()
        loss(index).backward()
        optimiser.step()
        if step in rung_steps:
            yield loss(parts.validation).item()
    if part == "confirmation":
        yield loss(parts.test).item()


def by_hand(chosen: Task, rung_steps: Sequence[int] = (STEPS,)) -> np.ndarray[Any, Any]:
    """Validation losses of the untouched network, seeds x learning rates x rungs, float64."""
    rows = [
        [list(in_a_plain_loop(chosen, initial_network(chosen, s).double(), "search", s, r, rung_steps)) for r in RATES]
        for s in SEEDS
    ]
    return np.array(rows)


def trained(chosen: Task, *others: CohortMember, **options: Any) -> list[Outcome]:
    return train(chosen, "search", [STANDING, *others], Schedule(STEPS, (4, 10), RATES), backend=DOUBLE, **options)


def request(*expressions: str, **changes: Any) -> CohortRequest:
    settings: dict[str, Any] = {"tasks": ("curve",), "seed": 3, "seeds": 2, "steps": 12, "rates": RATES}
    return CohortRequest(expressions, **(settings | changes))


def found(*expressions: str, chosen: Task | None = None, **changes: Any) -> CohortResult:
    own = chosen or Curve()
    named = {own.name: own}
    return run_cohort(
        request(*expressions, **({"tasks": (own.name,)} | changes)), lambda name: named.get(name) or task(name)
    )


@pytest.mark.parametrize("kind", [Curve, Mixed, Looped])
def test_it_equals_a_plain_loop_with_the_same_initial_weights(kind: type[Task]) -> None:
    (outcome,) = trained(kind())
    expected = by_hand(Mixed() if kind is Looped else kind(), (4, 10, STEPS))
    for rung, step in enumerate((4, 10, STEPS)):
        np.testing.assert_allclose(outcome.at(step), expected[:, :, rung], rtol=1e-9)


@pytest.mark.parametrize("kind", [Curve, Mixed])
def test_the_plain_trainer_equals_it(kind: type[Task]) -> None:
    model = PlainModel(kind(), "search", None, seed=SEEDS[1], rate=RATES[1], steps=STEPS, backend=DOUBLE)
    model.advance(STEPS)
    assert model.loss("validation") == pytest.approx(by_hand(kind())[1, 1, 0], rel=1e-9)


def test_parameters_of_what_stands_there_are_trained() -> None:
    stack = Stack(Mixed(), "search", [STANDING], Schedule(STEPS, (), RATES), backend=DOUBLE)
    own = {name for name, _ in Mixed().network().named_parameters()}
    assert set(stack.state) == own and not stack.activations
    before = {name: tensor.detach().clone() for name, tensor in stack.state.items()}
    stack.advance(STEPS)
    assert all((stack.state[name] != before[name]).any() for name in ("2.weight", "4.weight"))


def test_it_is_alone_in_its_stack_and_no_bit_depends_on_company() -> None:
    others = [CohortMember(parse(text), SEEDS) for text in ("sin(x)", "relu(x)")]
    (alone,), (together, *_) = trained(Mixed()), trained(Mixed(), *others, CohortMember(None, (1,)), width=4)
    assert alone.losses == together.losses
    with pytest.raises(EvaluationError, match="alone in a stack, got 2 members"):
        Stack(Mixed(), "search", [STANDING, others[0]], Schedule(STEPS, (), RATES))


def test_a_function_that_stands_there_already_gains_nothing() -> None:
    result = found("relu(x)", "2*relu(x)", "sin(x)", chosen=Unit())
    same, scaled, other = (gains(row, result.reference, ["unit"]) for row in result.candidates)
    assert np.abs(same).max() < 1e-5 and np.abs(scaled).max() < 1e-5
    assert np.abs(other).max() > 1e-3
    assert np.abs(gains(result.controls["relu"], result.reference, ["unit"])).max() < 1e-5


def test_without_a_scale_it_gains_nothing_and_a_factor_counts() -> None:
    result = found("relu(x)", "2*relu(x)", chosen=Rectified())
    same, scaled = (gains(row, result.reference, ["rectified"]) for row in result.candidates)
    assert np.abs(same).max() < 1e-5 < 1e-3 < np.abs(scaled).max()


def test_where_only_what_stands_there_cannot_be_stacked_all_are_trained_one_at_a_time() -> None:
    assert "rrelu" in unstackable(Random())
    asks = Random()
    asks.reference = "relu"
    assert not unstackable(asks)
    (note,) = try_out(Random())
    assert "trained one at a time" in note
    first, again = (found("sin(x)", chosen=Random()) for _ in range(2))
    losses = [each.reference.losses["random"][12] for each in (first, again)]
    assert np.isfinite(losses).all() and np.array_equal(losses[0], losses[1])
    plain = PlainModel(Random(), "search", None, seed=derive(3, "search", "seed", 0), rate=RATES[0], steps=12)
    plain.advance(12)
    assert losses[0][0, 0] == pytest.approx(plain.loss("validation"), rel=1e-6)


def test_the_first_control_and_null_controls_are_the_network_as_it_stands() -> None:
    result = found("sin(x)")
    assert list(result.controls) == [CURRENT, "relu", "gelu", "silu"]
    assert result.reference is not result.controls["relu"]
    assert len(result.nulls) == NULLS
    seeds = [row.losses["curve"][12].tolist() for row in (result.reference, *result.nulls)]
    assert len({str(each) for each in seeds}) == NULLS + 1
    bad = found("sin(x)", chosen=Bad())  # what is NaN is a copy of what stands there
    assert all(np.isnan(row.losses["bad"][12]).all() for row in (bad.reference, *bad.nulls))


def test_the_shipped_tasks_keep_relu_and_a_task_may_ask_for_it() -> None:
    assert {task(name).reference for name in task_names()} == {"relu"}
    assert {larger.reference for name in task_names() if (larger := task(name).larger())} == {"relu"}
    asks = Curve()
    asks.reference = "relu"
    result = found("sin(x)", chosen=asks)
    assert list(result.controls) == ["relu", "gelu", "silu"]
    assert result.reference is result.controls["relu"]
    stands = found("sin(x)")
    assert all(np.array_equal(result.controls[n].losses["curve"][12], stands.controls[n].losses["curve"][12])
               for n in result.controls)  # fmt: skip
    asks.reference = "curent"
    for refused in (lambda: found("sin(x)", chosen=asks), lambda: try_out(asks)):
        with pytest.raises(TaskError, match=r"'curve': reference: .* got 'curent'; did you mean 'current'"):
            refused()


def test_among_several_tasks_each_has_its_own_reference() -> None:
    result = found("sin(x)", tasks=("digits-2x16", "curve"))
    current, relu = result.controls[CURRENT], result.controls["relu"]
    assert list(current.losses) == ["curve"] and list(relu.losses) == ["digits-2x16", "curve"]
    assert result.reference.losses["digits-2x16"] is relu.losses["digits-2x16"]
    assert result.reference.losses["curve"] is current.losses["curve"]
    shipped = found("sin(x)", tasks=("digits-2x16",))
    for row, alone in zip(result.nulls, shipped.nulls, strict=True):  # ReLUs there
        assert np.array_equal(row.losses["digits-2x16"][12], alone.losses["digits-2x16"][12])
    assert gains(result.candidates[0], rivals(result.controls)[CURRENT], list(result.seconds)).shape == (2, 2)


def test_rejection_is_by_the_reference() -> None:
    """A threshold between the candidate's losses relative to the reference and to ReLU."""
    free = found("sin(x)", rungs=(6,))
    candidate, current, relu = free.candidates[0], free.reference, free.controls["relu"]

    def relative(other: Any) -> float:
        tables = [row.losses["curve"][6] for row in (candidate, other)]
        own, against = (table[:, table.mean(axis=0).argmin()] for table in tables)
        return float(np.log(own / against).mean())

    thresholds = {("curve", 6): (relative(current) + relative(relu)) / 2}
    (row,) = found("sin(x)", rungs=(6,), thresholds=thresholds).candidates
    assert relative(current) != relative(relu)
    assert row.reason == (Reason.UNPROMISING if relative(current) > relative(relu) else None)


@pytest.mark.parametrize("name", ["noise", "sparsity", "robustness", "reproducibility"])
def test_measured_objectives_see_what_stands_there(name: str) -> None:
    """The same function in the same places has the same number, whether it stands there or is put there."""
    result = found("relu(x)", "sin(x)", chosen=Unit(), measured=(name,))
    standing, put, other = (
        row.measured["unit"][name] for row in (result.reference, result.candidates[0], result.candidates[1])
    )
    assert put == pytest.approx(standing, rel=1e-4)
    assert other != pytest.approx(standing, rel=1e-4)
    if name in ("noise", "robustness"):
        own = objective(name)
        values = [own.value(Trained(variable(), row, 0.0, result.reference, ["unit"])) for row in result.candidates]
        assert abs(values[0]) < 1e-4 < abs(values[1])


def test_noise_of_what_stands_there_is_that_of_rounded_activations() -> None:
    stack = Stack(Mixed(), "search", [STANDING], Schedule(STEPS, (), RATES[:1]), backend=DOUBLE)
    seen: list[tuple[int, ...]] = []

    def halved(x: Tensor, output: Tensor) -> Tensor:
        seen.append(tuple(output.shape))
        return output / 2

    x = stack.examples.inputs[:32].expand(len(SEEDS), -1, -1)
    places = ("0", "2", "4", "6")
    for look in stack.looks:
        look.after = halved
    with torch.no_grad():
        outputs = stack.outputs(x)
    assert [shape[:2] for shape in seen] == [(2, 32)] * len(places)
    for seed, output in zip(SEEDS, outputs, strict=True):
        network = initial_network(Mixed(), seed).double()
        for place in places:
            network.get_submodule(place).register_forward_hook(lambda _, __, out: out / 2)
        torch.testing.assert_close(network(stack.examples.inputs[:32].clone()), output, rtol=1e-12, atol=0.0)


def test_a_control_without_a_finite_loss_is_measured_at_a_rate_that_it_has() -> None:
    named, rates = (("exp(exp(x))", "exp(exp(x))"),), (1e-3, 1e-2, 3e-2)
    result = found("sin(x)", controls=named, rates=rates, rungs=(6,), drop_worst_rate=True, measured=("sparsity",))
    assert math.isnan(result.controls["exp(exp(x))"].measured["curve"]["sparsity"])


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("kind", [Mixed, Looped])
def test_it_goes_on_from_a_checkpoint_with_the_same_bits(
    kind: type[Task], count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = request("sin(x)", tasks=(kind.name,), rates=(1e-3, 1e-2, 3e-2), rungs=(4, 8), drop_worst_rate=True)
    options = {"find": lambda _: kind()}
    killed_after(monkeypatch, count, asked(tmp_path, plain), **options)
    assert list(tmp_path.iterdir())
    assert results(ran(asked(tmp_path, plain), **options)) == results(ran(plain, **options))


def test_more_controls_are_trained_as_candidates_are() -> None:
    named = more_controls(["sin(30*x)", "swish"])
    assert [name for name, _ in named] == ["sin(30*x)", "swish"]
    result = found("sin(30*x)", named[1][1], controls=named)
    assert list(result.controls) == [CURRENT, "relu", "gelu", "silu", "sin(30*x)", "swish"]
    for row, name in zip(result.candidates, ("sin(30*x)", "swish"), strict=True):
        assert np.array_equal(row.losses["curve"][12], result.controls[name].losses["curve"][12])
    without = found("sin(30*x)")
    assert all(
        np.array_equal(row.losses["curve"][12], result.controls[name].losses["curve"][12])
        for name, row in without.controls.items()
    )


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("swihs", r"'swihs' is no expression.*; did you mean 'swish'"),
        ("sin(30*y)", r"position 7: unknown name 'y'"),
        ("silu(x)", r"'silu\(x\)' is the control 'silu' already"),
        ("ReLU", r"'ReLU' is the control 'relu' already"),
    ],
)
def test_a_control_that_is_none_is_refused(entry: str, message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        more_controls(["sin(30*x)", entry])


def test_evaluate_has_gains_over_all_of_them() -> None:
    (sine,) = evaluate(["sin(x)"], Curve(), seeds=2, steps=12, controls=["sin(30*x)"])
    assert list(sine.gains) == [CURRENT, "relu", "gelu", "silu", "sin(30*x)"]
    assert sine.gain == sine.gains[CURRENT]
    assert sine.interval[0] <= sine.gain <= sine.interval[1]
    (shipped,) = evaluate(["sin(x)"], "digits-2x16", seeds=2, steps=4)
    assert list(shipped.gains) == ["relu", "gelu", "silu"] and shipped.gain == shipped.gains["relu"]


def test_evaluate_refuses_a_reference_without_a_loss_and_not_another_control() -> None:
    with pytest.raises(
        ReferenceLossError, match=r"network as it stands, .* no finite loss on overflowing: at none of its 2"
    ):
        evaluate(["sin(x)"], Overflowing(), seeds=2, steps=STEPS, rates=(100.0, 200.0))
    (row,) = evaluate(["sin(x)"], Curve(), seeds=2, steps=12, controls=["exp(exp(x))"])
    assert math.isfinite(row.gain) and math.isnan(row.gains["exp(exp(x))"])


def test_a_result_of_older_versions_has_relu() -> None:
    result = found("sin(x)")
    older = replace(result, controls={name: row for name, row in result.controls.items() if name != CURRENT})
    assert reference_of(older.controls) is older.reference is older.controls["relu"]
    kept = found("sin(x)", current=False)
    assert list(kept.controls) == ["relu", "gelu", "silu"]
    assert np.array_equal(kept.reference.losses["curve"][12], older.reference.losses["curve"][12])
