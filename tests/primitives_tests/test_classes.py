"""Equivalence at three strengths, canonical form, and the analysis they rest on."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from primitives import (
    Expression,
    apply,
    canonical,
    catalogue,
    constant,
    fingerprint,
    finite,
    moments,
    parameter,
    parse,
    same_function,
    value_at,
    variable,
)
from primitives.analysis import output_factor
from primitives.equivalence.outputs import outputs, points
from primitives.errors import ExpressionError
from primitives.expression.expression import make_node
from primitives.expression.parameters import Parameter
from primitives.expression.traversal import postorder, rewrite
from primitives.grammars import grammar
from primitives.operators.formulas import expand
from primitives.operators.operator import Operator
from primitives.operators.table import elementwise_operators

EXACT = [
    ("add(tanh(x),selu(x))", "add(selu(x),tanh(x))"),
    ("sigmoid(x)", "0.5*tanh(0.5*x)+0.5"),
    ("x*sigmoid(x)", "silu(x)"),
    ("gelu(x)", "0.5*x*(1+erf(x/sqrt(2)))"),
    ("max(x,0)", "relu(x)"),
    ("elish(x)", "where(x>=0,x,expm1(x))*sigmoid(x)"),
    ("where(x>0,1,1/64)", "where(x<=0,0.1/6.4,2**0)"),  # 1/64 of the largest value is 1562.5 steps of rounding
    ("x*sigmoid(b*x); b=1", "sigmoid(beta*x)*x; beta=1"),
    ("a*x+b*sin(x); a=1, b=1", "b*x+a*sin(x); b=1, a=1"),
    ("a*sin(x)+b*cos(x); a=1, b=2", "a*cos(x)+b*sin(x); a=2, b=1"),
    ("a*sin(x)+b*cos(x); a=1, b=1", "a*cos(x)+b*sin(x); a=1, b=1"),
]
SCALE = [("2*relu(x)", "relu(x)"), ("0.1*gelu(x)", "gelu(x)"), ("1e30*tanh(x)", "1e-30*tanh(x)")]
AFFINE = [("2*relu(x)+1", "relu(x)"), ("1-relu(x)", "relu(x)"), ("erf(x)", "1-erf(x)")]
DIFFERENT = [("relu(x)", "relu(-x)"), ("sigmoid(x)", "tanh(x)"), ("x*sigmoid(b*x); b=1", "silu(x)"),
             ("b*x; b=1", "b*x; b=1:channel"), ("exp(2.5*x)", "min(exp(2.5*x),65504)"),
             ("1/x", "1/relu(x)"), ("log(x)", "log(-x)")]  # fmt: skip
# equal on the points, different elsewhere
VERIFIED = [
    ("relu(x)", "relu6(x)"),
    ("x**5", "min(x**5,65504)"),  # the largest float16
    ("relu(x)", "min(relu(x),50)"),
    ("exp(x)", "max(exp(x),1e-6)"),
    ("x", "max(x,-99)"),
    ("tanh(x)", "tanh(x)+relu(x-30)"),
    ("exp(x**2)", "min(exp(x**2),1e300)"),
]
NASTY = ["1/x", "sqrt(x)*1e300", "exp(exp(exp(x)))", "exp(exp(exp(x)))-exp(exp(exp(-x)))", "log(x)-log(-x)", "0/(x-x)",
         "1/(x-x)", "0*x", "1e-320*x", "1e300*x**7", "a/x; a=1", "floor(x)", "b/0; b=1"]  # fmt: skip


@pytest.mark.parametrize(("left", "right"), EXACT)
def test_equal_functions_share_all_classes(left: str, right: str) -> None:
    assert fingerprint(parse(left)) == fingerprint(parse(right))
    assert same_function(parse(left), parse(right))


@pytest.mark.parametrize(("left", "right"), SCALE)
def test_a_positive_factor_keeps_the_scale_class(left: str, right: str) -> None:
    f, g = parse(left), parse(right)
    assert fingerprint(f).exact != fingerprint(g).exact
    assert fingerprint(f).scale == fingerprint(g).scale
    assert same_function(f, g, scale=True) and not same_function(f, g)


@pytest.mark.parametrize(("left", "right"), AFFINE)
def test_an_affine_map_keeps_the_affine_class(left: str, right: str) -> None:
    f, g = parse(left), parse(right)
    assert fingerprint(f).scale != fingerprint(g).scale
    assert fingerprint(f).affine == fingerprint(g).affine


@pytest.mark.parametrize(("left", "right"), DIFFERENT)
def test_different_functions_share_no_class(left: str, right: str) -> None:
    f, g = fingerprint(parse(left)), fingerprint(parse(right))
    assert not {f.exact, f.scale, f.affine} & {g.exact, g.scale, g.affine}


@pytest.mark.parametrize(("left", "right"), VERIFIED)
def test_what_differs_outside_the_points_is_found_by_verification(left: str, right: str) -> None:
    f, g = parse(left), parse(right)
    assert fingerprint(f) == fingerprint(g)
    assert same_function(f, f) and same_function(g, g)
    assert not same_function(f, g) and not same_function(f, g, scale=True)


@pytest.mark.parametrize("text", NASTY)
def test_values_that_are_not_finite_have_classes_too(text: str) -> None:
    f, g = parse(text), parse("-(" + text.replace(";", ");") + ("" if ";" in text else ")"))
    assert same_function(f, f)
    if np.isfinite(outputs(f)).any():
        assert fingerprint(f).affine == fingerprint(g).affine


def test_parameters_are_compared_at_three_settings() -> None:
    f = parse("a*tanh(b*x); a=1, b=2")
    rows = [value_at(f, points(), a=a, b=b).numpy() for a, b in ((1.0, 2.0), (0.95, 1.9), (1.15, 2.3))]
    np.testing.assert_array_equal(outputs(f), rows)
    assert outputs(parse("tanh(x)")).shape == (1, 1001)
    assert not same_function(f, parse("a*tanh(2*b*x); a=1, b=1"))  # the same at the start alone


def test_catalogue_has_264_curves_and_no_others_are_merged() -> None:
    """318 rows that are no pairs, 264 distinct at 1e-9, as the notes count; comparing each with each agrees."""
    fixed = [frozen(entry.expression) for entry in catalogue() if not entry.expression.is_paired]
    classes = np.array([fingerprint(expression).exact for expression in fixed])
    assert len(set(classes)) == 264
    x = torch.linspace(-5.0, 5.0, 1001, dtype=torch.float64)
    values = np.stack([value_at(expression, x).numpy() for expression in fixed])
    for own, name in zip(values, classes, strict=True):
        equal = np.abs(values - own).max(axis=1) <= 1e-9 * max(1.0, np.abs(own).max())
        np.testing.assert_array_equal(classes == name, equal)


def frozen(expression: Expression) -> Expression:
    """The expression with its parameters as constants."""

    def change(node: Expression, args: tuple[Expression, ...]) -> Expression:
        if isinstance(node.value, Parameter):
            return constant(node.value.initial)
        return make_node(node.op, *args) if args else node

    return rewrite(expression, change)


LEAVES = [variable(), *map(constant, (0.0, 1.0, -1.0, 2.0, 0.5)), parameter("a", 0.7), parameter("b", 0.7)]
FREQUENT = ("add", "sub", "mul", "div", "pow", "max", "min", "neg", "abs", "relu")


@st.composite
def graphs(draw: st.DrawFn) -> Expression:
    """Expressions over all operators whose inputs are any earlier nodes, so that they are deep and shared."""
    nodes = list(LEAVES)
    for _ in range(draw(st.integers(1, 14))):
        name = draw(st.sampled_from(FREQUENT) | st.sampled_from(sorted(elementwise_operators())))
        args = [nodes[-1 - draw(st.integers(0, len(nodes) - 1))] for _ in range(elementwise_operators()[name].arity)]
        try:
            nodes.append(apply(name, *args))
        except ExpressionError:  # too large
            break
    return nodes[-1]


@settings(max_examples=500, deadline=None)
@given(graphs())
def test_canonical_form_is_canonical_and_not_larger(expression: Expression) -> None:
    form = canonical(expression)
    assert expand(form, "canonical") is form
    assert canonical(form) is form
    assert form.size <= expand(expression, "canonical").size
    assert set(form.parameters) <= set(expression.parameters)


@settings(max_examples=300, deadline=None)
@given(graphs(), st.randoms(use_true_random=False))
def test_the_order_of_arguments_does_not_matter(expression: Expression, rng: random.Random) -> None:
    expression = expand(frozen(expression), "canonical")

    def shuffled(node: Expression, args: tuple[Expression, ...]) -> Expression:
        row = elementwise_operators().get(node.op)
        swap = isinstance(row, Operator) and row.commutative and rng.random() < 0.5
        return make_node(node.op, *(args[::-1] if swap else args)) if args else node

    assert canonical(rewrite(expression, shuffled)) is canonical(expression)


def test_canonical_form_keeps_the_function() -> None:
    rng = np.random.Generator(np.random.PCG64(0))
    x = torch.linspace(-3.0, 3.0, 101, dtype=torch.float64)
    for name in ("default", "swish2017-2", "aquasurf"):
        for _ in range(200):
            expression = grammar(name).sample(rng)
            before, after = value_at(expression, x), value_at(canonical(expression), x)
            both = torch.isfinite(before)
            torch.testing.assert_close(before[both], after[both], rtol=1e-9, atol=1e-12)


def levels(count: int, op: str, other: str) -> Expression:
    """A graph of ``count`` levels, each of which uses the one below twice: as a tree it has 2**count leaves."""
    node = variable()
    for _ in range(count):
        node = make_node(op, node, make_node(other, node))
    return node


def chain(op: str, count: int) -> Expression:
    node = variable()
    for _ in range(count):
        node = make_node(op, node)
    return node


def long_sum(count: int) -> Expression:
    node = variable()
    for number in range(count):
        node = make_node("add", make_node("mul", parameter(f"p{number}"), variable()), node)
    return node


@pytest.mark.parametrize(
    "expression",
    [levels(1000, "add", "sin"), levels(1000, "max", "neg"), levels(1000, "mul", "elish"), chain("elish", 50),
     chain("neg", 5001), chain("tanh", 20_000), long_sum(1000), long_sum(10)],
    ids=["shared sums", "shared maxima", "shared definitions", "definitions", "signs", "deep", "long sum", "sum"],
)  # fmt: skip
def test_rewriting_visits_each_node_once_whatever_the_shape(expression: Expression) -> None:
    """A rewriting that took the graph for a tree, or sorted by text, would not come to an end here."""
    form = canonical(expression)
    assert canonical(form) is form
    assert len(postorder((form,))) <= 10 * len(postorder((expression,)))


def test_terms_of_a_sum_that_differ_in_names_alone_keep_their_order() -> None:
    assert canonical(parse("b*x+a*x; b=1, a=1")).text == "b*x+a*x; b=1, a=1"
    assert canonical(parse("sin(x)*b+a*x; b=1, a=1")).text == "a*x+b*sin(x); a=1, b=1"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("--x", "x"), ("x*1+0", "x"), ("relu(relu(x))", "relu(x)"), ("2*3*x", "x*6"), ("x*x", "x**2"),
     ("abs(x)**2", "x**2"), ("max(x,x)", "x"), ("sin(x)+-x", "sin(x)-x"), ("exp(0)+x", "x+1"),
     ("-x*-x", "x**2"), ("x-(-relu(x))", "x+relu(x)"), ("square(abs(-x))", "x**2"), ("1/0+x", "x+1/0")],
)  # fmt: skip
def test_identities(text: str, expected: str) -> None:
    assert canonical(parse(text)).text == expected


# E f, E f^2, E f'^2, gain, chi at z ~ N(0,1), by quadrature
MOMENTS = {
    "relu(x)": (0.3989, 0.5000, 0.5000, 1.4142, 1.0000), "tanh(x)": (0.0, 0.3943, 0.4644, 1.5925, 1.1778),
    "silu(x)": (0.2066, 0.3558, 0.3795, 1.6765, 1.0666), "gelu(x)": (0.2821, 0.4252, 0.4559, 1.5335, 1.0720),
    "elu(x)": (0.1605, 0.6449, 0.6681, 1.2452, 1.0359), "selu(x)": (0.0, 1.0, 1.0716, 1.0, 1.0716),
    "mish(x)": (0.2404, 0.4523, 0.4791, 1.4868, 1.0591), "x*exp(-exp(-x))": (0.2589, 0.3196, 0.3475, 1.7688, 1.0872),
    "softplus(x)": (0.8061, 0.9212, 0.2934, 1.0419, 0.3185), "sigmoid(x)": (0.5, 0.2934, 0.0448, 1.8462, 0.1528),
    "sin(x)": (0.0, 0.4323, 0.5677, 1.5209, 1.3130), "x+sin(x)**2": (0.4323, 1.3074, 1.4998, 0.8746, 1.1472),
    "exp(-x**2/2)": (0.7071, 0.5774, 0.1925, 1.3161, 0.3333), "relu(x)**2": (0.5, 1.5, 2.0, 0.8165, 1.3333),
    "erf(x)": (0.0, 0.4646, 0.5694, 1.4672, 1.2257),
}  # fmt: skip


@pytest.mark.parametrize("text", MOMENTS)
def test_moments_equal_the_reference(text: str) -> None:
    f = parse(text)
    m = moments(f)
    assert (m.mean, m.second, m.slope, output_factor(f), m.chi) == pytest.approx(MOMENTS[text], abs=6e-5)


@pytest.mark.parametrize("text", ["x-x", "exp(x**4)", "log(x)"])
def test_a_function_without_a_second_moment_keeps_its_scale(text: str) -> None:
    assert output_factor(parse(text)) == 1.0


def test_finite_sees_value_and_gradient_in_each_type() -> None:
    assert finite(parse("gelu(x)"), torch.float32)
    assert not finite(parse("sqrt_abs(x)"), torch.float32)  # infinite slope at 0
    assert not finite(parse("exp(x)"), torch.float16)  # overflows above 11.09
    assert not finite(parse("1/(1+x**4)"), torch.float16)  # 4x**3 overflows above 25.4
    assert finite(parse("x*exp(-exp(-x))"), torch.float16)  # a slope of 0 beats an overflowed tangent
