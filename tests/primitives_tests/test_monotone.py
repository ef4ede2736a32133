"""Proofs of monotonicity: sound on sampled expressions, right on known ones, and "unknown" where there is no rule."""

from __future__ import annotations

import csv
from collections import Counter
from importlib.resources import files

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from primitives import Expression, Operator, catalogue, grammar, grammar_names, parse, value_at
from primitives.expression.expression import make_node, variable
from primitives.monotone import Pair, is_proved, monotonicity
from primitives.monotone.facts import Facts, identity, number
from primitives.monotone.graph import facts_of
from primitives.operators.claimed import unreadable_claims, wrong_claims
from primitives.operators.table import add_operator, elementwise_operators, remove_operator

INCREASING = [
    *("x+sin(x)", "x-tanh(x)", "x-min(x,0)/3", "2*x-abs(x)", "sinc(x)+x", "x+0.1*silu(x)-0.1*sin(x)"),
    *("softplus(x)", "x**3", "relu(x)+tanh(x)", "exp(-exp(-x))", "relu(x)*relu(x)", "x*relu(x)", "log(exp(x))"),
    *("exp(beta)*x; beta=1", "exp(beta)*x+gamma; beta=1, gamma=0", "beta*beta*x; beta=1", "floor(x)", "0.2*x+x**5"),
    *(
        "where(x>0,x,0.2*expm1(x))",
        "where(x<-1,-1,where(x>1,1,x))",
        "max(x,-1)/2",
        "sign(x)*abs(x)**1.5",
        "sqrt(exp(x))",
    ),
    *("paired(relu(x),-x)", "x*exp(max(x,0))", "2**x", "1/(1+exp(-x))", "-(x<0)", "1-1/max(x,1)"),
    *("relu(max(x,0)-0.5)**2", "where(x>0,1,0)+x", "-relu(-x)**2", "clip(x,-1,1)", "erfc(-x)", "symlog(symexp(x))"),
]
DECREASING = [
    "cos(x)-x",
    "-x",
    "exp(-x)",
    "1/(1+exp(x))",
    "-relu(x)*relu(x)",
    "0.5**x",
    "erfc(x**3)",
    "paired(-x,x)",
    "(1+exp(x))**-2",
]
NEITHER = [
    *("x*sigmoid(x)", "sin(x)", "x**2", "abs(x)", "gelu(x)", "1/x", "cosh(x)", "x*exp(x)", "x**3-x", "beta*x; beta=1"),
    *(
        "where(x>0,x,beta*x); beta=0.25",
        "paired(sin(x),x)",
        "where(x>0,x-1,x)",
        "where(x>=0,x,x+0.01)",
        "sinc(x)",
        "x**beta; beta=2",
    ),
]


@pytest.mark.parametrize("text", INCREASING)
def test_proved_increasing(text: str) -> None:
    known = monotonicity(parse(text))
    assert (known.proved, known.verdict, known.falls) == ("increasing", "proved", None)


@pytest.mark.parametrize("text", DECREASING)
def test_proved_decreasing(text: str) -> None:
    known = monotonicity(parse(text))
    assert (known.proved, known.verdict, known.rises) == ("decreasing", "proved", None)


@pytest.mark.parametrize("text", ["3", "beta; beta=1", "x-x", "0*x", "relu(-exp(x))", "x**0", "beta**2; beta=1"])
def test_constants_have_both_directions(text: str) -> None:
    assert monotonicity(parse(text)).proved == "constant"
    assert is_proved(parse(text), "increasing") and is_proved(parse(text), "decreasing")


@pytest.mark.parametrize("text", NEITHER)
def test_refuted_with_two_pairs(text: str) -> None:
    known = monotonicity(parse(text))
    assert known.verdict == "refuted" and known.falls and known.rises
    holds(parse(text), known.falls, 1.0)
    holds(parse(text), known.rises, -1.0)


@pytest.mark.parametrize("text", ["log(x)", "sqrt(x)", "x+sin(x)**2", "log1p(x)"])
def test_unknown_where_the_rules_end(text: str) -> None:
    known = monotonicity(parse(text))
    assert known.verdict == "unknown" and known.missing


