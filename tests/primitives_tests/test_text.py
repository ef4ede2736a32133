"""Text: what is printed reads back, and what cannot be read fails with one clear error."""

from __future__ import annotations

import copy
import pickle
import random
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from primitives import Expression, ExpressionError, apply, constant, operators, parameter, parse, variable
from primitives.grammars import grammar

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


def trees() -> st.SearchStrategy[Expression]:
    """Expressions over all operators, with negative, tiny and huge constants."""
    leaves = st.one_of(
        st.just(variable()),
        NUMBERS.map(constant),
        st.sampled_from(["a", "beta"]).map(lambda name: parameter(name, 0.5, per_channel=name == "a")),
    )

    def grow(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
        rows = st.sampled_from(sorted(operators().items()))
        return rows.flatmap(lambda row: st.tuples(*[inner] * row[1].arity).map(lambda args: apply(row[0], *args)))

    return st.recursive(leaves, grow, max_leaves=12)


@settings(max_examples=500, deadline=None)
@given(trees())
def test_text_reads_back_to_the_same_object(expression: Expression) -> None:
    assert parse(expression.text) is expression


def test_samples_read_back() -> None:
    rng = np.random.Generator(np.random.PCG64(0))
    for name in ("default", "swish2017-2"):
        for _ in range(1000):
            expression = grammar(name).sample(rng)
            assert parse(expression.text) is expression


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("max(relu(x),cosh(elu(x)))", "max(relu(x),cosh(elu(x)))"),
        ("sum_n(abs(x),swish(x),sigmoid(x))", "abs(x)+silu(x)+sigmoid(x)"),
        ("prod_n(sigmoid(x),negative(x),hard_sigmoid(x))", "sigmoid(x)*-x*hard_sigmoid(x)"),
        ("-2**2", "-2**2"),
        ("x**-2", "x**(-2)"),
        ("2**3**x", "2**3**x"),
        ("(2**3)**x", "(2**3)**x"),
        ("x-(x-x)-x", "x-(x-x)-x"),
        ("x/(x*x)", "x/(x*x)"),
        ("-(2)", "-(2)"),
        ("--x", "-(-x)"),
        ("where(x>0,x,0.01*x)", "where(x>0,x,0.01*x)"),
        ("x*sigmoid(beta*x); beta=1.0:channel", "x*sigmoid(beta*x); beta=1:channel"),
        ("pi*x", "3.141592653589793*x"),
        ("1e3*x", "1000*x"),
    ],
)
def test_printed_form(text: str, printed: str) -> None:
    assert parse(text).text == printed
    assert parse(printed) is parse(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "position 0: expected a number, a name"),
        ("sigmoi(x)", "unknown operator 'sigmoi'; did you mean 'sigmoid'"),
        ("gamma*x", "unknown name 'gamma'; declare a parameter"),
        ("sigmoid*x", r"write sigmoid\(...\)"),
        ("x*(1", r"position 4: expected '\)', got the end"),
        ("tanh(x,x)", r"position 0: tanh takes 1 argument\(s\), got 2"),
        ("x $ 2", r"position 2: unexpected character '\$'"),
        ("beta*x; beta=q", "'q' is not a number"),
        ("beta*x; beta=1:row", "per 'layer' or 'channel', got 'row'"),
        ("x; beta=1", "'beta' is declared after ';' but not used"),
        ("b*x; b=1, b=2", "declared twice"),
        ("1e999*x", "not finite"),
        ("x" + "+x" * 300, "deep"),
        ("(" * 100 + "x" + ")" * 100, "more than 60 levels"),
        ("x" * 20_000, "at most 10000 characters"),
    ],
)
def test_errors_name_place_and_expectation(text: str, message: str) -> None:
    with pytest.raises(ExpressionError, match=message):
        parse(text)


def attempt(text: str) -> float:
    """Seconds that reading a text took, whether it is an expression or not."""
    started = time.perf_counter()
    try:
        parse(text)
    except ExpressionError as error:
        assert len(str(error)) < 300
    return time.perf_counter() - started


def test_random_text_gives_an_expression_or_the_projects_error() -> None:
    rng = random.Random(0)
    letters = "x()+-*/,;=.0123456789e<> abcsigmoid\x00é\n"
    for _ in range(20_000):
        attempt("".join(rng.choices(letters, k=rng.randrange(40))))
    for _ in range(2_000):
        attempt(rng.randbytes(30).decode("latin-1"))


def test_mutated_expressions_give_an_expression_or_the_projects_error() -> None:
    rng = random.Random(1)
    source = np.random.Generator(np.random.PCG64(1))
    for _ in range(5_000):
        text = list(grammar("default").sample(source).text)
        for _ in range(rng.randrange(1, 4)):
            text[rng.randrange(len(text))] = rng.choice("x()+-*/,;=1. ")
        attempt("".join(text))


@pytest.mark.parametrize("text", ["(" * 1_000_000, "-" * 9_999 + "x", "x," * 500_000, "x**" * 3_000 + "x", "1" * 9_999])
def test_hostile_text_is_refused_at_once(text: str) -> None:
    assert min(attempt(text) for _ in range(3)) < 0.5


def test_copies_and_pickles_are_the_same_object() -> None:
    expression = parse("x*sigmoid(beta*x); beta=0.5:channel")
    assert copy.deepcopy(expression) is expression
    assert pickle.loads(pickle.dumps(expression)) is expression


def test_graph_has_shared_nodes_and_ordered_slots() -> None:
    graph = parse("sin(x)*sin(x)-x").graph
    assert [graph.nodes[n]["op"] for n in graph] == ["x", "sin", "mul", "sub"]
    assert graph.edges[2, 1]["slots"] == [0, 1]
    assert graph.edges[3, 0]["slots"] == [1]
