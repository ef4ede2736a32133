"""Text: what is printed reads back, and what cannot be read fails with one clear error."""

from __future__ import annotations

import copy
import pickle
import random
import time
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from primitives import (
    Activation,
    Expression,
    ExpressionError,
    apply,
    catalogue,
    constant,
    derivative,
    operators,
    parameter,
    parse,
    to_networkx,
    value_at,
)
from primitives import variable as x_leaf
from primitives.catalogue import Entry
from primitives.expression.expression import MAX_DEPTH, MAX_SIZE, make_node
from primitives.grammars import grammar, grammar_names
from primitives.operators.table import ALIASES, CHAINS

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


def within_limits(op: str, *args: Expression) -> Expression:
    """The operator applied, or its first input where that would break a limit of size or depth."""
    try:
        return apply(op, *args)
    except ExpressionError as error:
        assert "at most" in str(error)
        return args[0]


def trees() -> st.SearchStrategy[Expression]:
    """Expressions over all operators, with negative, tiny and huge constants."""
    leaves = st.one_of(
        st.just(x_leaf()),
        NUMBERS.map(constant),
        st.sampled_from(["a", "beta"]).map(
            lambda name: parameter(name, 0.5, per="channel" if name == "a" else "layer")
        ),
    )

    def grow(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
        rows = st.sampled_from(sorted(operators().items()))
        return rows.flatmap(
            lambda row: st.tuples(*[inner] * row[1].arity).map(lambda args: within_limits(row[0], *args))
        )

    return st.recursive(leaves, grow, max_leaves=12)


@settings(max_examples=500, deadline=None)
@given(trees())
def test_text_reads_back_to_the_same_object(expression: Expression) -> None:
    assert parse(expression.text) is expression


def random_tree(rng: random.Random, levels: int) -> Expression:
    """A tree over every operator, defined ones too, with parameters per layer and per channel and any constant."""
    if levels == 0 or rng.random() < 0.2:
        number = rng.choice([rng.gauss(0, 1), -1e-300, 5e-324, 1e22, -3.0, 0.1, 1.7976931348623157e308])
        leaves = [x_leaf(), constant(number), parameter("a", -0.25), parameter("max_", 1e-9, per="channel")]
        return rng.choice(leaves)
    row = rng.choice(list(operators().values()))
    return within_limits(row.name, *(random_tree(rng, levels - 1) for _ in range(row.arity)))


def test_ten_thousand_samples_read_back() -> None:
    source, rng = random.Random(0), np.random.Generator(np.random.PCG64(0))
    each = 6_000 // len(grammar_names())
    expressions = [grammar(name).sample(rng) for name in grammar_names() for _ in range(each)]
    expressions += [random_tree(source, 3) for _ in range(10_000 - len(expressions))]
    for expression in expressions:
        assert parse(expression.text) is expression


@pytest.mark.parametrize("entry", catalogue(), ids=lambda entry: entry.name)
def test_every_formula_of_the_catalogue_reads_back(entry: Entry) -> None:
    assert parse(entry.expression.text) is entry.expression


def test_derivatives_read_back_within_the_limits() -> None:
    rng, read = np.random.Generator(np.random.PCG64(1)), 0
    for name in ("default", "swish2017-2", "grafs"):
        for _ in range(150):
            slope = derivative(grammar(name).sample(rng))
            for tangent in (slope, derivative(slope)):
                if tangent.size <= MAX_SIZE and tangent.depth <= MAX_DEPTH:
                    assert parse(tangent.text) is tangent
                    read += 1
    assert read > 600


def test_a_derivative_too_large_for_text_says_so() -> None:
    second = derivative(derivative(parse("prod_n(" + ",".join(["sigmoid(x)"] * 60) + ")")))
    with pytest.raises(ExpressionError, match=f"the text would have {second.size} operators and names; at most 100000"):
        _ = second.text
    assert repr(second) == f"<Expression {second.op}(...), {second.depth} levels>"
    assert repr(Activation(second)) == f"Activation(expression of {second.size} nodes)"


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("max(relu(x),cosh(elu(x)))", "max(relu(x),cosh(elu(x)))"),
        ("sum_n(abs(x),swish(x),sigmoid(x))", "abs(x)+silu(x)+sigmoid(x)"),
        ("prod_n(sigmoid(x),negative(x),hard_sigmoid(x))", "sigmoid(x)*-x*hard_sigmoid(x)"),
        ("max_n(x)", "x"),
        ("sub(pow(x,2),div(x,3))", "x**2-x/3"),
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
        ("b*x+a ; a=-.5e-3:layer, b=+2,", "b*x+a; b=2, a=-0.0005"),
        ("sin*sin(x); sin=1", "sin*sin(x); sin=1"),
        ("lambda*x; lambda=1", "lambda*x; lambda=1"),
        ("x ;", "x"),
        ("pi*x", "3.141592653589793*x"),
        ("1e3*x", "1000*x"),
        ("5e-324*x-1e-400", "5e-324*x-0"),
        ("\tx +\n1.e0", "x+1"),
    ],
)
def test_printed_form(text: str, printed: str) -> None:
    assert parse(text).text == printed
    assert parse(printed) is parse(text)