def holds(f: Expression, pair: Pair, sign: float) -> None:
    """A pair refutes: computed anew, the larger value is at the named end."""
    assert pair.left < pair.right
    points = torch.tensor([pair.left, pair.right], dtype=torch.float64)
    left, right = value_at(f, points, **pair.parameters).tolist()
    assert sign * left > sign * right
    assert (left, right) == (pair.at_left, pair.at_right)


@pytest.mark.parametrize(
    ("text", "convex", "concave", "low", "high"),
    [
        ("softplus(x)", True, False, 0.0, None),
        ("relu(x)*relu(x)", True, False, 0.0, None),
        ("exp(x**2)", True, False, 1.0, None),
        ("log(1+exp(-x))", False, False, 0.0, None),  # the composition of a concave and a convex one
        ("max(x,abs(x-1))-log(1+x**2)", False, False, None, None),
        ("-relu(x)-exp(-x)", False, True, None, 0.0),
        ("beta*x+1; beta=1", True, True, None, None),
        ("exp(beta)*relu(x); beta=1", True, False, 0.0, None),
        ("beta*relu(x); beta=1", False, False, None, None),
        ("1/(1+relu(x))", False, False, 0.0, 1.0),
        ("1/(2+tanh(x))", False, False, 1 / 3, 1.0),
        ("where(x>0,x,expm1(x))", False, False, -1.0, None),
        ("sqrt(relu(x))", False, False, 0.0, None),
        ("1/exp(x)", False, False, 0.0, None),
    ],
)
def test_curvature_and_bounds(text: str, convex: bool, concave: bool, low: float | None, high: float | None) -> None:
    known = monotonicity(parse(text))
    assert (known.convex, known.concave) == (convex, concave)
    assert known.low == (None if low is None else pytest.approx(low, abs=1e-12))
    assert known.high == (None if high is None else pytest.approx(high, abs=1e-12))


# soundness


def drawn(name: str, seed: int) -> Expression:
    return grammar(name).sample(np.random.Generator(np.random.PCG64(seed)))


def random_parameters(f: Expression, generator: torch.Generator) -> dict[str, float]:
    return {p.name: float(2 * torch.randn((), generator=generator, dtype=torch.float64)) for p in f.parameters}


def rounding(f: Expression, x: Tensor, parameters: dict[str, float]) -> Tensor:
    """How far values may be off: of the largest intermediate result, in float64."""
    nodes: dict[Expression, Tensor] = {}
    largest = torch.zeros_like(x)
    stack = [f]
    while stack:
        node = stack.pop()
        if node not in nodes:
            nodes[node] = value_at(node, x, **{p.name: parameters[p.name] for p in node.parameters})
            largest = torch.maximum(largest, nodes[node].abs().nan_to_num(0.0, 0.0, 0.0))
            stack.extend(node.args)
    return 1e-9 * (1.0 + largest)


#: Grammars of functions of one number; layers, gates and functions by place have no values on a line.
OF_NUMBERS = sorted(set(grammar_names()) - {"evonorm", "evonorm-trees", "glu", "safs-layers", "softmax-rows"})


@given(name=st.sampled_from(OF_NUMBERS), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=300, deadline=None)
def test_no_proof_is_refuted_by_numbers(name: str, seed: int) -> None:
    f = drawn(name, seed)
    known = monotonicity(f)
    generator = torch.Generator().manual_seed(seed)
    x = (6 * torch.randn(200, generator=generator, dtype=torch.float64)).sort().values
    for _ in range(3):
        parameters = random_parameters(f, generator)
        values, room = value_at(f, x, **parameters), rounding(f, x, parameters)
        for low, sign in ((known.low, 1), (known.high, -1)):
            assert low is None or not bool((sign * (values - low) < -room).any())
        steps, size = values.diff().nan_to_num(0.0, 0.0, 0.0), torch.maximum(room[1:], room[:-1])
        slopes = values.diff() / x.diff()
        for bound, sign in ((known.least_slope, 1), (known.greatest_slope, -1)):
            far = (sign * (slopes - (bound or 0.0))).nan_to_num(0.0, 0.0, 0.0) < -2 * size / x.diff()
            assert bound is None or not bool(far.any())
        bends = (values[1:-1] - values[:-2]) / (x[1:-1] - x[:-2]) - (values[2:] - values[1:-1]) / (x[2:] - x[1:-1])
        smooth = size[1:] / (x[1:] - x[:-1])[1:] + size[:-1] / (x[1:] - x[:-1])[:-1]
        assert known.proved not in ("increasing", "constant") or not bool((steps < -size).any())
        assert known.proved not in ("decreasing", "constant") or not bool((steps > size).any())
        assert not known.convex or not bool((bends.nan_to_num(0.0, 0.0, 0.0) > 2 * smooth).any())
        assert not known.concave or not bool((-bends.nan_to_num(0.0, 0.0, 0.0) > 2 * smooth).any())


