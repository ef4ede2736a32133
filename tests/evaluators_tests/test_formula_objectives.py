"""Objectives of the formula alone: closed forms, and torch's own count of what it keeps."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from evaluators.errors import EvaluationError
from evaluators.objectives import OBJECTIVES, Trained, check_names, lipschitz, measured_names, saved_bytes
from evaluators.objectives.formula.complexity import Complexity
from evaluators.objectives.formula.lipschitz import Lipschitz
from evaluators.objectives.formula.twobit_error import TwoBitError
from evaluators.results.records import MemberResult
from primitives.catalogue import catalogue
from primitives.expression.parsing import parse
from primitives.lowering.torch.packed import packed_source, packed_steps
from tests.primitives_tests.loading import loaded


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(EvaluationError, match="unknown objective 'sparsty'; did you mean 'sparsity'"):
        check_names(["gain", "sparsty"])
    check_names(OBJECTIVES)


def test_what_a_cohort_must_measure() -> None:
    assert measured_names(("gain", "cost", "complexity")) == ()
    assert measured_names(("noise", "gain", "sparsity")) == ("noise", "sparsity")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sigmoid(x)", 0.25),
        ("tanh(x)", 1.0),
        ("relu(x)", 1.0),
        ("3*sin(2*x)", 6.0),
        ("atan(x)", 1.0),
        ("x*exp(-x**2)", 1.0),
        ("gelu(x)", 0.5 * (1 + math.erf(1.0)) + math.exp(-1.0) / math.sqrt(math.pi)),  # f'' = 0 at sqrt(2)
        ("x**2", 1e6),
        ("sqrt(abs(x))", 1e6),
        ("floor(x)", 1e6),
    ],
)
def test_lipschitz_closed_forms(text: str, expected: float) -> None:
    assert lipschitz(parse(text)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("text", ["gelu(x)", "sin(x)", "x*atan(x)"])
@pytest.mark.parametrize("factor", [1e-3, 20.0])
def test_the_objective_is_that_of_the_class(text: str, factor: float) -> None:
    """c*f trains as f, so it must not win by its size."""
    of = Lipschitz().of
    assert of(parse(f"{factor}*({text})")) == pytest.approx(of(parse(text)), rel=1e-6)
    assert of(parse("relu(x)")) == pytest.approx(math.sqrt(2.0))  # 1 / sqrt(E relu(z)^2)


@pytest.mark.parametrize("text", ["gelu(x)", "tanh(x)"])
@pytest.mark.parametrize("factor", [1e-3, 20.0])
def test_the_two_bit_error_is_that_of_the_class(text: str, factor: float) -> None:
    of = TwoBitError().of
    assert of(parse(f"{factor}*({text})")) == pytest.approx(of(parse(text)), rel=1e-6)
    assert of(parse("relu(x)")) == of(parse("floor(x)")) == 0.0
    assert of(parse("exp(x*x)")) == 1e6
    assert of(parse("gelu(x)")) == pytest.approx(0.0080 / 0.4252, rel=0.01)  # evaluation.md 1.2, arXiv:2202.00441


@pytest.mark.parametrize("name", ["lipschitz", "twobit_error"])
def test_where_functions_are_applied_as_they_are_the_factor_counts(name: str) -> None:
    def value(text: str, scale: str) -> float:
        row = MemberResult()
        return OBJECTIVES[name].value(Trained(parse(text), row, 0.0, row, (), scale))

    degree = {"lipschitz": 1, "twobit_error": 2}[name]
    assert value("3*tanh(x)", "none") == pytest.approx(3**degree * value("tanh(x)", "none"), rel=1e-6)
    assert value("3*tanh(x)", "unit") == pytest.approx(value("tanh(x)", "unit"), rel=1e-6)
    assert value("layers(tanh(x),relu(x))", "none") > 0.0


def test_complexity_counts_nodes_and_not_how_they_are_written() -> None:
    assert Complexity().of(parse("relu(x)")) == 2.0
    assert Complexity().of(parse("x*sigmoid(x)")) == Complexity().of(parse("sigmoid(x)*x")) == 4.0
    assert Complexity().of(parse("x*sigmoid(beta*x); beta=1.0")) == 6.0
    assert Complexity().of(parse("-(-tanh(x))")) == Complexity().of(parse("tanh(x)"))


def test_saved_bytes_are_four_and_the_parameters() -> None:
    elements = 256 * 64
    for entry in catalogue():
        if entry.expression.is_paired and packed_steps(entry.expression) is not None:
            continue
        own = sum(64 if p.per == "channel" else 1 for p in entry.expression.parameters)
        if entry.name != "Softsign":  # torch composes it of two operators, each of which keeps a tensor
            assert saved_bytes(entry.expression) == pytest.approx(4.0 + 4.0 * own / elements), entry.name
    assert saved_bytes(parse("softsign(x)")) == 8.0


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        ("paired(sign(x),x)", 1),
        ("paired(relu(x),relu(x+0.1))", 2),
        ("paired(sign(x),hardtanh(x))", 2),
        ("paired(gelu(x),relu(x+1)+relu(x)-relu(x-1))", 3),
        ("paired(gelu(x),relu(x+2)+relu(x+1)+relu(x)+relu(x-1))", 5),
    ],
)
def test_saved_bytes_of_a_pair_with_steps_are_those_of_its_packed_export(
    text: str, levels: int, tmp_path: Path
) -> None:
    act = loaded(packed_source(parse(text), name="act"), tmp_path / "act.py").act
    sizes: list[int] = []

    def note(tensor: Tensor) -> Tensor:
        sizes.append(tensor.numel() * tensor.element_size())
        return tensor

    x = torch.randn(256, 64, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        act(x)
    assert saved_bytes(parse(text)) == sum(sizes) / x.numel() == math.ceil(math.log2(levels)) / 8


@pytest.mark.parametrize("text", ["paired(relu(x),tanh(x))", "paired(relu(x),relu(x))", "relu(x)"])
def test_what_is_not_packed_keeps_its_input(text: str) -> None:
    assert saved_bytes(parse(text)) == 4.0
