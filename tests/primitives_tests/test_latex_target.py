"""The latex target: the contract for the formula as it is read, and that a reader finds one meaning in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache

import pytest
import torch
from torch import Tensor

from primitives import Operator, register
from primitives.expression.application import apply
from primitives.expression.expression import Expression, constant, parameter, variable
from primitives.expression.parameters import Parameter
from primitives.expression.parsing import parse
from primitives.lowering import lower
from primitives.lowering.python.self_test import smooth_at
from primitives.operators.table import elementwise_operators, remove_operator
from tests.primitives_tests.contract import FACTOR, GROUPS, differences, functions, inputs, known, names, points
from tests.primitives_tests.latex_reading import GREEK, Unreadable, read
from tests.primitives_tests.latex_values import value


@pytest.mark.parametrize("group", GROUPS)
def test_latex_reproduces(group: str) -> None:
    wrong = [line for f in functions(group) for line in wrong_numbers(f, formula(f))]
    assert not wrong, "\n".join(wrong[:20])


def formula(f: Expression) -> str:
    return str(lower(f, "latex", factor=FACTOR))


def wrong_numbers(f: Expression, text: str) -> list[str]:
    """Where a formula differs from ``FACTOR * f``: its value, and its derivatives by autograd but at kinks."""
    ends = dict(zip("xz", (x.requires_grad_() for x in inputs(f)), strict=False))
    given = {p.name: torch.full_like(ends["x"], p.initial, requires_grad=True) for p in f.parameters}
    found = value(read(text), ends | {symbol(p): given[p.name] for p in f.parameters})
    total = sum(0 * each for each in ends.values()) + found
    slopes = torch.autograd.grad(total.sum(), [*ends.values(), *given.values()], materialize_grads=True)
    best = known(f).values
    smooth = {name: torch.where(away_from_kinks(f), s, best[name]) for name, s in zip(names(f), slopes, strict=True)}
    return differences(f, {"value": found.detach()} | smooth)


def symbol(p: Parameter) -> str:
    """What a reader sees of a parameter."""
    stem, number = re.fullmatch(r"(\w*?[A-Za-z]+)_?(\d*)", p.name).groups()  # type: ignore[union-attr]
    index = ",".join([*filter(None, [number]), *(["c"] if p.per == "channel" else [])])
    shown = r"\varsigma" if stem == "sigma" else f"\\{stem}" if stem in GREEK.split() else stem
    return f"{shown}_{index}" if index else shown


@cache
def away_from_kinks(f: Expression) -> Tensor:
    """True at those of the points where the function is smooth."""
    return smooth_at(f, points(f))


X = variable()
SURROUNDINGS: dict[str, Callable[[Expression], Expression]] = {
    "f": lambda f: f,
    "f*x": lambda f: apply("mul", f, X),
    "x*f": lambda f: apply("mul", X, f),
    "x-f": lambda f: apply("sub", X, f),
    "-f+x": lambda f: apply("add", apply("neg", f), X),
    "f**2": lambda f: apply("pow", f, constant(2.0)),
    "2**f": lambda f: apply("pow", constant(2.0), f),
    "3*f": lambda f: apply("mul", constant(3.0), f),
}


INNER = ("x-b", "-x-b", "2*x-b")


@pytest.mark.parametrize(
    ("inner", "around"), [*((INNER[0], around) for around in SURROUNDINGS), (INNER[1], "f"), (INNER[2], "3*f")]
)
def test_every_operator_in_every_surrounding(inner: str, around: str) -> None:
    wrong = []
    for name, row in elementwise_operators().items():
        inputs = [parse(f"{inner}; b=0.7"), parameter("b", 0.7), constant(-2.0), X, constant(0.3)]
        f = SURROUNDINGS[around](apply(name, *inputs[: row.arity]))
        wrong += wrong_numbers(f, formula(f))
    assert not wrong, "\n".join(wrong[:20])


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        ("x*sigmoid(beta*x)+0.3*gelu(x); beta=1.5", "0.3", "0.30001"),
        ("x*sigmoid(beta*x)+0.3*gelu(x); beta=1.5", " + ", " - "),
        ("x*sigmoid(beta*x)+0.3*gelu(x); beta=1.5", r"(\beta \, x)", r"(\beta) \, x"),
        ("x*sigmoid(beta*x)+0.3*gelu(x); beta=1.5", r"\sigma", r"\tanh"),
        ("where(x>0.5,x,-x**2)", ">", "<"),
        ("where(x>0.5,x,-x**2)", "-{x}^{2}", r"{\left(-x\right)}^{2}"),
        ("(-x)**2", r"{\left(-x\right)}^{2}", "{-x}^{2}"),
        ("(x+1)*(x-1)/2", r"\left(x + 1\right) \, \left(x - 1\right)", r"x + 1 \, \left(x - 1\right)"),
        ("x-(1-x)", r"\left(1 - x\right)", "1 - x"),
        ("log_sigmoid(x)*x", r"\log(\sigma(x))", r"\log\sigma(x)"),
        ("sqrt(1+x**2)", r"\sqrt{1 + {x}^{2}}", r"\sqrt{1} + {x}^{2}"),
        ("exp(-abs(x))", r"\left|x\right|", "x"),
        ("max(x,b); b=0.5", r"\max", r"\min"),
        ("2**x*3", "^{x}", "^{-x}"),
        ("a*x+a2; a=1.5, a2=0.5:channel", "a_{2,c}", "a"),
    ],
)
def test_another_digit_bracket_or_operator_is_noticed(text: str, before: str, after: str) -> None:
    f = parse(text)
    written = formula(f)
    assert not wrong_numbers(f, written)
    assert written.count(before) == 1
    assert wrong_numbers(f, written.replace(before, after))


def at(text: str, **given: float) -> float:
    """What a reader computes."""
    numbers = {name: torch.tensor([v], dtype=torch.float64) for name, v in given.items()}
    return float(value(read(text), {"x": torch.zeros(1, dtype=torch.float64)} | numbers))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-x^2", -4.0),
        ("{-x}^{2}", -4.0),
        ("{x+y}^2", 11.0),
        (r"\left(x+y\right)^2", 25.0),
        ("2^{-x}", 0.25),
        ("2x^2y", 24.0),
        (r"\sin x y", -0.27941549819892586),
        (r"\sin(x) y", 2.727892280477045),
        (r"\sin x \cos y", -0.9001976297355174),
        (r"\sin x + y", 3.909297426825682),
        (r"x - y - 1", -2.0),
        (r"x \cdot 10^{-2} y", 0.06),
        (r"\frac{x}{y} y", 2.0),
        (r"\frac x", None),
        (r"\sqrt{x} x", 2.8284271247461903),
        (r"\left|-x\right| y", 6.0),
        (r"\lfloor -2.5 \rfloor", -3.0),
        (r"\max(x, y) - \min(x, y)", 1.0),
        (r"[x > y] + [x \le y] x", 2.0),
        (r"\left\{ x \text{ if } x \ge y, \text{ else } -y \right\}", -3.0),
        (r"e^{x}", 7.38905609893065),
        (r"\pi x", 6.283185307179586),
        (r"e^{-\left|x\right|} I_0(x)", 0.30850832255367105),
        *(
            (text, None)
            for text in (r"3 \, 2", r"3 \, \frac{1}{2}", "x + -x", r"\sin(x)^2", "x^{2}^{3}", "{x^2}^3", "2^10")
        ),
        *(
            (text, None)
            for text in ("x/y", "(x", "x)", r"\left(x)", "{x", "x}", r"\max(x)", r"\foo x", "z", "", "x >  y")
        ),
        *((text, None) for text in (r"\operatorname{foo}(x)", r"\frac{x}{y}^2", "[x]", "x_12", r"x \cdot -y", "alpha")),
        (r"\left\{ x \text{ if } x, \text{ else } -y \right\}", None),
    ],
)
def test_the_reader_reads_as_a_mathematician_and_refuses_two_meanings(text: str, expected: float | None) -> None:
    if expected is not None:
        assert at(text, x=2.0, y=3.0) == pytest.approx(expected, rel=1e-14)
    else:
        with pytest.raises(Unreadable):
            at(text, x=2.0, y=3.0)


NAMES = {
    "a2": ("a_2", "a_2"),
    "alpha": (r"\alpha", r"\alpha"),
    "sigma": (r"\varsigma", r"\varsigma"),
    "kap": (r"\mathrm{kap}", "kap"),
    "e": (r"\mathsf{e}", "sans e"),
    "I0": (r"\mathsf{I0}", "sans I0"),
    "pi_": (r"\mathsf{pi\_}", "sans pi_"),
    "x_": (r"\mathsf{x\_}", "sans x_"),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_parameter_is_not_mistaken_for_anything_else(name: str) -> None:
    written, seen = NAMES[name]
    text = str(lower(parse(f"{name}*x+3.141592653589793*bessel_i0e({name}); {name}=0.5"), "latex"))
    assert written in text
    expected = 0.5 * 2.0 + 3.141592653589793 * 0.6450352704491501
    assert at(text, **{"x": 2.0, seen: 0.5}) == pytest.approx(expected, rel=1e-14)


def test_two_parameters_are_two_symbols() -> None:
    text = str(lower(parse("a2*x-a_2+lambda*lambda_; a2=2, a_2=3, lambda=5, lambda_=7"), "latex"))
    assert at(text, **{"x": 1.0, "sans a2": 2.0, "sans a_2": 3.0, "sans lambda": 5.0, "sans lambda_": 7.0}) == 34.0


@pytest.mark.parametrize("number", [0.1, 1e-7, 2.5e-9, 3.141592653589793, 1 / 3, 1e15, 1.5e16, 1e22, 1024.5])
def test_numbers_read_back(number: float) -> None:
    for text, expected in (
        (f"{number!r}*x", 2 * number),
        (f"x-{number!r}", 2 - number),
        (f"x*-{number!r}", -2 * number),
    ):
        assert at(str(lower(parse(text), "latex")), x=2.0) == pytest.approx(expected, rel=4e-16)


@pytest.fixture
def own() -> Iterator[None]:
    yield
    remove_operator("sine_of_square")
    remove_operator("max_minus")


@pytest.mark.usefixtures("own")
def test_inputs_of_code_of_ones_own_are_in_brackets() -> None:
    register(Operator(name="sine_of_square", formula="sin(a*a)", code={"latex": r"\sin({0}^2)"}))
    register(Operator(name="max_minus", arity=2, formula="max(a,-b)", code={"latex": r"\max({0}, -{1})"}))
    f = parse("sine_of_square(x+1)*max_minus(x-1,x-2)+sine_of_square(x)")
    assert str(lower(f, "latex")) == (r"\sin(\left(x + 1\right)^2) \, \max(x - 1, -\left(x - 2\right)) + \sin(x^2)")
    assert not wrong_numbers(f, formula(f))


def test_a_number_as_a_condition_is_compared_with_0() -> None:
    f = parse("where(floor(x),x,-1)")
    assert str(lower(f, "latex")) == r"\left\{ x \text{ if } [\lfloor x \rfloor \ne 0], \text{ else } -1 \right\}"
    assert not wrong_numbers(f, formula(f))
