"""The catalogue: its numbers, its names and its agreement with torch."""

from __future__ import annotations

import csv
from collections.abc import Callable
from importlib.resources import files

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from primitives import Expression, constant, fingerprint, parse, same_function, value_at
from primitives.catalogue import Entry, Match, catalogue, known_name
from primitives.equivalence.input_search import SCALES, InputMap, nearest_maps
from primitives.equivalence.signs import sign_orbit
from primitives.expression.parsing import parse_body
from primitives.grammars import grammar

POINTS = {"f(-2)": -2.0, "f(-0.5)": -0.5, "f(0)": 0.0, "f(1)": 1.0, "f(3)": 3.0}
ROWS = list(csv.DictReader(files("primitives").joinpath("catalogue.csv").read_text(encoding="utf-8").splitlines()))

TORCH: dict[str, Callable[[Tensor], Tensor]] = {
    "Sigmoid": torch.sigmoid,
    "Tanh": torch.tanh,
    "LogSigmoid": F.logsigmoid,
    "HardSigmoid": F.hardsigmoid,
    "HardTanh": F.hardtanh,
    "Softsign": F.softsign,
    "ReLU": F.relu,
    "LeakyReLU": F.leaky_relu,
    "ReLU6": F.relu6,
    "ELU": F.elu,
    "SELU": F.selu,
    "CELU": F.celu,
    "GELU": F.gelu,
    "GELU (tanh approximation)": lambda x: F.gelu(x, approximate="tanh"),
    "SiLU": F.silu,
    "Mish": F.mish,
    "HardSwish": F.hardswish,
    "Softshrink": F.softshrink,
    "Hardshrink": F.hardshrink,
    "Tanhshrink": F.tanhshrink,
    "Erf": torch.erf,
}


#: Equal functions at the initial values of all parameters: names of the catalogue, or formulas.
EQUAL = (
    ("GoLU", "x*exp(-exp(-x))"),
    ("ATLU", "x*(0.5+atan(x)/pi)", "xATLU"),
    ("GELU (tanh approximation)", "x*sigmoid(2*sqrt(2/pi)*(x+0.044715*x**3))"),
    ("TanhExp (= TeLU)", "x*tanh(exp(x))"),
    ("HardMish", "SqREU"),
    ("Suish", "REU", "PREU"),
    ("EPLAF (even power linear)", "BiFiring (Huber-shaped)", "where(abs(x)>1,abs(x)-0.5,x**2/2)"),
    ("SmeLU", "SparsePlus", "gSmeLU (generalized)"),
    ("SqSoftplus", "where(x<=-0.5,0,where(x>=0.5,x,(x+0.5)**2/2))"),
    ("HardSigmoid (BinaryConnect)", "SparseSigmoid"),
    ("HardTanh", "Monotonic NN: saturated form, ReLU base"),
    ("max(x,tanh(x))", "SigLU (TReLU)", "P-TELU"),
    ("SignReLU (DLU)", "PolyLU (FPLUS with unit slopes)", "where(x>=0,x,1/(1-x)-1)"),
    ("Mirrored ReLU (mReLU)", "Tent"),
    ("Bent identity", "BLU (bendable linear unit)"),
    ("Bipolar sigmoid", "tanh(x/2)", "DyT (dynamic tanh)", "2*sigmoid(x)-1"),
    ("Exponential swish", "sigmoid(-x)"),
    ("ELU", "CELU", "PELU", "MPELU", "FELU", "EELU (evaluation mode)"),
    ("SiLU", "Swish", "AHAF", "PSSiLU", "LEAF", "ACON-C", "AGLU", "xSiLU"),
    ("Sigmoid", "APA", "Aranda-Ordaz (AGumb when a learnable)"),
    ("Logish", "LAU"),
    ("EANAF", "x*sigmoid(x-log(2))"),
    ("PSTanh", "x*sigmoid(2*x)"),
    ("ReLU", "max(tanh(log(x)),relu(x)) for x>0"),
    ("Identity", "UAF"),
)

