"""What is expected of the best of many: unbiased where the naive mean is not, and with an interval that holds."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evaluators.expected_gain import Expected, expected_gains, noise
from evaluators.training.member import Array

NOISE, SEEDS = 0.1, 2  # of a mean over the seeds, as on digits: .11


def many_near_0_few_large(rng: np.random.Generator, count: int) -> Array:
    return np.where(rng.random(count) < 0.95, rng.normal(0.0, 0.03, count), rng.normal(0.2, 0.1, count))


def normal(rng: np.random.Generator, count: int) -> Array:
    return rng.normal(-0.1, 0.1, count)


def mostly_bad(rng: np.random.Generator, count: int) -> Array:
    return 0.3 - rng.exponential(0.3, count)


def observed(rng: np.random.Generator, true: Array) -> Array:
    """Candidates x seeds: a seed moves all alike, too."""
    own = rng.normal(0.0, NOISE * SEEDS**0.5, (len(true), SEEDS))
    shared = rng.normal(0.0, 0.2, SEEDS)
    return true[:, None] + own + shared - shared.mean()


@pytest.mark.parametrize("draw", [many_near_0_few_large, normal, mostly_bad])
def test_the_best_five_of_2000(draw: Callable[[np.random.Generator, int], Array]) -> None:
    """The naive mean is too high by more than .1, the expected one by at most .03; the intervals hold 80 % at least."""
    naive, bias, held = [], [], []
    for repetition in range(12):
        rng = np.random.default_rng(repetition)
        true = draw(rng, 2000)
        field = observed(rng, true)
        means = field.mean(axis=1)
        best = np.argsort(-means)[:5]
        found = expected_gains(field, field[best])
        assert found is not None
        naive.append(float((means[best] - true[best]).mean()))
        bias.append(float(np.mean([each.mean for each in found]) - true[best].mean()))
        held += [each.low <= value <= each.high for each, value in zip(found, true[best], strict=True)]
        assert all(each.low <= each.mean <= each.high for each in found)
    assert np.mean(naive) > 0.1
    assert abs(np.mean(bias)) < 0.03
    assert np.mean(held) >= 0.8


def test_the_noise_is_the_residual_of_the_upper_half() -> None:
    """What a seed does to all alike is none; bad functions, which scatter more, do not count."""
    rng = np.random.default_rng(0)
    true = np.concatenate([rng.normal(0.0, 0.1, 1500), rng.normal(-3.0, 0.1, 1400)])
    field = observed(rng, true)
    field[1500:] += rng.normal(0.0, 1.0, (1400, SEEDS))
    assert noise(field) == pytest.approx(NOISE, rel=0.06)


def test_the_noise_by_hand() -> None:
    """Upper half of four: rows (4, 6), (3, 1); residuals -1, 1, 1, -1 of one degree of freedom: 4 / 1 / 2 seeds."""
    field = np.array([[0.0, 0.0], [4.0, 6.0], [-9.0, 1.0], [3.0, 1.0]])
    assert noise(field) == pytest.approx(2**0.5)


def test_where_nothing_tells_the_noise_nothing_is_expected() -> None:
    assert expected_gains(np.ones((5, 1)), np.ones((1, 1))) is None
    assert expected_gains(np.ones((1, 5)), np.ones((1, 5))) is None
    assert expected_gains(np.zeros((0, 0)), np.zeros((0, 0))) is None


def test_without_noise_a_gain_is_what_it_is() -> None:
    field = np.repeat(np.array([[0.1], [0.7], [0.3]]), 3, axis=1) + np.array([0.1, -0.2, 0.1])
    assert expected_gains(field, field[1:2]) == [Expected(*[pytest.approx(0.7)] * 3)]  # type: ignore[arg-type]


def test_small_noise_takes_little_away() -> None:
    rng = np.random.default_rng(0)
    true = rng.normal(0.0, 1.0, 200)
    field = true[:, None] + rng.normal(0.0, 0.01, (200, 4))
    row = field[[int(field.mean(axis=1).argmax())]]
    best = float(row.mean())
    (found,) = expected_gains(field, row) or []
    assert found.mean == pytest.approx(best, abs=0.01)


@given(st.integers(2, 30), st.integers(2, 4), st.integers(0, 99), st.floats(1e-3, 1e3))
@settings(max_examples=40, deadline=None)
def test_any_field_has_an_answer(rows: int, seeds: int, seed: int, unit: float) -> None:
    """Few rows, other units, failures far off: finite, in order, the better gain not the worse one."""
    rng = np.random.default_rng(seed)
    field = unit * rng.standard_t(2, (rows, seeds))
    field = field[np.argsort(-field.mean(axis=1))]
    means = field.mean(axis=1)
    found = expected_gains(field, field[:3])
    assert found is not None
    assert all(np.isfinite([each.mean, each.low, each.high]).all() for each in found)
    assert all(each.low <= each.high and each.mean <= means[0] + unit for each in found)
    assert all(a.mean >= b.mean - 1e-9 * unit for a, b in pairwise(found))
    assert expected_gains(field, field[:3]) == found


def raced(rng: np.random.Generator, true: Array, effect: float) -> Array:
    """One seed for all, eight more for those whose first gain is in the upper fifth; each seed moves all alike."""
    field: Array = true[:, None] + rng.normal(0.0, NOISE, (len(true), 9)) + rng.normal(0.0, effect, 9)
    field[field[:, 0] < np.quantile(field[:, 0], 0.8), 1:] = np.nan
    return field


@pytest.mark.parametrize("effect", [0.0, 0.2])
@pytest.mark.parametrize("draw", [normal, mostly_bad])
def test_more_seeds_for_the_better_ones(draw: Callable[[np.random.Generator, int], Array], effect: float) -> None:
    """The luck of those that were chosen for more seeds is no effect of the first one; noise and seeds are found."""
    bias, held, chosen = [], [], []
    for repetition in range(8):
        rng = np.random.default_rng(repetition)
        true = draw(rng, 600)
        field = raced(rng, true, effect)
        shift = np.nanmean(field[field[:, 8] == field[:, 8]].mean(axis=0)) - true[field[:, 8] == field[:, 8]].mean()
        found = expected_gains(field, field)
        assert found is not None
        means = np.array([each.mean for each in found])
        five = np.argsort(-means)[:5]
        bias.append(float(means[five].mean() - true[five].mean() - shift))
        held += [found[n].low <= true[n] + shift <= found[n].high for n in five]
        chosen.append(true[np.argsort(-true)[:5]].mean() - true[five].mean())
    assert abs(np.mean(bias)) < 0.03
    assert np.mean(held) >= 0.8
    assert np.mean(chosen) < 0.04


def test_one_seed_less_for_one_row_changes_little() -> None:
    """The two estimates of the noise, of equal and of unequal seeds, agree."""
    rng = np.random.default_rng(0)
    field = normal(rng, 400)[:, None] + rng.normal(0.0, NOISE, (400, 4)) + rng.normal(0.0, 0.1, 4)
    whole = expected_gains(field, field)
    field[int(field.mean(axis=1).argmin()), 3] = np.nan
    almost = expected_gains(field, field)
    assert whole and almost
    rows = np.argsort(-np.nanmean(field, axis=1))[:200]
    assert [almost[n].mean for n in rows] == pytest.approx([whole[n].mean for n in rows], abs=0.02)


@example(rows=2, seeds=3, seed=65, unit=37.0)  # the spread of a row is below 0 by rounding
@given(st.integers(2, 30), st.integers(2, 5), st.integers(0, 99), st.floats(1e-3, 1e3))
@settings(max_examples=30, deadline=None)
def test_any_raced_field_has_an_answer(rows: int, seeds: int, seed: int, unit: float) -> None:
    rng = np.random.default_rng(seed)
    field = unit * rng.standard_t(2, (rows, seeds))
    for row in field[1:]:
        row[rng.integers(1, seeds + 1) :] = np.nan
    found = expected_gains(field, field)
    assert found is not None
    assert all(np.isfinite([each.mean, each.low, each.high]).all() for each in found)


def test_what_is_expected_of_one_does_not_depend_on_the_others_that_were_chosen() -> None:
    """To the last bit: the record of one finalist and that of eight say the same of it."""
    generator = np.random.default_rng(1)
    field = generator.normal(0, 1, (60, 1)) + generator.normal(0, 1, (60, 3))
    together = expected_gains(field, field[:20]) or []
    assert together == [one for row in field[:20] for one in expected_gains(field, row[None]) or []]