#: The operators of AQuaSurF under its own names, as torch has them.
AQUASURF = {
    "zero": torch.zeros_like, "one": torch.ones_like, "identity": lambda x: x, "negative": torch.neg,
    "abs": torch.abs, "reciprocal": torch.reciprocal, "square": torch.square, "exp": torch.exp,
    "erf": torch.erf, "erfc": torch.erfc, "sinh": torch.sinh, "cosh": torch.cosh, "tanh": torch.tanh,
    "expm1": torch.expm1, "sigmoid": torch.sigmoid, "log_sigmoid": torch.nn.LogSigmoid(),
    "arcsinh": torch.arcsinh, "arctan": torch.arctan, "bessel_i0e": torch.special.i0e,
    "bessel_i1e": torch.special.i1e, "relu": torch.relu, "elu": torch.nn.ELU(), "selu": torch.nn.SELU(),
    "swish": torch.nn.SiLU(), "softplus": torch.nn.Softplus(threshold=50), "softsign": torch.nn.Softsign(),
    "hard_sigmoid": torch.nn.Hardsigmoid(), "leakyrelu": torch.nn.LeakyReLU(), "mish": torch.nn.Mish(),
    "gelu": torch.nn.GELU(), "elish": lambda x: torch.sigmoid(x) * torch.where(x >= 0, x, torch.expm1(x)),
    "add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div, "pow": torch.pow,
    "max": torch.maximum, "min": torch.minimum,
    "sum_n": lambda *xs: sum(xs), "prod_n": lambda *xs: torch.stack(xs).prod(0),
    "max_n": lambda *xs: torch.stack(xs).amax(0), "min_n": lambda *xs: torch.stack(xs).amin(0),
}  # fmt: skip