#: Entries that are known by the name of an equal one before them.
SYNONYMS = {
    "CELU": "ELU",
    "SparsePlus": "SmeLU",
    "SparseSigmoid": "HardSigmoid (BinaryConnect)",
    "gSmeLU (generalized)": "SmeLU",
    "HeLU (forward)": "ReLU",
    "Gaussian (INR)": "Gaussian",
    "Tempered sigmoid": "Tanh",
    "Clipped-triangle STE (BiPer activations)": "Sign",
    "Monotonic NN: saturated form, ReLU base": "HardTanh",
    "ReQU (RePU p=2)": "Squared ReLU",
    "RePU (general power)": "Squared ReLU",
    "SKAN lswish edge": "Swish",
    "max(tanh(log(x)),relu(x)) for x>0": "ReLU",
    "Variant sigmoid (VSF)": "Sigmoid",
    "Aranda-Ordaz (AGumb when a learnable)": "Sigmoid",
    "REU": "Suish",
    "PolyLU (FPLUS with unit slopes)": "SignReLU (DLU)",
    "SqREU": "HardMish",
    "EELU (evaluation mode)": "MPELU",
    "SSAF": "SQRT (signed root)",
    "BiFiring (Huber-shaped)": "EPLAF (even power linear)",
}


def entry(name: str) -> Entry:
    return next(e for e in catalogue() if e.name == name)


def at_start(name_or_formula: str) -> Expression:
    """A known function, or a formula, with its parameters as constants."""
    names = {e.name: e.expression for e in catalogue()}
    expression = names.get(name_or_formula) or parse(name_or_formula)
    numbers = {p.name: constant(p.initial) for p in expression.parameters}
    return parse_body(expression.text.partition(";")[0], numbers)


def test_all_rows_are_there_under_different_names() -> None:
    assert len(catalogue()) == len(ROWS) == len({e.name for e in catalogue()}) == 327


@pytest.mark.parametrize("index", range(327), ids=[row["name"] for row in ROWS])
def test_values(index: int) -> None:
    x = torch.tensor(list(POINTS.values()), dtype=torch.float64)
    expected = torch.tensor([float(ROWS[index][column]) for column in POINTS], dtype=torch.float64)
    torch.testing.assert_close(value_at(catalogue()[index].expression, x), expected, rtol=1e-7, atol=1e-9)


def test_text_round_trips() -> None:
    for row, known in zip(ROWS, catalogue(), strict=True):
        assert parse(known.expression.text) is known.expression
        assert known.expression.text == row["expression"]


@pytest.mark.parametrize("name", TORCH)
def test_agrees_with_torch(name: str) -> None:
    x = torch.linspace(-12, 12, 4801, dtype=torch.float64)
    torch.testing.assert_close(value_at(entry(name).expression, x), TORCH[name](x), rtol=1e-12, atol=1e-14)


def test_properties_hold_on_a_grid() -> None:
    x = torch.linspace(-8, 8, 3203, dtype=torch.float64)
    for known in catalogue():
        assert known.smooth in {"discont", "C0", "C1", "C2", "Cinf"}
        step = value_at(known.expression, x).diff()
        if known.monotone != "no":
            assert bool((step * (1 if known.monotone == "yes" else -1) >= -1e-9 * (1 + step.abs().max())).all()), known


@pytest.mark.parametrize(
    ("text", "name", "relation"),
    [
        ("x*sigmoid(x)", "SiLU", "equal"),
        ("silu(x)", "SiLU", "equal"),
        ("0.5*tanh(0.5*x)+0.5", "Sigmoid", "equal"),
        ("max(0,x)", "ReLU", "equal"),
        ("relu6(x)", "ReLU6", "equal"),
        ("gelu(x)", "GELU", "equal"),
        ("tanh(x)", "Tanh", "equal"),
        ("sigmoid(g*x)*x; g=1", "Swish", "equal"),
        ("2*relu(x)", "ReLU", "scaled"),
        ("7*x*sigmoid(x)", "SiLU", "scaled"),
        ("3-relu(x)", "ReLU", "shifted, negated"),
        ("-tanh(x)", "Tanh", "mirrored"),
    ],
)
def test_known_name(text: str, name: str, relation: str) -> None:
    match = known_name(parse(text))
    assert match is not None
    assert (match.name, match.relation) == (name, relation)


