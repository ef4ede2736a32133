"""The catalogue: its numbers, its names and its agreement with torch."""

from __future__ import annotations

import csv
from collections.abc import Callable
from importlib.resources import files

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from primitives.catalogue import Entry, catalogue, known_name
from primitives.text import parse

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


def entry(name: str) -> Entry:
    return next(e for e in catalogue() if e.name == name)


def test_all_rows_are_there_under_different_names() -> None:
    assert len(catalogue()) == len(ROWS) == len({e.name for e in catalogue()}) == 318


@pytest.mark.parametrize("index", range(318), ids=[row["name"] for row in ROWS])
def test_values(index: int) -> None:
    x = torch.tensor(list(POINTS.values()), dtype=torch.float64)
    expected = torch.tensor([float(ROWS[index][column]) for column in POINTS], dtype=torch.float64)
    torch.testing.assert_close(catalogue()[index].expression(x), expected, rtol=1e-7, atol=1e-9)


def test_text_round_trips() -> None:
    for row, known in zip(ROWS, catalogue(), strict=True):
        assert parse(known.expression.text) is known.expression
        assert known.expression.text == row["expression"]


@pytest.mark.parametrize("name", TORCH)
def test_agrees_with_torch(name: str) -> None:
    x = torch.linspace(-12, 12, 4801, dtype=torch.float64)
    torch.testing.assert_close(entry(name).expression(x), TORCH[name](x), rtol=1e-12, atol=1e-14)


def test_properties_hold_on_a_grid() -> None:
    x = torch.linspace(-8, 8, 3203, dtype=torch.float64)
    for known in catalogue():
        assert known.smooth in {"discont", "C0", "C1", "C2", "Cinf"}
        step = known.expression(x).diff()
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
        ("3-relu(x)", "ReLU", "affine"),
        ("-tanh(x)", "Tanh", "affine"),
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
    torch.testing.assert_close(match.factor * match.entry.expression(x) + match.offset, f(x))


@pytest.mark.parametrize("text", ["1", "x*sigmoid(1.1*x)+0.01*sin(9*x)", "x*sigmoid(b*x); b=1:channel"])
def test_unknown_functions_have_no_name(text: str) -> None:
    assert known_name(parse(text)) is None


def test_every_entry_is_known_by_an_earlier_or_its_own_name() -> None:
    order = {known.name: number for number, known in enumerate(catalogue())}
    for known in catalogue():
        match = known_name(known.expression)
        assert match is not None
        assert match.relation == "equal"
        assert order[match.name] <= order[known.name]