@pytest.mark.parametrize("name", AQUASURF)
def test_aquasurf_names_mean_what_they_mean_there(name: str) -> None:
    x = torch.linspace(0.1, 3.0, 30, dtype=torch.float64) * (1 if name == "pow" else -1)
    inputs = {"x": x, "cos(x)": torch.cos(x), "x*x": x * x}
    arity = 3 if name in CHAINS else {**operators(), **{a: operators()[o] for a, o in ALIASES.items()}}[name].arity
    args = dict(list(inputs.items())[:arity])
    expected = AQUASURF[name](*args.values())
    torch.testing.assert_close(value_at(parse(f"{name}({','.join(args)})"), x), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "position 0: expected a number, a name, '-' or '(', got the end of the text"),
        ("x**", "position 3: expected a number, a name"),
        ("x//2", "position 2: expected a number, a name, '-' or '(', got '/'"),
        ("x sin", "position 2: expected an operator or the end, got 'sin'; a product is written with *"),
        ("2x", "position 1: expected an operator or the end, got 'x'; a product is written with *"),
        ("sin x", "position 0: 'sin' is an operator; write sin(...)"),
        ("sigmoid*x", "position 0: 'sigmoid' is an operator; write sigmoid(...)"),
        ("x^2", "position 1: unexpected character '^'; a power is written **"),
        ("math.sin(x)", "position 4: unexpected character '.'; a name has no dots, as in tanh(x)"),
        ("x!=1", "position 1: unexpected character '!'; comparisons are < <= > >="),
        ("|x|", "position 0: unexpected character '|'; a magnitude is written abs(...)"),
        ("[x]", "position 0: unexpected character '['; brackets are ( and )"),
        ("x $ 2", "position 2: unexpected character '$'"),
        ("x*٣", "position 2: unexpected character '٣'; only ASCII characters are read"),
        ("x\x1c+1", "position 1: unexpected character '\\x1c'"),
        ("y=x", "position 0: unknown name 'y'"),
        ("x==1", "position 1: expected an operator or the end, got '='; only parameters have an '='"),
        ("sigmoi(x)", "position 0: unknown operator 'sigmoi'; did you mean 'sigmoid'"),
        ("sumn(x,x)", "unknown operator 'sumn'; did you mean 'sum_n'"),
        ("Tanh(x)", "unknown operator 'Tanh'; did you mean 'tanh'"),
        ("x(2)", "position 0: unknown operator 'x'; write x*(...) for a product"),
        ("x*gamma", "position 2: unknown name 'gamma'; declare a parameter after ';', as in '; gamma=1.0'"),
        ("x*bta; beta=1", "position 2: unknown name 'bta'; did you mean 'beta'?"),
        ("X", "position 0: unknown name 'X'; did you mean 'x'?"),
        ("x*(1", "position 4: expected ')' for the '(' at position 2, got the end of the text"),
        ("x)", "position 1: expected an operator or the end, got ')'"),
        ("sin(cos(x)", "position 10: expected ')' for the '(' at position 3, got the end"),
        ("max(x 1)", "position 6: expected ',' or ')' for the '(' at position 3, got '1'; max takes at most 2"),
        ("tanh(x,x)", "position 6: expected ')' for the '(' at position 4, got ','; tanh takes at most 1 argument(s)"),
        ("max(x)", "position 0: max takes 2 argument(s), got 1"),
        ("sin()", "position 4: expected a number, a name, '-' or '(', got ')'"),
        ("sum_n()", "position 6: expected a number, a name, '-' or '(', got ')'"),
        ("1e999*x", "position 0: '1e999' is not finite"),
        ("beta*x; beta=q", "position 13: expected a number, got 'q'"),
        ("beta*x; beta=nan", "position 13: expected a number, got 'nan'"),
        ("beta*x; beta=1e400", "position 13: '1e400' is not finite"),
        ("beta*x; beta=1:row", "position 15: expected 'layer', 'channel' or 'network', got 'row'"),
        ("beta*x; beta", "position 12: expected '=' and the initial value of 'beta', got the end"),
        ("a*b*x; a=1 b=2", "position 11: expected ',' or the end, got 'b'"),
        ("a*x; a=1;; b=2", "position 9: expected a parameter, as in beta=1 or beta=1:channel, got ';'"),
        ("x; beta=1", "position 3: parameter 'beta' is declared after ';' but not used before it"),
        ("b*x; b=1, b=2", "position 10: 'b' has a meaning already"),
        ("x; pi=1", "position 3: 'pi' has a meaning already"),
        ("x" + "+x" * 300, "position 199: the expression is 101 operators deep; at most 100"),
        ("elish(" * 9 + "x" + ")" * 9, "position 30: the expression has 766 nodes; at most 400 are allowed"),
        ("(" * 100 + "x" + ")" * 100, "position 60: more than 60 levels"),
        ("x;" + ",".join(f"a{n}=1" for n in range(500)), "position 2692: more than 400 parameters"),
        ("x" * 20_000, "at most 10000 characters, got 20000"),
    ],
)
def test_errors_name_place_token_and_what_was_expected(text: str, message: str) -> None:
    with pytest.raises(ExpressionError) as raised:
        parse(text)
    assert message in str(raised.value)


@pytest.mark.parametrize("thing", [None, 1, b"x", ["x"]])
def test_what_is_no_string_is_refused(thing: object) -> None:
    with pytest.raises(ExpressionError, match=f"an expression is a string, got {type(thing).__name__}"):
        parse(thing)  # type: ignore[arg-type]


def attempt(text: str) -> None:
    """Read a text: it is an expression that reads back, or the project's error, short and with a place."""
    try:
        expression = parse(text)
    except ExpressionError as error:
        assert str(error).startswith("position ")
        assert len(str(error)) < 300
    else:
        assert parse(expression.text) is expression