def test_the_match_maps_the_known_function_to_the_expression() -> None:
    f = parse("3-2*relu(x)")
    match = known_name(f)
    assert match is not None
    x = torch.linspace(-4, 4, 33, dtype=torch.float64)
    torch.testing.assert_close(match.factor * value_at(match.entry.expression, x) + match.offset, value_at(f, x))


@pytest.mark.parametrize("text", ["1", "x*sigmoid(1.1*x)+0.01*sin(9*x)", "x*sigmoid(b*x); b=1:channel"])
def test_unknown_functions_have_no_name(text: str) -> None:
    assert known_name(parse(text)) is None


def test_every_entry_is_known_by_its_own_or_an_earlier_name() -> None:
    order = {known.name: number for number, known in enumerate(catalogue())}
    for known in catalogue():
        match = known_name(known.expression)
        assert match is not None
        assert match.relation == "equal"
        assert match.name == SYNONYMS.get(known.name, known.name)
        assert order[match.name] <= order[known.name]


@pytest.mark.parametrize("names", EQUAL, ids=[names[0] for names in EQUAL])
def test_equal_functions_of_the_literature_are_one_class(names: tuple[str, ...]) -> None:
    first, *others = map(at_start, names)
    for other in others:
        assert fingerprint(other) == fingerprint(first)
        assert same_function(other, first)


def test_what_a_source_lets_learn_is_a_parameter_with_its_granularity() -> None:
    granularities = {p.per for known in catalogue() for p in known.expression.parameters}
    assert granularities == {"layer", "channel"}
    assert entry("PReLU").expression.text == "where(x>=0,x,a*x); a=0.25:channel"
    assert entry("GoLU").constants == "alpha=1, beta=1, gamma=1"
    for known in catalogue():
        assert not {p.name for p in known.expression.parameters} & {
            part.partition("=")[0].strip() for part in known.constants.split(",")
        }
    assert sum(not known.checked for known in catalogue()) == 27


@pytest.mark.parametrize(
    ("text", "name", "relation", "scale"),
    [
        ("sigmoid(3*x)*2-1", "Tanh", "equal", 1.5),
        ("2*gelu(3*x)+1", "GELU", "shifted", 3.0),
        ("x*tanh(softplus(4*x))", "Mish", "scaled", 4.0),
        ("erf(x*exp(0.3))", "Erf", "equal", 1.3498588075760032),
        ("-tanh(-0.3*x)", "Tanh", "equal", 0.3),
        ("x*sigmoid(2*b*x); b=1", "Swish", "scaled", 2.0),
        ("sin(2.5*x)", "Sine", "equal", 2.5),
    ],
)
def test_an_input_scale_is_found_on_request(text: str, name: str, relation: str, scale: float) -> None:
    f = parse(text)
    assert known_name(f) is None
    match = known_name(f, input_scale=True)
    assert match is not None
    assert (match.name, match.relation) == (name, relation)
    assert match.input_scale == pytest.approx(scale, rel=1e-6)
    x = torch.linspace(-4, 4, 33, dtype=torch.float64)
    torch.testing.assert_close(
        match.factor * value_at(match.entry.expression, scale * x) + match.offset, value_at(f, x)
    )


def test_sigmoid_and_tanh_are_one_family_only_with_input_scale() -> None:
    sigmoid, tanh = entry("Sigmoid").expression, entry("Tanh").expression
    assert fingerprint(sigmoid).affine != fingerprint(tanh).affine
    ((_, found),) = nearest_maps(sigmoid, [tanh], SCALES[0])
    assert found.scale == pytest.approx(0.5, rel=1e-7)
    assert found.shift == 0.0
    assert same_function(InputMap(0.5).of(tanh), parse("2*sigmoid(x)-1"))


@pytest.mark.parametrize(
    "text",
    ["1", "log(x)", "sigmoid(x)+0.01*sin(x)", "tanh(5*x)", "silu(x)+1e-6*sin(x)", "a*x+b*sin(c*x); a=1, b=1, c=2"],
)
def test_what_is_no_scaled_input_has_no_name(text: str) -> None:
    assert known_name(parse(text), input_scale=True) is None


