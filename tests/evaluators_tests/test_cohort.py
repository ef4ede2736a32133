"""Cohorts: controls repeat bit for bit, failures leave with a reason, results are plain JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from evaluators.cohort import NULLS, CohortRequest
from evaluators.controls import CONTROLS
from evaluators.errors import EvaluationError, TaskError
from evaluators.evaluate import evaluate
from evaluators.objectives import gains
from evaluators.places.each_place import OfKind, in_each_place
from evaluators.tasks import task, task_names
from evaluators.tasks.base import Task
from primitives.errors import ExpressionError
from tests.plain import member, ran


def request(*expressions: str, **changes: Any) -> CohortRequest:
    settings: dict[str, Any] = {"tasks": ("digits",), "seed": 3, "seeds": 2, "steps": 20, "rates": (1e-3, 1e-2)}
    return CohortRequest(expressions, **(settings | changes))


@pytest.fixture(scope="module")
def result() -> dict[str, Any]:
    return ran(request("relu(x)", "50*x**3", "exp(x)-1", "x*atan(x)", "exp(exp(x))", rungs=(5, 10)))


class Spirals(Task):
    """A user's own task: two classes, a network with a module reached by attribute."""

    name = "spirals"
    batch_size = 32
    learning_rates = (1e-2,)
    steps = 10
    replaced: tuple[type[nn.Module] | str, ...] = (nn.Tanh,)

    def network(self) -> nn.Module:
        return nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.LayerNorm(16), nn.Linear(16, 1), nn.Flatten(0))

    def data(self, part: str) -> tuple[Tensor, Tensor]:
        generator = torch.Generator().manual_seed(1 if part == "search" else 2)
        x = torch.randn(256, 2, generator=generator)
        return x, (x[:, 0] * x[:, 1] > 0).float()

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return nn.functional.binary_cross_entropy_with_logits(output, target, reduction="none")


def test_controls_repeat_bit_for_bit(result: dict[str, Any]) -> None:
    other = ran(request("gelu(x)", "sin(x)", rungs=(5, 10)))
    assert other["controls"] == result["controls"]
    assert other["nulls"] == result["nulls"]
    assert other["candidates"][0] == other["controls"]["gelu"]


