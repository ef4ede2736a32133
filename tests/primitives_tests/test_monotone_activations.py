"""The three activations of constrained monotonic networks against their published formulas, by torch."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from primitives import Activation, ExpressionError, lower, monotone_activations, monotonicity, parse, value_at
from primitives.expression.derivative import derivative

X = torch.arange(-1200, 1201, dtype=torch.float64) / 200


def zeroed_softplus(x: Tensor) -> Tensor:
    return F.softplus(x) - torch.log(torch.tensor(2.0, dtype=torch.float64))


PUBLISHED: dict[str, Callable[[Tensor], Tensor]] = {"relu(x)": F.relu, "elu(x)": F.elu, "softplus(x)": zeroed_softplus}


def bounded(base: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """arXiv 2205.11775: base(x+1) - base(1) below 0, the concave one at x - 1 plus base(1) from there on."""
    one = torch.ones_like(x)
    return torch.where(x < 0, base(x + one) - base(one), -base(-(x - one)) + base(one))


@pytest.mark.parametrize("text", PUBLISHED)
def test_they_are_the_published_ones(text: str) -> None:
    made, base = monotone_activations(parse(text)), PUBLISHED[text]
    torch.testing.assert_close(value_at(made.convex, X), base(X), rtol=0, atol=1e-8)  # torch's softplus switches at 20
    torch.testing.assert_close(value_at(made.concave, X), -base(-X), rtol=0, atol=1e-8)
    torch.testing.assert_close(value_at(made.bounded, X), bounded(base, X), rtol=0, atol=1e-8)


@pytest.mark.parametrize(
    "text", [*PUBLISHED, "exp(x)", "relu(x)*relu(x)", "softplus(x)+0.5*relu(x-1)+3", "relu(x+b); b=1"]
)
def test_they_are_increasing_continuous_and_bounded(text: str) -> None:
    f = parse(text)
    made, low = monotone_activations(f), monotonicity(f).low
    assert low is not None
    for each in (made.convex, made.concave, made.bounded):
        assert monotonicity(each).proved == "increasing"
        values = value_at(each, X)
        assert bool((values.diff() >= 0).all())
        assert values[1200] == 0.0
    assert monotonicity(made.convex).convex and monotonicity(made.concave).concave
    top = float(value_at(f, torch.ones(1, dtype=torch.float64))) - low
    wide = torch.tensor([-1e4, -1e-12, 0.0, 1e-12, 1e4], dtype=torch.float64)
    values = value_at(made.bounded, wide)
    assert bool((values.abs() <= top * (1 + 1e-12)).all())
    assert bool((values[1:4].abs() < 1e-10).all())  # it does not jump at 0
    slopes = value_at(derivative(made.bounded), torch.tensor([-1e-9, 1e-9], dtype=torch.float64))
    torch.testing.assert_close(slopes[0], slopes[1], rtol=1e-6, atol=1e-6)  # nor does its slope, which is f'(1)
    torch.testing.assert_close(value_at(made.bounded, -X), -value_at(made.bounded, X), rtol=0, atol=1e-12)


def test_without_parameters_bounds_are_proved() -> None:
    known = monotonicity(monotone_activations(parse("relu(x)")).bounded)
    assert (known.low, known.high) == (-1.0, 1.0)


def test_pairs_keep_their_own_derivative() -> None:
    made = monotone_activations(parse("paired(relu(x),softplus(x))"))
    x = torch.linspace(-3.0, 3.0, 61, dtype=torch.float64)
    torch.testing.assert_close(value_at(made.concave, x), -torch.relu(-x))
    torch.testing.assert_close(value_at(derivative(made.concave), x), torch.sigmoid(-x))


def test_they_share_their_parameters_and_go_everywhere() -> None:
    made = monotone_activations(parse("exp(b)*softplus(x)+c*c; b=0.5:channel, c=1:channel"))
    for each in (made.convex, made.concave, made.bounded):
        assert {p.name for p in each.parameters} >= {"b"}
        assert parse(each.text) is each
        assert str(lower(each, "torch")) and str(lower(each, "numpy"))
        x = torch.linspace(-3.0, 3.0, 12, dtype=torch.float64).view(3, 4)
        layer = Activation(each, channels=4, dtype=torch.float64)
        torch.testing.assert_close(layer(x), value_at(each, x))


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("x*sigmoid(x)", r"not increasing: f\(.*not proved convex, not proved bounded below"),
        ("tanh(x)", "it is not proved convex$"),
        ("x", "it is not proved bounded below$"),
        ("exp(-x)", r"it is not increasing: f\([^,]*$"),
        ("beta*relu(x); beta=1", "not increasing: f.* at beta = -1"),
        ("log(x)", r"not proved increasing: log\(x\) is not proved to have a value"),
        ("3", "it is constant"),
        ("layers(relu(x),elu(x))", "has one function for each place; give one of them"),
        ("relu(x)*z", "it is not proved increasing: no rule for 'z'"),
    ],
)
def test_what_is_missing_is_named(text: str, missing: str) -> None:
    with pytest.raises(ExpressionError, match=missing):
        monotone_activations(parse(text))