@pytest.mark.parametrize(
    ("text", "formula", "relation"),
    [
        ("relu(x-0.5)", "ReLU(x - 0.5)", "shifted"),
        ("relu(x)+0.3", "ReLU(x) + 0.3", "shifted"),
        ("max(x,0.25)", "ReLU(x - 0.25) + 0.25", "shifted"),
        ("min(x,2)", "-ReLU(-x + 2) + 2", "shifted, point-reflected"),
        ("1-relu(-x)", "-ReLU(-x) + 1", "shifted, point-reflected"),
        ("relu(1-x)", "ReLU(-x + 1)", "shifted, mirrored"),
        ("3-2*relu(x)", "-2*ReLU(x) + 3", "shifted, negated"),
        ("gelu(x+0.7)-0.2", "GELU(x + 0.7) - 0.2", "shifted"),
        ("-silu(2-x)", "-SiLU(-x + 2)", "shifted, point-reflected"),
        ("log(1+2*exp(x))", "Softplus(x + 0.693147)", "shifted"),
        ("hardtanh(x-1)", "HardTanh(x - 1)", "shifted"),
        ("cos(x)", "Sine(x + 1.5708)", "shifted"),
        ("x*sigmoid(b*x)+1; b=1", "Swish(x) + 1", "shifted"),
        ("(x+1)*sigmoid(b*(x+1)); b=1", "Swish(x + 1)", "shifted"),
    ],
)
def test_a_shift_is_found_on_request(text: str, formula: str, relation: str) -> None:
    match = known_name(parse(text), input_shift=True)
    assert match is not None
    assert (match.formula, match.relation, match.is_shifted) == (formula, relation, True)
    assert is_what_it_says(match, parse(text))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("min(x,1)", "ReAct clip"),
        ("min(max(x,-1),1)", "HardTanh"),
        ("softplus(x)-log(2)", "Parametric softplus (PSoftplus)"),
    ],
)
def test_what_has_a_name_of_its_own_is_no_other_one_shifted(text: str, name: str) -> None:
    match = known_name(parse(text), input_scale=True, input_shift=True)
    assert match is not None
    assert (match.name, match.is_shifted) == (name, False)


def test_no_entry_is_another_one_shifted() -> None:
    for known in catalogue():
        match = known_name(known.expression, input_shift=True)
        assert match is not None
        assert match.relation == "equal"


def test_a_shifted_name_is_true_and_rare() -> None:
    """40 functions of the default grammar; of 176 three have one, two of them a shifted ReLU in disguise."""
    functions = [grammar("default").sample(np.random.default_rng(seed)) for seed in range(70, 110)]
    named = [(f, match) for f in functions if (match := known_name(f, input_shift=True))]
    assert all(is_what_it_says(match, f) for f, match in named)
    assert 1 <= sum(match.is_shifted for _, match in named) <= 4


@pytest.mark.parametrize("text", ["relu(x)", "gelu(x)", "elu(x)", "softplus(x)", "mish(x)"])
@pytest.mark.parametrize(("shift", "sign"), [(0.02, 0), (-1.37, 1), (2.0, 2), (0.7, 3)])
def test_usual_functions_are_found_shifted(text: str, shift: float, sign: int) -> None:
    f = sign_orbit(InputMap(1.0, shift).of(parse(text)))[sign]
    match, named = known_name(f.expression, input_shift=True), known_name(parse(text))
    assert match is not None
    assert named is not None
    assert (match.name, match.relation) == (named.name, f"shifted, {f.said}".removesuffix(", "))
    assert is_what_it_says(match, f.expression)


def is_what_it_says(match: Match, f: Expression) -> bool:
    """At points that none of the look-ups uses, to 1e-5 of the spread."""
    x = torch.linspace(-7.3, 7.9, 457, dtype=torch.float64)
    known = value_at(match.entry.expression, match.input_scale * x + match.input_shift)
    found, expected = match.factor * known + match.offset, value_at(f, x)
    finite = expected.isfinite()
    spread = float(expected[finite].max() - expected[finite].min())
    return torch.equal(finite, found.isfinite()) and bool(((found - expected)[finite].abs() <= 2e-5 * spread).all())
