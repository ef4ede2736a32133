"""Statistics: against scipy, against hand calculation, and on simulated nulls."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from evaluators.statistics import (
    FEWEST_SEEDS,
    holm,
    interval,
    pooled_deviation,
    sign_flip,
    smallest_effect,
    t_test,
)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize("n", [3, 6, 10])
def test_sign_flip_equals_scipy(n: int, rng: np.random.Generator) -> None:
    for _ in range(10):
        gains = rng.normal(0.3, 1.0, n)
        # 'samples' with one sample flips signs of paired observations (gain, 0)
        expected = stats.permutation_test(
            (gains, np.zeros(n)), lambda a, b: np.sum(a - b), permutation_type="samples", n_resamples=np.inf
        ).pvalue
        assert sign_flip(gains.tolist(), rng) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("n", [2, 5, 8, 16])
def test_smallest_p(n: int, rng: np.random.Generator) -> None:
    gains = rng.uniform(0.1, 1.0, n)
    assert sign_flip(gains.tolist(), rng) == pytest.approx(2.0 ** (1 - n))
    assert sign_flip((-gains).tolist(), rng) == pytest.approx(2.0 ** (1 - n))


def test_equal_gains_are_not_lost_to_rounding(rng: np.random.Generator) -> None:
    assert sign_flip([0.1] * 8, rng) == 2.0**-7
    assert sign_flip([0.0] * 8, rng) == 1.0


def test_sampled_sign_flip_is_near_the_normal_one(rng: np.random.Generator) -> None:
    gains = rng.normal(0.3, 1.0, 40)
    z = gains.sum() / np.sqrt((gains**2).sum())
    assert sign_flip(gains.tolist(), rng) == pytest.approx(2 * stats.norm.sf(abs(z)), abs=0.02)


def test_holm_by_hand() -> None:
    # sorted .005 .01 .03 .04 times 4 3 2 1: .02 .03 .06 .04, running maximum .02 .03 .06 .06
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_keeps_the_order_and_never_lowers(p_values: list[float]) -> None:
    corrected = holm(p_values)
    assert all(p <= q <= 1 or p == q for p, q in zip(p_values, corrected, strict=True))
    ordered = [corrected[i] for i in np.argsort(p_values, kind="stable")]
    assert ordered == sorted(ordered)
    assert max(corrected) <= min(1.0, len(p_values) * max(p_values)) + 1e-12


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
@settings(deadline=None)
def test_holm_is_the_closed_test_of_bonferroni(p_values: list[float]) -> None:
    """A hypothesis falls if every set of hypotheses that holds it does (Marcus, Peritz and Gabriel 1976)."""
    everyone = range(len(p_values))
    subsets = [s for size in range(1, len(p_values) + 1) for s in combinations(everyone, size)]
    tests = {s: min(1.0, len(s) * min(p_values[i] for i in s)) for s in subsets}
    assert holm(p_values) == pytest.approx([max(tests[s] for s in subsets if i in s) for i in everyone])


@pytest.mark.parametrize("n", [5, 8, 16, 32])
def test_interval_covers_the_mean_of_normal_gains(n: int) -> None:
    """Of 95 %, at any number of seeds; 10,000 samples have a standard error of .0022."""
    gains = np.random.default_rng(n).normal(0.5, 2.0, (10_000, n))
    ends = np.array([interval(row) for row in gains.tolist()])
    assert np.mean((ends[:, 0] <= 0.5) & (ends[:, 1] >= 0.5)) == pytest.approx(0.95, abs=0.01)


@pytest.mark.parametrize("n", [2, 6, 12])
@pytest.mark.parametrize("level", [0.8, 0.95])
def test_interval_equals_scipys(n: int, level: float, rng: np.random.Generator) -> None:
    gains = rng.normal(0.3, 1.0, n)
    other = stats.ttest_1samp(gains, 0.0).confidence_interval(level)
    assert interval(gains.tolist(), level) == pytest.approx((other.low, other.high))


def test_interval_of_equal_gains_is_a_point_and_of_one_there_is_none() -> None:
    assert interval([0.25] * 5) == pytest.approx((0.25, 0.25))
    assert interval([0.25]) is None and interval([]) is None


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=10), st.floats(0.1, 10), st.floats(-5, 5))
@settings(max_examples=50, deadline=None)
def test_interval_moves_and_stretches_with_the_gains(gains: list[float], factor: float, shift: float) -> None:
    ends, moved = interval(gains), interval([factor * gain + shift for gain in gains])
    assert ends is not None
    assert moved == pytest.approx([factor * end + shift for end in ends], abs=1e-9)
    assert ends[0] <= np.mean(gains) + 1e-9 and ends[1] >= np.mean(gains) - 1e-9


def test_false_discoveries_under_the_null(rng: np.random.Generator) -> None:
    """Five ReLUs on eight seeds, 400 times: some Holm p < .05 with a positive mean at most as often as promised."""
    repetitions, finalists, seeds = 400, 5, 8
    found = 0
    for _ in range(repetitions):
        gains = rng.normal(size=(finalists, seeds))
        corrected = holm([sign_flip(row.tolist(), rng) for row in gains])
        found += any(p < 0.05 and row.mean() > 0 for p, row in zip(corrected, gains, strict=True))
    assert found / repetitions <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / repetitions)


@pytest.mark.parametrize("n", [2, 6, 12])
def test_t_test_equals_scipys(n: int, rng: np.random.Generator) -> None:
    gains = rng.normal(0.3, 1.0, n)
    assert t_test(gains.tolist()) == pytest.approx(stats.ttest_1samp(gains, 0.0).pvalue)


def test_gains_that_tell_no_noise_have_p_1() -> None:
    assert t_test([0.1] * 8) == t_test([0.0] * 8) == t_test([0.7]) == t_test([]) == 1.0


@given(st.lists(st.floats(-5, 5), min_size=3, max_size=10), st.floats(0, 2))
@settings(max_examples=50, deadline=None)
def test_p_and_interval_agree_at_every_ratio(gains: list[float], ratio: float) -> None:
    """p is below .05 where the interval leaves out 0, and both are wider at a larger ratio."""
    if np.std(gains) < 1e-3:
        return
    p, ends, wider = t_test(gains, ratio), interval(gains, ratio=ratio), interval(gains, ratio=ratio + 0.1)
    assert ends is not None and wider is not None
    if abs(p - 0.05) > 1e-9:
        assert (p < 0.05) == (ends[0] > 0 or ends[1] < 0)
    assert wider[0] < ends[0] <= np.mean(gains) <= ends[1] < wider[1]
    assert t_test(gains, ratio + 0.1) >= p


@pytest.mark.parametrize("ratio", [0.2, 0.5])
@pytest.mark.parametrize("n", [5, 32])
def test_the_corrected_test_keeps_its_level_at_the_correlation_it_assumes(n: int, ratio: float) -> None:
    """Gains correlated by ratio / (1 + ratio), 10,000 samples; a standard error of .0022."""
    rng = np.random.default_rng(n)
    shared = rng.normal(scale=np.sqrt(ratio), size=(10_000, 1))
    gains = (rng.normal(size=(10_000, n)) + shared).tolist()
    assert np.mean([t_test(row, ratio) < 0.05 for row in gains]) == pytest.approx(0.05, abs=0.008)
    assert np.mean([t_test(row) < 0.05 for row in gains]) > 0.11


@pytest.mark.parametrize("finalists", [1, 8])
@pytest.mark.parametrize("ratio", [0.0, 0.2])
def test_smallest_effect_is_shown_four_times_of_five(finalists: int, ratio: float) -> None:
    """By simulation, 8,000 samples of 10 seeds; a standard error of .0045."""
    rng = np.random.default_rng(finalists)
    effect = smallest_effect(10, 0.3, finalists, ratio)
    shared = rng.normal(effect, 0.3 * np.sqrt(ratio), size=(8_000, 1))
    gains = rng.normal(scale=0.3, size=(8_000, 10)) + shared
    shown = [t_test(row.tolist(), ratio) < 0.05 / finalists and row.mean() > 0 for row in gains]
    assert np.mean(shown) == pytest.approx(0.8, abs=0.018)


@given(st.integers(FEWEST_SEEDS, 200), st.floats(0.01, 10), st.integers(1, 100), st.floats(0, 1))
@settings(max_examples=100, deadline=None)
def test_smallest_effect_is_monotone(seeds: int, deviation: float, finalists: int, ratio: float) -> None:
    effect = smallest_effect(seeds, deviation, finalists, ratio)
    assert effect > smallest_effect(seeds + 1, deviation, finalists, ratio)
    assert effect < smallest_effect(seeds, deviation, finalists + 1, ratio)
    assert effect < smallest_effect(seeds, deviation, finalists, ratio + 0.05)
    assert effect < smallest_effect(seeds, deviation, finalists, ratio, power=0.9)
    assert smallest_effect(seeds, 2 * deviation, finalists, ratio) == pytest.approx(2 * effect)


def test_pooled_deviation(rng: np.random.Generator) -> None:
    rows = rng.normal(size=(2, 7))
    assert pooled_deviation(rows.tolist()) == pytest.approx(np.sqrt((rows.std(axis=1, ddof=1) ** 2).mean()))
    moved = rows + np.array([[1.0], [-5.0]])
    assert pooled_deviation(moved.tolist()) == pytest.approx(pooled_deviation(rows.tolist()))