@given(name=st.sampled_from(OF_NUMBERS), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=150, deadline=None)
def test_every_pair_that_refutes_holds(name: str, seed: int) -> None:
    f = drawn(name, seed)
    known = monotonicity(f)
    if known.falls:
        holds(f, known.falls, 1.0)
        assert not is_proved(f, "increasing")
    if known.rises:
        holds(f, known.rises, -1.0)
        assert not is_proved(f, "decreasing")


@given(name=st.sampled_from(OF_NUMBERS), seed=st.integers(0, 2**32 - 1), at=st.floats(-20, 20))
@settings(max_examples=150, deadline=None)
def test_bounds_at_a_point_hold_the_value(name: str, seed: int, at: float) -> None:
    f = drawn(name, seed)
    facts = facts_of(f, number(at), {p.name: number(p.initial) for p in f.parameters})
    value = float(value_at(f, torch.tensor([at], dtype=torch.float64)))
    assert facts is None or not np.isfinite(value) or facts.low <= value <= facts.high


def test_a_condition_that_underflows_is_not_taken_for_true() -> None:
    f = parse("where(exp(-x*x),x,-1)")  # -1 from |x| = 28 on
    assert monotonicity(f).proved == ""
    assert value_at(f, torch.tensor([30.0], dtype=torch.float64)) == -1.0


def test_a_function_that_is_wrong_by_rounding_only_is_not_refuted() -> None:
    for text in ("(x+1e16)-1e16", "exp(x)-exp(x)", "sin(x)-sin(x)+x", "log(exp(x))-x", "(x+1)**2-x**2-2*x"):
        known = monotonicity(parse(text))
        assert known.falls is None, text


# the catalogue


def test_the_catalogue() -> None:
    counts = Counter((e.monotone, monotonicity(e.expression).proved) for e in catalogue())
    verdicts = Counter(monotonicity(e.expression).verdict for e in catalogue())
    print(dict(verdicts), dict(counts))  # pytest -s
    assert verdicts.total() == 327
    assert verdicts["proved"] >= 100 and verdicts["refuted"] >= 185
    wrong = [(a, b) for a, b in counts if b and b != {"yes": "increasing", "decreasing": "decreasing"}.get(a)]
    assert not wrong  # never a proof against what the sources say


def test_refuted_ones_of_the_catalogue_are_those_that_turn() -> None:
    """What the table calls monotone is refuted at other values of its parameters only."""
    for entry in catalogue():
        known = monotonicity(entry.expression)
        if entry.monotone != "no" and known.verdict == "refuted":
            against = known.falls if entry.monotone == "yes" else known.rises
            assert against and dict(against.parameters) != entry.expression.initial_values, entry.name


def test_the_table_has_327_rows() -> None:
    text = files("primitives").joinpath("catalogue.csv").read_text(encoding="utf-8")
    assert sum(1 for _ in csv.DictReader(text.splitlines())) == len(catalogue()) == 327


# the table of operators


@pytest.mark.parametrize("name", elementwise_operators())
def test_columns_agree_with_values(name: str) -> None:
    row = elementwise_operators()[name]
    assert [*unreadable_claims(row), *wrong_claims(row)] == []


