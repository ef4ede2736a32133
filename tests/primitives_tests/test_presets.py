"""Presets: the operator lists, sizes and sources of the papers' search spaces, as copies that a user can change."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import yaml
from torch import Tensor

from primitives.expression.evaluation import value_at
from primitives.expression.parsing import parse
from primitives.grammars import grammar, grammar_names

SOURCES = {
    "aquasurf": "2301.05785",
    "default": "actsearch",
    "evoactiv": "AlexSheff/EvoActiv",
    "evonorm": "2004.02967",
    "evonorm-trees": "2004.02967",
    "glu": "2002.05202",
    "grafs": "2408.06820",
    "lapid-sipper": "2206.12089",
    "pangaea": "2006.03179",
    "safs": "2305.10964",
    "safs-layers": "2305.10964",
    "softmax-rows": "2501.04697",
    "swish2017": "1710.05941",
    "swish2017-2": "1710.05941",
}


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def text_of(name: str) -> str:
    return (files("primitives.grammars") / "presets" / f"{name}.yaml").read_text(encoding="utf-8")


def declared(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(text_of(name))
    return found


def operators(name: str, kind: str) -> list[str]:
    return list(declared(name).get(kind, []))


def test_all_presets_are_listed() -> None:
    assert set(grammar_names()) == set(SOURCES)


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_presets_say_where_they_come_from(name: str) -> None:
    assert grammar(name).name == name
    assert grammar(name).description
    assert SOURCES[name] in grammar(name).source


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_a_copy_is_the_same_grammar(tmp_path: Path, name: str) -> None:
    (tmp_path / "copy.yaml").write_text(text_of(name), encoding="utf-8")
    copy, preset = grammar(tmp_path / "copy.yaml"), grammar(name)
    assert (copy.count(), copy.sizes(), copy.mutations) == (preset.count(), preset.sizes(), preset.mutations)
    assert [copy.sample(rng(s)) for s in range(20)] == [preset.sample(rng(s)) for s in range(20)]


@pytest.mark.parametrize(
    ("name", "unary", "binary", "counts"),
    [
        ("swish2017", 25, 10, [6_250]),
        ("swish2017-2", 25, 10, [39_062_500]),
        ("aquasurf", 27, 7, [5_103]),
        ("grafs", 23, 9, [22_667_121]),
        ("pangaea", 27, 7, [729, 5_103, 306_419_977_537_503_051_788]),
        ("safs", 13, 0, [13]),
        ("safs-layers", 13, 0, [13**3]),
        ("evoactiv", 7, 5, [238_978_320_620]),
        ("lapid-sipper", 9, 5, [1_192_641]),
        ("evonorm", 20, 4, [63_694_721_561_749_912_890_114_048]),
        ("evonorm-trees", 21, 4, [15_818_467_366_124]),
        ("softmax-rows", 14, 5, [193_436_411]),
        ("glu", 16, 5, [5 * 16**2, 5**2 * 16**3]),
        ("default", 20, 6, [2_400, 5_760_000, 183_646_339]),
    ],
)
def test_sizes_of_the_papers(name: str, unary: int, binary: int, counts: list[int]) -> None:
    assert len(operators(name, "unary")) == unary and len(operators(name, "binary")) == binary
    assert [template.count() for template, _ in grammar(name).templates] == counts
    assert grammar(name).count() == sum(counts) == declared(name)["size"]


def test_the_grammar_of_the_page_works(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "grammars.md").read_text(encoding="utf-8")
    block = page[page.index("    name: mine") :].split("\n\n")[0]
    (tmp_path / "mine.yaml").write_text(textwrap.dedent(block), encoding="utf-8")
    mine = grammar(tmp_path / "mine.yaml")
    assert mine.mutations["insert"] == 0 and mine.mutations["hoist"] == 1
    assert all(mine.sample(rng(s)) in mine for s in range(20))


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_the_page_has_every_preset(name: str) -> None:
    page = (Path(__file__).parents[2] / "docs" / "grammars.md").read_text(encoding="utf-8")
    assert f"\n| `{name}` |" in page


def test_sizes_follow_from_the_lists() -> None:
    assert 10 * 25**2 == 6_250 and (10 * 25**2) ** 2 == 39_062_500
    assert 7 * 27**2 == 5_103 and 9**2 * 23**4 == 22_667_121 and 27**2 == 729


def test_the_space_of_aquasurfs_readme(tmp_path: Path) -> None:
    """49 * 27**3 binary(binary(u,u),u) of its 1,023,524; the others have ternary operators or are its baselines."""
    path = tmp_path / "wide.yaml"
    text = text_of("aquasurf").replace("{units: 1}", '{form: "binary(binary(unary(x),unary(x)),unary(x))"}')
    path.write_text(text.replace("size: 5103", "size: 964467"), encoding="utf-8")
    assert grammar(path).count() == 49 * 27**3 == 1_023_524 - 3 * 27**3 - 8


# operator lists, each operator once more in torch, in the order of the files; parameters are at their initial values

Unary = Callable[[Tensor], Tensor]
Binary = Callable[[Tensor, Tensor], Tensor]

ONE = torch.ones((), dtype=torch.float64)
SWISH: list[Unary] = [
    lambda x: x, torch.neg, torch.abs, torch.square, lambda x: x**3, torch.sqrt, lambda x: ONE * x, lambda x: x + ONE,
    lambda x: torch.log(x.abs() + 1e-7), torch.exp, torch.sin, torch.cos, torch.sinh, torch.cosh, torch.tanh,
    torch.asinh, torch.atan, lambda x: torch.sin(x) / x, torch.relu, lambda x: torch.clamp(x, max=0), torch.sigmoid,
    lambda x: torch.log(1 + torch.exp(x)), lambda x: torch.exp(-x * x), torch.erf, torch.ones_like,
]  # fmt: skip
AQUASURF: list[Unary] = [
    torch.zeros_like, torch.ones_like, lambda x: x, torch.neg, torch.abs, torch.reciprocal, torch.square, torch.exp,
    torch.erf, torch.erfc, torch.sinh, torch.cosh, torch.tanh, torch.expm1, torch.sigmoid, F.logsigmoid, torch.asinh,
    torch.atan, F.relu, F.elu, F.selu, F.silu, F.softplus, F.softsign, lambda x: torch.clamp(0.2 * x + 0.5, 0, 1),
    torch.special.i0e, torch.special.i1e,
]  # fmt: skip
GRAFS: list[Unary] = [
    lambda x: x, torch.neg, torch.abs, torch.square, lambda x: x**3, lambda x: torch.sqrt(torch.clamp(x, min=1e-3)),
    lambda x: x + ONE, lambda x: ONE * x, torch.ones_like, torch.exp, torch.sinh, torch.tanh, torch.asinh, torch.atan,
    F.relu, lambda x: torch.clamp(x, max=0), torch.sigmoid, F.softplus, torch.erf, F.silu, F.gelu, F.elu, F.leaky_relu,
]  # fmt: skip
SAFS: list[Unary] = [
    F.relu6, F.hardswish, F.silu, lambda x: torch.tanh(x) * F.softplus(x), lambda x: x, F.gelu,
    lambda x: x / (x + torch.exp(-x)), F.elu, torch.tanh, F.softplus, F.logsigmoid,
    lambda x: torch.sign(x) * torch.log(x.abs() + 1), lambda x: torch.sign(x) * (torch.exp(x.abs()) - 1),
]  # fmt: skip
EVOACTIV: list[Unary] = [
    torch.sin, torch.cos, lambda x: torch.exp(torch.clamp(x, -10, 10)), lambda x: torch.log(x.abs() + 1e-6),
    torch.tanh, torch.sigmoid, torch.relu,
]  # fmt: skip
LAPID_SIPPER: list[Unary] = [
    torch.tanh, F.relu, F.leaky_relu, F.elu, F.hardshrink, F.hardtanh, F.hardswish, F.softshrink,
    lambda x: F.rrelu(x, training=False),
]  # fmt: skip

SWISH_BINARY: list[Binary] = [
    torch.add, torch.mul, torch.sub, lambda a, b: a / (b + 1e-7), torch.maximum, torch.minimum,
    lambda a, b: torch.sigmoid(a) * b, lambda a, b: torch.exp(-((a - b) ** 2)), lambda a, b: torch.exp(-(a - b).abs()),
    lambda a, b: a,
]  # fmt: skip
AQUASURF_BINARY: list[Binary] = [
    torch.add, torch.sub, torch.mul, torch.div, torch.pow, torch.maximum, torch.minimum,
]  # fmt: skip
GRAFS_BINARY: list[Binary] = [
    torch.add, torch.sub, torch.mul, torch.maximum, torch.minimum, lambda a, b: torch.sigmoid(a) * b,
    lambda a, b: (a + b) / 2, lambda a, b: a, lambda a, b: b,
]  # fmt: skip
EVOACTIV_BINARY: list[Binary] = [
    torch.add, torch.sub, torch.mul, lambda a, b: a / (b.abs() + 1e-6),
    lambda a, b: torch.pow(a, torch.clamp(b, -2, 2)),
]  # fmt: skip
LAPID_SIPPER_BINARY: list[Binary] = [torch.maximum, torch.minimum, torch.add, torch.sub, torch.mul]


@pytest.mark.parametrize(
    ("name", "unary", "binary"),
    [
        ("swish2017", SWISH, SWISH_BINARY),
        ("swish2017-2", SWISH, SWISH_BINARY),
        ("aquasurf", AQUASURF, AQUASURF_BINARY),
        ("pangaea", AQUASURF, AQUASURF_BINARY),
        ("grafs", GRAFS, GRAFS_BINARY),
        ("safs", SAFS, []),
        ("safs-layers", SAFS, []),
        ("evoactiv", EVOACTIV, EVOACTIV_BINARY),
        ("lapid-sipper", LAPID_SIPPER, LAPID_SIPPER_BINARY),
    ],
)
def test_operators_are_those_of_the_paper(name: str, unary: list[Unary], binary: list[Binary]) -> None:
    a = torch.linspace(-4.1, 4.2, 60, dtype=torch.float64)
    b = a.flip(0) * 1.3
    values = {key: torch.tensor(p.get("initial", 1.0)) for key, p in declared(name).get("parameters", {}).items()}
    for rule, reference in zip(operators(name, "unary"), unary, strict=True):
        torch.testing.assert_close(value(rule, a=a, **values), reference(a), rtol=1e-12, atol=1e-14, equal_nan=True)
    for rule, pair in zip(operators(name, "binary"), binary, strict=True):
        torch.testing.assert_close(value(rule, a=a, b=b, **values), pair(a, b), rtol=1e-12, atol=1e-14, equal_nan=True)


def value(rule: str, **inputs: Tensor) -> Tensor:
    """A rule at numbers, its inputs taken for parameters."""
    used = {name: tensor for name, tensor in inputs.items() if name in re.findall(r"[a-z]+", rule)}
    f = parse(f"{rule}; {', '.join(f'{name}=1' for name in used)}" if used else rule)
    return value_at(f, torch.zeros_like(inputs["a"]), **used)


@pytest.mark.parametrize(("alpha", "beta", "gamma"), [(0.7, 1.6, -0.4), (-1.2, 0.3, 2.0)])
def test_the_scales_of_safs(alpha: float, beta: float, gamma: float) -> None:
    """Formulas of github automl/SAFS @c4fcebb with its p1, p2, p3."""
    x = torch.linspace(-3, 3, 50, dtype=torch.float64) + 0.01
    inner = (alpha - beta) * x
    expected = {
        "alpha*sigmoid(beta*a)*a": alpha * torch.sigmoid(beta * x) * x,
        "tanhsoft1(a,alpha)": torch.tanh(alpha * x) * F.softplus(x),
        "acon(a,alpha,beta,gamma)": inner * torch.sigmoid(gamma * inner) + beta * x,
        "srs(a,alpha,beta)": x / (x / alpha + torch.exp(-x / beta)),
        "alpha*symlog(beta*a)": alpha * torch.sign(beta * x) * torch.log((beta * x).abs() + 1),
        "alpha*gelu(beta*a)": alpha * F.gelu(beta * x),
    }
    given = {"alpha": alpha, "beta": beta, "gamma": gamma}
    for rule, reference in expected.items():
        assert rule in operators("safs", "unary")
        numbers = {name: torch.tensor(number, dtype=torch.float64) for name, number in given.items()}
        torch.testing.assert_close(value(rule, a=x, **numbers), reference, rtol=1e-12, atol=1e-14)


def test_learnable_parameters_are_declared_as_there() -> None:
    assert declared("swish2017")["parameters"] == {"beta": {"initial": 1.0, "per": "channel"}}
    assert declared("grafs")["parameters"]["mix"] == {"initial": 0.0, "per": "network"}
    assert all(p == {"initial": 1.0, "per": "layer"} for p in declared("safs")["parameters"].values())
    assert declared("pangaea")["factors"] == {"max": 3, "per": "channel"}


def test_the_layers_of_safs_are_its_functions() -> None:
    one, layers = declared("safs"), declared("safs-layers")
    assert (one["unary"], one["parameters"]) == (layers["unary"], layers["parameters"])
    parts = {part.text for part in grammar("safs").enumerate()}
    assert {part.text for f in grammar("safs-layers").enumerate() for part in f.args} == parts
    assert parse("layers(alpha*gelu(beta*x),tanh(x),x); alpha=1, beta=1") not in grammar("safs-layers")


def test_half_of_pangaea_are_chains() -> None:
    pangaea, source = grammar("pangaea"), rng(1)
    chains, units = (template for template, weight in pangaea.templates if weight)
    fs = [pangaea.sample(source) for _ in range(400)]
    assert all(chains.read(f) or units.read(f) for f in fs)
    assert 150 < sum(chains.read(f) is not None for f in fs) < 260  # some are both
