"""The Gaussian process: its kernel is one, no sign or factor counts, and what it believes follows from the results."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import eigvalsh

from evaluators.training.member import Array
from primitives import Expression, apply, constant, parse
from primitives.equivalence.signs import sign_orbit
from primitives.grammars import grammar
from search.strategies.description import Descriptions, describe
from search.strategies.gaussian_process import (
    VARIANCE,
    Standard,
    fitted,
    kernel,
    posterior,
    posterior_mean,
    promising,
    shape_kernel,
    targets,
)  # fmt: skip
from search.strategies.predictors import Question

TEXTS = (
    "gelu(x)",
    "max(x,sin(x))",
    "x**3+cos(x)",
    "exp(x)",
    "where(x>0,x,-0.2/(1+x**2))",
    "x*sigmoid(beta*x); beta=1.0",
)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def samples(name: str, count: int, seed: int = 0) -> list[Expression]:
    source, random = grammar(name), rng(seed)
    return [source.sample(random) for _ in range(count)]


def described(*expressions: Expression, exact: bool = False) -> Descriptions:
    return Descriptions.of(expressions, exact=exact)


@pytest.mark.parametrize("name", ["default", "swish2017", "pangaea"])
@pytest.mark.parametrize("exact", [False, True])
def test_the_kernel_is_positive_semidefinite(name: str, exact: bool) -> None:
    """Whatever expressions: non-finite, constant and steep ones, too."""
    of = described(*samples(name, 150), *map(parse, ("1/(x-x)", "x-x", "exp(exp(x))", "1/x")), exact=exact)
    assert all(np.isfinite(part).all() for part in (of.even, of.odd, of.numbers))
    covariance = kernel(of, of, Standard.of(of.numbers))
    np.testing.assert_allclose(np.diag(covariance), VARIANCE)
    assert eigvalsh(covariance).min() > -1e-10 * len(covariance)
    assert eigvalsh(shape_kernel(of, of)).min() > -1e-10 * len(covariance)


@pytest.mark.parametrize("text", TEXTS)
def test_signs_and_a_factor_of_the_output_do_not_count(text: str) -> None:
    f = parse(text)
    orbit = described(*(each.expression for each in sign_orbit(f)), apply("mul", constant(3.0), f))
    others = described(*samples("default", 30))
    covariance = kernel(orbit, others, Standard.of(others.numbers))
    np.testing.assert_allclose(covariance, covariance[:1].repeat(len(covariance), axis=0), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(shape_kernel(orbit, orbit), 1.0, rtol=1e-9)


def test_the_closed_form_is_the_sum_over_both_orbits() -> None:
    """Against the definition: a sum of exp(-d^2 / 2 l^2) over the signs of both, d from whole curves."""
    functions = [parse(text) for text in TEXTS]
    of = described(*functions)
    curves = [
        [np.concatenate([s * e, s * t * o]) for s in (1, -1) for t in (1, -1)]
        for e, o in zip(of.even, of.odd, strict=True)
    ]
    summed = np.array([
        [sum(np.exp(-((a - b) ** 2).sum() / (2 * 0.5**2)) for a in left for b in right) for right in curves]
        for left in curves
    ])  # fmt: skip
    size = np.sqrt(np.diag(summed))
    np.testing.assert_allclose(shape_kernel(of, of), summed / np.outer(size, size), rtol=1e-9)


def test_the_halves_are_those_of_the_function_and_its_mirror_image() -> None:
    f, mirrored = (describe(parse(text), exact=False) for text in ("exp(x)", "exp(-1*x)"))
    np.testing.assert_allclose(f.even, mirrored.even, atol=1e-9)
    np.testing.assert_allclose(f.odd, -mirrored.odd, atol=1e-9)
    assert np.abs(describe(parse("cos(x)"), exact=False).odd).max() < 1e-9
    assert np.abs(describe(parse("sin(x)"), exact=False).even).max() < 1e-9


def test_a_factor_counts_where_functions_are_trained_as_they_are() -> None:
    twice, thrice = (describe(parse(text), exact=True).numbers for text in ("2*tanh(x)", "3*tanh(x)"))
    assert thrice[-1] - twice[-1] == pytest.approx(np.log(1.5))
    np.testing.assert_allclose(twice[:-1], thrice[:-1], atol=1e-9)
    shown = [describe(parse(text), exact=False).numbers for text in ("2*tanh(x)", "3*tanh(x)")]
    np.testing.assert_allclose(shown[0], shown[1], atol=1e-9)


def test_hermite_coefficients_are_those_of_known_functions() -> None:
    """ReLU over its root mean square: 1 / sqrt(pi), 1 / sqrt(2), 1 / sqrt(2 pi), 0, 1 / sqrt(24 pi)."""
    found = describe(parse("max(x,0)"), exact=False).numbers[:5]
    pi = np.pi
    np.testing.assert_allclose(found, [pi**-0.5, 0.5**0.5, (2 * pi) ** -0.5, 0, (24 * pi) ** -0.5], atol=1e-4)
    np.testing.assert_allclose(describe(parse("x"), exact=False).numbers[:11], np.eye(11)[1], atol=1e-4)


def smooth(expressions: list[Expression], seed: int) -> Array:
    """Values drawn from the process itself."""
    of = described(*expressions)
    covariance = kernel(of, of, Standard.of(of.numbers)) + 1e-8 * np.eye(len(expressions))
    return np.asarray(np.linalg.cholesky(covariance) @ rng(seed).normal(size=len(expressions)))


def test_it_interpolates_where_there_is_no_noise_and_not_where_there_is() -> None:
    expressions = list(dict.fromkeys(samples("swish2017", 80)))
    values, of = smooth(expressions, 1), described(*expressions)
    spread = values.std()
    assert np.abs(posterior(of, values, of).mean - values).max() < 0.2 * spread
    noisy = values + rng(2).normal(0.0, 2.0 * spread, len(values))
    believed = posterior(of, noisy, of)
    assert believed.fit.noise > posterior(of, values, of).fit.noise
    assert np.std(believed.mean - values) < 0.6 * np.std(noisy - values)


def test_noise_and_amplitude_are_found() -> None:
    covariance = np.exp(-0.5 * (np.subtract.outer(np.arange(200), np.arange(200)) / 10.0) ** 2)
    drawn = np.linalg.cholesky(covariance + 1e-9 * np.eye(200)) @ rng(0).normal(size=200)
    assert fitted(covariance, 3.0 * drawn).noise == 0.01
    fit = fitted(covariance, 3.0 * (drawn + rng(1).normal(0.0, 0.55, 200)))
    assert fit.noise == 0.3
    assert fit.amplitude == pytest.approx(9.0, rel=0.6)


def test_it_is_less_sure_of_what_is_far_from_all_that_was_tried() -> None:
    tried, near, far = described(*map(parse, ("tanh(x)", "sin(x)"))), parse("erf(x)"), parse("abs(x)")
    variance = posterior(tried, np.array([0.0, 1.0]), described(near, far)).variance
    assert variance[0] < variance[1]


def test_pending_candidates_take_from_the_spread_and_leave_the_mean() -> None:
    """As if their results had been their means, the fit as before."""
    tried, waiting, rest = (described(*samples("swish2017", n, seed)) for n, seed in ((30, 1), (10, 2), (40, 3)))
    values = rng(4).normal(size=30)
    before, after = posterior(tried, values, rest), posterior(tried, values, rest, waiting)
    np.testing.assert_allclose(after.mean, before.mean, rtol=1e-9)
    assert (after.variance < before.variance + 1e-9).all()
    both = tried.and_then(waiting)
    covariance = kernel(both, both, before.standard) + before.fit.noise * np.eye(40)
    crossed = kernel(both, rest, before.standard)
    expected = VARIANCE - np.einsum("ij,ij->j", crossed, np.linalg.solve(covariance, crossed))
    np.testing.assert_allclose(after.variance, expected, rtol=1e-6, atol=1e-8)


def question(gains: Array, tried: list[Expression], pool: list[Expression], n: int, pending: int = 0) -> Question:
    return Question(tried, gains, pool[:pending], pool[pending:], n, exact=False)


def test_a_batch_is_made_of_different_functions() -> None:
    """Of five formulas of the most promising function one is taken; without the updates all five would be."""
    others, gains = samples("swish2017", 40), np.array([1.0, -1.0, 0.9, -1.0])
    tried = [parse(text) for text in ("silu(x)", "cos(x)", "relu(x)", "x*x")]
    best = others[promising(question(gains, tried, others, 1))[0]]
    formulas = [apply("mul", constant(float(c)), each.expression) for c, each in enumerate(sign_orbit(best), start=1)]
    pool = [best, *formulas, *(other for other in others if other != best)]
    chosen = promising(question(gains, tried, pool, 4))
    assert len(set(chosen)) == 4
    assert chosen[0] < 5
    assert sum(number < 5 for number in chosen) == 1
    assert promising(question(gains, tried, pool, 1, pending=1))[0] >= 4  # the others of its class are as good as known


def test_it_finds_where_gains_are_high() -> None:
    expressions = list(dict.fromkeys(samples("swish2017", 400)))
    values = smooth(expressions, 5)
    chosen = promising(question(values[:150], expressions[:150], expressions[150:], 10))
    assert values[150:][chosen].mean() > np.quantile(values[150:], 0.8)


def test_failures_count_as_the_lowest_and_equal_gains_are_no_obstacle() -> None:
    found = targets(np.array([0.1, -np.inf, 0.3, -2.0, np.nan]))
    assert found[1] == found[3] == found[4] == found.min()
    assert found.argmax() == 2
    assert np.isfinite(targets(np.array([0.5, 0.5]))).all()
    pool = samples("swish2017", 20)
    assert len(set(promising(question(np.array([0.5, 0.5]), pool[:2], pool[2:], 5)))) == 5


def test_noisy_results_are_ordered_better_by_what_is_believed() -> None:
    expressions = list(dict.fromkeys(samples("swish2017", 200)))
    values = smooth(expressions, 7)
    better = []
    for seed in range(10):
        noisy = values + rng(seed).normal(0.0, 1.0, len(values))
        believed = posterior_mean(expressions, noisy.tolist())
        better.append(values[believed.argmax()] - values[noisy.argmax()])
    assert np.mean(better) > 0