@pytest.mark.parametrize("name", [name for name, row in elementwise_operators().items() if row.arity == 1])
def test_bounds_of_an_operator_hold_on_intervals(name: str) -> None:
    generator = torch.Generator().manual_seed(1)
    for _ in range(40):
        low, high = (4 * torch.randn(2, generator=generator, dtype=torch.float64)).sort().values.tolist()
        facts = facts_of(make_node(name, variable()), identity(low, high))
        values = value_at(make_node(name, variable()), torch.linspace(low, high, 101, dtype=torch.float64))
        if facts is None:
            continue
        assert not values.isnan().any()
        room = 1e-14 + 1e-12 * values.abs().max()
        assert facts.low <= values.min() + room and values.max() - room <= facts.high
        assert not facts.increasing or bool((values.diff() >= -room).all())
        assert not facts.decreasing or bool((values.diff() <= room).all())
        assert not facts.nonzero or bool((values != 0).all())


def test_operators_without_a_rule_are_unknown() -> None:
    rows = [
        Operator(name="mean_of_all", forward=lambda a: a.mean().expand_as(a), tangent="da", cost=1.0),
        Operator(name="steep", forward=lambda a: 3 * a, tangent="3*da", cost=1.0, monotone=("increasing",)),
        Operator(name="twice", formula="2*a"),
        Operator(name="vague", formula="2*a", monotone=("neither",)),
    ]
    try:
        for row in rows:
            add_operator(row)
        known = [monotonicity(parse(text)) for text in ("x+mean_of_all(x)", "steep(steep(x))", "twice(x)", "vague(x)")]
    finally:
        for row in rows:
            remove_operator(row.name)
    assert [each.proved for each in known] == ["", "increasing", "increasing", "increasing"]
    assert known[0].verdict == "unknown" and known[0].missing == "no rule for 'mean_of_all'"


def test_statistics_and_gates_are_unknown_and_layers_go_by_parts() -> None:
    for text in ("mean_np(x)", "x-mean_np(x)", "relu(x)/std_np(x)", "silu(x)*z", "x*z", "rms_c(x)+x"):
        known = monotonicity(parse(text))
        assert known.verdict == "unknown" and known.missing.startswith("no rule for"), text
        assert known.falls is None and not is_proved(parse(text), "increasing")
    assert monotonicity(parse("layers(relu(x),tanh(x))")).proved == "increasing"
    assert is_proved(parse("layers(relu(x),tanh(x))"), "increasing")
    assert monotonicity(parse("layers(relu(x),sin(x))")).verdict == "refuted"
    assert monotonicity(parse("layers(relu(x),-x)")).verdict == "refuted"
    assert monotonicity(parse("layers(relu(x),mean_np(x))")).verdict == "unknown"
    assert not is_proved(parse("layers(relu(x),sin(x))"), "increasing")


def test_leaves_and_roots_of_other_kinds_are_unknown() -> None:
    for f in (make_node("other_input"), make_node("several_parts", variable(), variable())):
        known = monotonicity(f)
        assert known.verdict == "unknown" and known.missing.startswith("no rule for")
        assert not is_proved(make_node("add", f, variable()), "increasing")


@pytest.mark.parametrize(
    ("text", "least", "greatest"),
    [
        ("relu(x)+tanh(x)", 0.0, 2.0),
        ("x-tanh(x)", 0.0, 1.0),
        ("3*x+1", 3.0, 3.0),
        ("sigmoid(2*x)*sin(x)", -1.5, 1.5),
        ("x**2", None, None),
        ("exp(-relu(x))", None, 0.0),  # exp has no bound of its slopes
        ("beta*x; beta=1", None, None),
        ("max(2*x,-0.5*x)", -0.5, 2.0),
        ("1/(2+sin(x))", -1.0, 1.0),
        ("where(x>0,1,0)", 0.0, None),
        ("3", 0.0, 0.0),
    ],
)
def test_slopes(text: str, least: float | None, greatest: float | None) -> None:
    known = monotonicity(parse(text))
    assert known.least_slope == (None if least is None else pytest.approx(least, abs=1e-12))
    assert known.greatest_slope == (None if greatest is None else pytest.approx(greatest, abs=1e-12))


def test_facts_of_one_value_are_constant() -> None:
    facts = facts_of(parse("relu(x)"), identity(-2.0, -1.0))
    assert facts == Facts(
        low=0.0, high=0.0, increasing=True, decreasing=True, convex=True, concave=True, slopes=(0.0, 0.0)
    )
