"""Profiles: paired blocks, rates on seeds of their own, no influence of company."""

from __future__ import annotations

import math

import numpy as np
import pytest

from evaluators.errors import EvaluationError
from evaluators.objectives import OBJECTIVES
from evaluators.profile import SIDES, Profile, Side, chosen_sides, measure_task, profile
from evaluators.profile.codec import profile_to_row
from evaluators.profile.company import company_of
from evaluators.statistics import interval
from evaluators.tasks import task
from evaluators.tasks.loop_task import LoopTask

TABLE = Side("tables", "tabular-cancer")  # trains in hundredths of a second
KURTOSIS = Side("tables", "tabular-cancer", "kurtosis")
FAILS = "exp(exp(exp(x+5)))"


def by_text(profiles: list[Profile], side: Side = TABLE) -> dict[str, Profile]:
    return {each.expression: each for each in profiles if each.side == side}


@pytest.fixture(scope="module")
def measured() -> list[Profile]:
    return profile(["tanh(x)", FAILS], [TABLE, KURTOSIS], seeds=3, seed=5)


def test_relu_is_measured_first_and_is_no_better_than_itself(measured: list[Profile]) -> None:
    assert [each.side for each in measured] == [TABLE] * 3 + [KURTOSIS] * 3
    assert measured[0].expression == "relu(x)" and measured[0].over == (0.0, 0.0, 0.0) and not measured[0].verdict


def test_a_function_has_the_same_values_in_any_company(measured: list[Profile]) -> None:
    alone = by_text(measure_task("tabular-cancer", ["tanh(x)", "relu(x)"], [TABLE], seeds=3, seed=5))
    together = by_text(measured)
    for text in ("relu(x)", "tanh(x)"):
        assert alone[text].values == together[text].values and alone[text].loss == together[text].loss


def test_blocks_share_no_seed_and_all_follow_from_one(measured: list[Profile]) -> None:
    assert len(set(by_text(measured)["tanh(x)"].values)) == 3
    again, other = (by_text(profile(["tanh(x)"], [TABLE], seeds=2, seed=seed)) for seed in (5, 6))
    assert again["tanh(x)"].values == by_text(measured)["tanh(x)"].values[:2] != other["tanh(x)"].values


def test_what_is_lower_is_better_where_the_objective_says_so(measured: list[Profile]) -> None:
    found = by_text(measured, KURTOSIS)
    assert OBJECTIVES["kurtosis"].direction == "minimize"
    relu, tanh = found["relu(x)"], found["tanh(x)"]
    assert tanh.over == pytest.approx([known - own for own, known in zip(tanh.values, relu.values, strict=True)])


def test_the_interval_is_of_the_paired_differences(measured: list[Profile]) -> None:
    tanh = by_text(measured)["tanh(x)"]
    assert tanh.interval == interval(tanh.over, ratio=tanh.ratio)
    assert tanh.interval[0] < tanh.mean_over < tanh.interval[1]
    better = Profile(TABLE, "tanh(x)", (1.0, 1.1), (1.0, 1.1), 0.1, 0.01, 0.0, "nats")
    worse = Profile(TABLE, "tanh(x)", (-1.0, -1.1), (-1.0, -1.1), 0.1, 0.01, 0.0, "nats")
    open_ = Profile(TABLE, "tanh(x)", (-1.0, 1.1), (-1.0, 1.1), 0.1, 0.01, 0.0, "nats")
    assert [each.verdict for each in (better, worse, open_)] == ["better", "worse", ""]


def test_gain_and_loss_belong_together(measured: list[Profile]) -> None:
    relu, tanh = (by_text(measured)[text] for text in ("relu(x)", "tanh(x)"))
    assert tanh.mean_over == pytest.approx(math.log(relu.loss / tanh.loss))


def test_what_fails_has_no_number_and_a_reason(measured: list[Profile]) -> None:
    failed = by_text(measured)[FAILS]
    assert np.isnan(failed.over).any() and failed.verdict == "failed" and failed.reason == "non-finite"
    row = profile_to_row(failed, {FAILS: FAILS})
    assert row["over_relu"] is None and row["interval_low"] is None and row["reason"] == failed.reason


@pytest.mark.parametrize("side", SIDES, ids=lambda side: side.name)
def test_every_side_is_a_task_with_what_can_be_measured_on_it(side: Side) -> None:
    assert side.objective.kind in {"training", "measured"}
    assert side.measure == "gain" or not isinstance(task(side.task), LoopTask)


def test_names_of_sides_are_their_own() -> None:
    assert len({each.name for each in SIDES}) == len(SIDES)
    assert not {each.name for each in SIDES} & {each.group for each in SIDES}


def test_sides_are_chosen_by_name_and_by_group() -> None:
    assert chosen_sides([]) == SIDES
    assert [each.name for each in chosen_sides(["repeats", "digits"])] == [
        "digits", "digits:reproducibility", "digits:churn",
    ]  # fmt: skip
    with pytest.raises(EvaluationError, match=r"unknown side 'repeat'.* 'repeats'"):
        chosen_sides(["repeat"])


def test_one_block_has_no_interval() -> None:
    with pytest.raises(EvaluationError, match="seeds: expected at least 2"):
        profile(["tanh(x)"], [TABLE], seeds=1)


def test_a_function_stands_beside_known_ones_each_once() -> None:
    assert list(company_of("x*tanh(x)").values())[:4] == ["x*tanh(x)", "ReLU", "GELU", "SiLU"]
    own = company_of("1.1*tanh(x)", current="elu(x)")
    assert own["tanh(x)"] == "Tanh" and own["elu(x)"] == "yours"
    assert list(company_of("gelu(x)").values()) == ["gelu(x)", "ReLU", "SiLU"]
    with pytest.raises(EvaluationError, match="functions of one number"):
        company_of("silu(x)*z")
