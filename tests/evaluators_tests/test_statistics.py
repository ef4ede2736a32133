"""Statistics: against scipy, against hand calculation, and on simulated nulls."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from evaluators.statistics import holm, interval, reliability, seeds_needed, shrunk, sign_flip


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


@given(st.integers(1, 200))
def test_seeds_needed_is_the_smallest_number_that_can_pass(finalists: int) -> None:
    seeds = seeds_needed(finalists)
    assert finalists * 2.0 ** (1 - seeds) <= 0.05
    assert finalists * 2.0 ** (2 - seeds) > 0.05


def test_seeds_needed_table() -> None:
    assert [seeds_needed(m) for m in (1, 2, 3, 5, 10)] == [6, 7, 7, 8, 9]


def test_interval_covers_the_mean(rng: np.random.Generator) -> None:
    inside = 0
    for _ in range(60):
        low, high = interval(rng.normal(0.5, 1.0, 30).tolist(), rng)
        assert low < high
        inside += low <= 0.5 <= high
    assert inside >= 48  # 95 % nominal, about 93 % at n = 30: below 48 of 60 with probability 1e-4


@pytest.mark.parametrize("n", [6, 12])
def test_interval_equals_scipys_bootstrap(n: int, rng: np.random.Generator) -> None:
    gains = rng.normal(0.3, 1.0, n)
    other = stats.bootstrap((gains,), np.mean, n_resamples=10_000, method="percentile", rng=1).confidence_interval
    noise = 4 * gains.std() / np.sqrt(n) / np.sqrt(10_000 * 0.025) * 2  # of two quantiles of 10,000 each
    assert interval(gains.tolist(), rng) == pytest.approx((other.low, other.high), abs=noise)


def test_interval_of_equal_gains_is_a_point(rng: np.random.Generator) -> None:
    assert interval([0.25] * 5, rng) == pytest.approx((0.25, 0.25))


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=10))
@settings(max_examples=20, deadline=None)
def test_interval_lies_within_the_gains(gains: list[float]) -> None:
    low, high = interval(gains, np.random.default_rng(0))
    assert min(gains) - 1e-9 <= low <= high <= max(gains) + 1e-9


def test_reliability_without_noise_and_of_noise(rng: np.random.Generator) -> None:
    true = rng.normal(size=(50, 1))
    assert reliability(np.repeat(true, 8, axis=1)) == pytest.approx(1.0)
    assert reliability(rng.normal(size=(2000, 8))) < 0.15
    halves = reliability(rng.normal(size=(4000, 1)) + rng.normal(0, np.sqrt(8), size=(4000, 8)))
    assert halves == pytest.approx(0.5, abs=0.06)
    assert reliability(np.ones((3, 4))) == 0.0


def test_reliability_is_one_minus_the_inverse_f_of_a_two_way_layout(rng: np.random.Generator) -> None:
    """F of candidates = mean square of candidates / of the residuals (Fisher 1925); here from sums of squares."""
    gains = rng.normal(size=(12, 1)) + rng.normal(size=(1, 5)) + rng.normal(size=(12, 5))
    rows, columns = gains.mean(axis=1), gains.mean(axis=0)
    candidates = 5 * ((rows - gains.mean()) ** 2).sum()
    seeds = 12 * ((columns - gains.mean()) ** 2).sum()
    residual = ((gains - gains.mean()) ** 2).sum() - candidates - seeds
    f = (candidates / 11) / (residual / (11 * 4))
    assert reliability(gains) == pytest.approx(1 - 1 / f)


def test_shrinkage_pulls_to_the_centre() -> None:
    assert shrunk(0.4, 0.1, 1.0) == pytest.approx(0.4)
    assert shrunk(0.4, 0.1, 0.0) == pytest.approx(0.1)
    assert shrunk(0.4, 0.1, 0.5) == pytest.approx(0.25)


def test_shrunk_winner_is_unbiased(rng: np.random.Generator) -> None:
    """The winner's own mean overstates it; the shrunk one does not."""
    raw, remedied = [], []
    for _ in range(300):
        true = rng.normal(0, 0.5, size=20)
        gains = true[:, None] + rng.normal(0, 1.0, size=(20, 4))
        means = gains.mean(axis=1)
        best = int(means.argmax())
        raw.append(means[best] - true[best])
        remedied.append(shrunk(means[best], means.mean(), reliability(gains)) - true[best])
    assert np.mean(raw) > 0.3
    assert abs(np.mean(remedied)) < 0.1


def test_false_discoveries_under_the_null(rng: np.random.Generator) -> None:
    """Five ReLUs on eight seeds, 400 times: some Holm p < .05 with a positive mean at most as often as promised."""
    repetitions, finalists, seeds = 400, 5, 8
    found = 0
    for _ in range(repetitions):
        gains = rng.normal(size=(finalists, seeds))
        corrected = holm([sign_flip(row.tolist(), rng) for row in gains])
        found += any(p < 0.05 and row.mean() > 0 for p, row in zip(corrected, gains, strict=True))
    assert found / repetitions <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / repetitions)


def test_reliability_does_not_take_a_shared_seed_effect_for_noise() -> None:
    """True spread .1, own noise .05 on 2 seeds: .01 / (.01 + .00125) = .889, whatever a seed does to all alike."""
    rng = np.random.Generator(np.random.PCG64(0))
    found = [
        reliability(
            rng.normal(0, 0.1, (300, 1)) + rng.normal(0, 0.2, (1, 2)) + rng.normal(0, 0.05, (300, 2)),
        )
        for _ in range(50)
    ]
    assert np.mean(found) == pytest.approx(0.889, abs=0.01)