def test_a_hundred_thousand_random_byte_strings() -> None:
    rng = random.Random(0)
    for _ in range(50_000):
        attempt(rng.randbytes(rng.randrange(120)).decode("latin-1"))
        attempt(rng.randbytes(rng.randrange(120)).decode("utf-8", "replace"))


def test_random_text_from_the_letters_of_expressions() -> None:
    rng = random.Random(1)
    words = [*"xx()()+-*/,;=.<>019e \n", "**", "max", "sin", "x", "beta", "=1", ":channel", "1e", "\x00", "é", "\ud800"]
    for _ in range(20_000):
        attempt("".join(rng.choices(words, k=rng.randrange(30))))


def valid_texts() -> Iterator[str]:
    rng = np.random.Generator(np.random.PCG64(2))
    yield from (entry.expression.text for entry in catalogue())
    yield from (grammar(name).sample(rng).text for name in grammar_names() for _ in range(60))


def test_ten_thousand_mutated_expressions() -> None:
    rng, texts = random.Random(2), list(valid_texts())
    for _ in range(10_000):
        text = rng.choice(texts)
        for _ in range(rng.randrange(1, 4)):
            at, length = rng.randrange(len(text) + 1), rng.randrange(3)
            piece = rng.choice(
                [
                    rng.choice("+-*/x12"),
                    rng.choice("x()+-*/,;=1. :e>"),
                    rng.choice(texts)[:9],
                    chr(rng.randrange(0x800)),
                ]
            )
            text = text[:at] + piece + text[at + length :]
        attempt(text)


HOSTILE = {
    "1 MB of brackets": "(" * 1_000_000,
    "1 MB of calls": "sin(" * 250_000,
    "1 MB of blanks": " " * 1_000_000,
    "nested 100,000 deep": "(" * 100_000 + "x" + ")" * 100_000,
    "nested 4,900 deep": "(" * 4900 + "x" + ")" * 4900,
    "signs": "-" * 9_999 + "x",
    "powers": "x**" * 3_000 + "x",
    "comparisons": "x<" * 4_999 + "x",
    "inputs": "max_n(" + "x," * 4_000 + "x)",
    "digits": "1" * 9_999,
    "points": "1.1" * 3_300,
    "exponents": "a*x; a=" + "1e" * 4_900,
    "one long name": "a" * 9_999,
    "one long operator": "a" * 9_990 + "(x)",
    "declarations": "x; " + ", ".join(f"a{n}=1" for n in range(1_000)),
    "semicolons": ";" * 9_999,
    "a blow-up of defined operators": "srelu(x,x,x,x," * 50 + "x" + ")" * 50,
    "long declared name": "x; " + "a" * 9_990,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_is_refused_at_once(text: str) -> None:
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        with pytest.raises(ExpressionError, match=r"position|characters"):
            parse(text)
        seconds.append(time.perf_counter() - started)
    assert (
        min(seconds) < 0.5
    )  # measured 0.0 to 9 ms; what grows like the square or the power of the length does not pass


def test_copies_and_pickles_are_the_same_object() -> None:
    deep = parse("x")
    for _ in range(3_000):
        deep = make_node("sin", deep)
    assert pickle.loads(pickle.dumps(deep)) is deep
    expression = parse("x*sigmoid(beta*x); beta=0.5:channel")
    assert copy.deepcopy(expression) is expression
    assert pickle.loads(pickle.dumps(expression)) is expression


def test_graph_has_shared_nodes_and_ordered_slots() -> None:
    graph = to_networkx(parse("sin(x)*sin(x)-x"))
    assert [graph.nodes[n]["op"] for n in graph] == ["x", "sin", "mul", "sub"]
    assert graph.edges[2, 1]["arguments"] == [0, 1]
    assert graph.edges[3, 0]["arguments"] == [1]


def test_a_value_takes_parameters_by_name_and_the_others_at_their_initial_values() -> None:
    expression, x = parse("a*x+b; a=2, b=1:channel"), torch.tensor([1.0, -1.0])
    assert value_at(expression, x).tolist() == [3.0, -1.0]
    assert value_at(expression, x, b=torch.tensor([0.0, 5.0]), a=1.0).tolist() == [1.0, 4.0]
    with pytest.raises(ExpressionError, match=r"has no parameter 'c'; it has \['a', 'b'\]"):
        value_at(expression, x, c=1.0)