def test_a_probed_width_changes_no_result(result: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evaluators.cohort.fastest_width", lambda task, backend: 5)
    other = ran(request("gelu(x)", "sin(x)", rungs=(5, 10), width=None))
    assert other["controls"] == result["controls"]


def test_autocast_reaches_the_network(result: dict[str, Any]) -> None:
    other = ran(request("gelu(x)", "sin(x)", rungs=(5, 10), autocast="bfloat16"))
    lowered, exact = (each["controls"]["relu"]["losses"]["digits"]["5"] for each in (other, result))
    assert lowered != exact
    torch.testing.assert_close(torch.tensor(lowered), torch.tensor(exact), rtol=0.05, atol=0.0)


@pytest.mark.skipif(torch.cuda.is_available(), reason="for machines without a GPU")
def test_a_device_that_is_not_here_is_refused() -> None:
    with pytest.raises(EvaluationError, match="device 'cuda:1' is not here; available: cpu"):
        ran(request("gelu(x)", device="cuda:1"))


def test_a_candidate_that_is_a_control_equals_it(result: dict[str, Any]) -> None:
    own, relu = result["candidates"][0], result["controls"]["relu"]
    assert own == relu
    assert not gains(member(own), member(relu), ["digits"]).any()


def test_null_controls_differ(result: dict[str, Any]) -> None:
    assert len(result["nulls"]) == NULLS
    losses = [json.dumps(row["losses"]) for row in (result["controls"]["relu"], *result["nulls"])]
    assert len(set(losses)) == NULLS + 1
    assert not any(row["reason"] for row in result["nulls"])


def test_failures_have_a_reason_and_stop_early(result: dict[str, Any]) -> None:
    row = result["candidates"][4]
    assert (row["reason"], row["failed_on"]) == ("non-finite", "digits")
    assert list(row["losses"]["digits"]) == ["5"]
    for row in (*result["candidates"][:1], result["candidates"][3], *result["controls"].values()):
        assert row["reason"] == ""
        assert list(row["losses"]["digits"]) == ["5", "10", "20"]


def test_a_bad_candidate_is_far_below_relu() -> None:
    (row,) = ran(request("50*x**3", steps=60, rungs=(30,), rates=(1e-2,)))["candidates"]
    assert row["reason"] == "far-below-relu"


def test_a_function_that_learns_nothing_is_stuck() -> None:
    settings = {"tasks": ("digits-10x32",), "steps": 100, "rungs": (90,), "rates": (3e-3,)}
    (row,) = ran(request("sin(40*x)", **settings))["candidates"]
    assert row["reason"] in {"stuck-at-chance", "far-below-relu"}
    assert list(row["losses"]["digits-10x32"]) == ["90"]


def test_result_is_strict_json(result: dict[str, Any]) -> None:
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert set(result["controls"]) == set(CONTROLS)
    assert set(result["seconds"]) == {"digits"}


def test_width_changes_nothing(result: dict[str, Any]) -> None:
    narrow = ran(request("x*atan(x)", rungs=(5, 10), width=8))
    assert narrow["candidates"][0] == result["candidates"][3]
    assert narrow["controls"] == result["controls"]


@pytest.mark.parametrize("name", task_names())
def test_width_changes_nothing_on_any_task(name: str) -> None:
    """Not where a validation set below 32 is filled up either, nor in confirmation."""
    row = "atan(exp(x))/sum_c(atan(exp(x)))"
    of_kind: OfKind = {"pointwise": "x*atan(x)", "layer": "x*atan(x)", "gate": "x*atan(z)", "row": row}
    tried = in_each_place(task(name), of_kind).text
    for purpose in ("search", "confirmation"):
        settings = {"tasks": (name,), "steps": 2, "nulls": 0, "seeds": 1, "rates": (3e-3,), "purpose": purpose}
        wide, narrow = (ran(request(tried, width=width, **settings)) for width in (132, 2))
        assert wide["candidates"] == narrow["candidates"]
        assert wide["controls"] == narrow["controls"]


def test_a_failure_on_one_task_is_not_trained_on_the_next() -> None:
    found = ran(request("exp(exp(x))", "gelu(x)", tasks=("digits", "digits-10x32"), steps=10, rungs=(5,)))
    assert list(found["candidates"][0]["losses"]) == ["digits"]
    assert list(found["candidates"][1]["losses"]) == ["digits", "digits-10x32"]
    own, relu = member(found["candidates"][1]), member(found["controls"]["relu"])
    assert gains(own, relu, ["digits", "digits-10x32"]).shape == (2, 2)


def test_confirmation_uses_other_seeds_and_takes_test_losses(result: dict[str, Any]) -> None:
    found = ran(request("relu(x)", purpose="confirmation"))
    row = found["candidates"][0]
    assert row == found["controls"]["relu"]
    assert [len(seed) for seed in row["tests"]["digits"]] == [2, 2]
    assert row["losses"]["digits"]["20"] != result["controls"]["relu"]["losses"]["digits"]["20"]
    assert result["controls"]["relu"]["tests"] == {}
    assert not gains(member(row), member(found["controls"]["relu"]), ["digits"], test=True).any()


def test_evaluate_relu_gains_nothing() -> None:
    relu, swish = evaluate(["relu(x)", "x*sigmoid(beta*x); beta=1.0"], seeds=2, steps=20, rates=(1e-2,))
    assert (relu.gain, relu.interval, relu.objectives["cost"]) == (0.0, (0.0, 0.0), 1.0)
    assert relu.gains["gelu"] != 0.0
    assert swish.interval[0] <= swish.gain <= swish.interval[1]


def test_evaluate_a_failure() -> None:
    (found,) = evaluate(["exp(exp(x))"], seeds=2, steps=5)
    assert found.reason == "non-finite"
    assert found.gain != found.gain  # NaN


def test_evaluate_refuses_bad_input() -> None:
    with pytest.raises(EvaluationError, match="at least 2"):
        evaluate(["relu(x)"], seeds=1)
    with pytest.raises(TaskError, match="did you mean"):
        evaluate(["relu(x)"], "digts")
    with pytest.raises(ExpressionError, match="rellu"):
        evaluate(["rellu(x)"])


def test_a_users_own_task() -> None:
    tanh, relu = evaluate(["tanh(x)", "relu(x)"], Spirals(), seeds=2)
    assert tanh.reason == relu.reason == ""
    assert relu.gains["relu"] == 0.0
    assert relu.gain == relu.gains["current"] != 0.0
    # the network has it already, as torch rounds it; 10 steps, so that rounding cannot grow
    assert tanh.gain == pytest.approx(0.0, abs=1e-6)
    assert tanh.gains["relu"] == pytest.approx(-relu.gain, abs=1e-6)


def test_a_network_without_a_place_is_refused() -> None:
    class Nowhere(Spirals):
        replaced = (nn.GELU,)

    with pytest.raises(TaskError, match=r"no GELU for the candidate to replace; activations: 1 \(Tanh\)"):
        evaluate(["relu(x)"], Nowhere(), seeds=2)
