"""Descriptions of layers, gates and one function per place: of one length, signs and order count, a factor does not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import eigvalsh

from primitives.expression.parsing import parse
from search.strategies.description import Descriptions
from search.strategies.features import features, shape, size
from search.strategies.gaussian_process import VARIANCE, Standard, kernel, posterior_mean, promising, shape_kernel
from search.strategies.predictors import Question, nearest
from search.strategies.sketch import sketch

KINDS = (
    "relu(x)",
    "paired(relu(x),relu(x+0.1))",
    "x*sigmoid(v*x)/std_gp(x)*w+b; v=1:channel, w=1:channel, b=0:channel",
    "exp(x-max_c(x))/sum_c(exp(x-max_c(x)))",
    "silu(x)*z",
    "paired(relu(x),relu(x+0.1))*z",
    "paired(relu(x),relu(x+0.1))/rms_c(x)",
    "layers(sin(10*x),relu(x),relu(x))",
    "layers(x/rms_c(x),relu(x))",
    "x/(mean_c(x)-mean_c(x))",
    "exp(exp(x))*z",
    "layers(x-x,1/(x-x))",
)
FUNCTIONS = [parse(text) for text in KINDS]


@pytest.mark.parametrize("exact", [False, True])
def test_all_kinds_have_descriptions_of_one_length(exact: bool) -> None:
    of = Descriptions.of(FUNCTIONS, exact=exact)
    assert all(np.isfinite(part).all() for part in (of.even, of.odd, of.numbers))
    covariance = kernel(of, of, Standard.of(of.numbers))
    np.testing.assert_allclose(np.diag(covariance), VARIANCE)
    assert eigvalsh(covariance).min() > -1e-10 * len(covariance)
    rows = np.array([np.append(features(f), size(f)) for f in FUNCTIONS])
    assert np.isfinite(rows).all()
    assert len({len(shape(f)) for f in FUNCTIONS}) == 1


def _alike(f: str, g: str) -> float:
    """What the kernel of shapes says of two candidates."""
    one, other = (Descriptions.of([parse(each)], exact=False) for each in (f, g))
    return float(shape_kernel(one, other)[0, 0])


@pytest.mark.parametrize(
    ("f", "g"),
    [
        ("silu(x)*z", "3*z*silu(x)"),
        ("x/rms_c(x)", "2*x/sqrt(mean_c(x*x)+1e-5)"),
        ("layers(sin(x),relu(x))", "layers(sin(x),2*relu(x))"),
    ],
)
def test_a_factor_of_the_output_does_not_count(f: str, g: str) -> None:
    assert _alike(f, g) == pytest.approx(1.0, abs=1e-9)
    np.testing.assert_allclose(shape(parse(f)), shape(parse(g)), atol=1e-9)


@pytest.mark.parametrize(
    ("f", "g"),
    [
        ("silu(x)*z", "-silu(x)*z"),
        ("silu(x)*z", "silu(z)*x"),
        ("relu(x)/rms_c(x)", "relu(-x)/rms_c(x)"),
        ("layers(sin(x),relu(x))", "layers(relu(x),sin(x))"),
        ("x/std_cp(x)*relu(x)", "x/std_np(x)*relu(x)"),
        ("paired(relu(x),relu(x+0.5))*z", "relu(x)*z"),
    ],
)
def test_signs_order_and_axes_count(f: str, g: str) -> None:
    assert _alike(f, g) < 0.99
    assert np.abs(shape(parse(f)) - shape(parse(g))).max() > 0.01


def test_projections_keep_sizes() -> None:
    norms = [np.linalg.norm(sketch(parse(text), 79).values) for text in ("silu(x)*z", "x/rms_c(x)", "relu(x)*relu(z)")]
    np.testing.assert_allclose(norms, 1.0, atol=0.35)
    assert np.allclose(sketch(parse("silu(x)*z"), 79).values[40:], 0.0)


def test_near_candidates_are_nearer() -> None:
    assert _alike("silu(x)*z", "gelu(x)*z") > 2.0 * _alike("silu(x)*z", "x*sin(5*z)")
    assert _alike("x/rms_c(x)", "x/rms_cp(x)") > 2.0 * _alike("x/rms_c(x)", "sin(3*x)/rms_c(x)")


@pytest.mark.parametrize("choose", [promising, nearest])
def test_a_surrogate_chooses_what_is_near_the_best(choose: object) -> None:
    tried = [parse(text) for text in ("silu(x)*z", "sin(5*x)*z", "x/rms_c(x)", "layers(sin(x),relu(x))")]
    pool = [parse(text) for text in ("gelu(x)*z", "sin(4*x)*z", "x/rms_cp(x)")]
    question = Question(tried, np.array([2.0, -1.0, -np.inf, -1.0]), [], pool, 1, exact=False)
    if choose is promising:  # it explores, too: what it believes of means counts here
        means = posterior_mean(tried, question.gains.tolist())
        assert int(means.argmax()) == 0
        assert len(promising(question)) == 1
    else:
        assert nearest(question)[0] in {0, 1, 2}
