"""Known layers, gates and rows: each against a formula in torch, as its source has it, and by its own name."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from primitives import parse, value_at
from primitives.catalogue import KINDS, Entry, catalogue, known_name
from tests.primitives_tests.test_reductions import EVONORMS

X, Z = torch.randn((2, 5, 32, 4, 3), generator=torch.Generator().manual_seed(1), dtype=torch.float64) + 0.2
ONE = torch.ones((), dtype=torch.float64)


def bn(x: Tensor) -> Tensor:
    return F.batch_norm(x, None, None, training=True)


def poly_norm(x: Tensor) -> Tensor:
    powers = [x**3, x**2, x]
    return sum((p / (p.square().mean(1, keepdim=True) + 1e-6).sqrt() for p in powers), torch.zeros_like(x)) / 3


def standard(x: Tensor) -> Tensor:
    """Over one example."""
    dims = (1, 2, 3)
    return x - x.mean(dims, keepdim=True) - 2.3 * (x.var(dims, keepdim=True, correction=0) + 1e-5).sqrt()


def stable(x: Tensor) -> Tensor:
    return torch.where(x >= 0, x + 1, 1 / (1 - x))


#: As the sources have them; parameters at their initial values.
FORMULAS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "GLU": lambda x, z: F.glu(torch.cat([z, x], dim=1), dim=1),
    "GTU": lambda x, z: torch.tanh(z) * torch.sigmoid(x),
    "Bilinear GLU": lambda x, z: x * z,
    "ReGLU": lambda x, z: F.relu(x) * z,
    "GEGLU": lambda x, z: F.gelu(x) * z,
    "SwiGLU": lambda x, z: F.silu(x) * z,
    "SeGLU": lambda x, z: F.selu(x) * z,
    "SimpleGate (NAFNet)": lambda x, z: x * z,
    "dReLU (TurboSparse)": lambda x, z: F.relu(x) * F.relu(z),
    "ReLU^2-GLU (squared gate)": lambda x, z: F.relu(x).square() * z,
    "ATGLU": lambda x, z: (torch.atan(x) + torch.pi / 2) / torch.pi * z,
    "xATGLU (first order)": lambda x, z: (torch.atan(x) + torch.pi / 2) / torch.pi * z,
    "xGEGLU (first order)": lambda x, z: F.gelu(x) / x * z,
    "xSwiGLU (first order)": lambda x, z: torch.sigmoid(x) * z,
    "DualReLU / DReLU": lambda x, z: F.relu(x) - F.relu(z),
    "DualELU": lambda x, z: F.elu(x) - F.elu(z),
    "BatchNorm + ReLU": lambda x, z: F.relu(bn(x)),
    "LayerNorm + ReLU": lambda x, z: F.relu(F.layer_norm(x, x.shape[1:])),
    "LayerNorm + SiLU": lambda x, z: F.silu(F.layer_norm(x, x.shape[1:])),
    "InstanceNorm + ReLU": lambda x, z: F.relu(F.instance_norm(x)),
    "GroupNorm + ReLU": lambda x, z: F.relu(F.group_norm(x, 2)),
    "RMSNorm + SiLU": lambda x, z: F.silu(F.rms_norm(x.movedim(1, -1), (32,), eps=1e-5).movedim(-1, 1)),
    "EvoNorm-B0": lambda x, z: EVONORMS["x/max(std_np(x),v*x+std_p(x))*w+b"](x, ONE),
    "EvoNorm-B1": lambda x, z: EVONORMS["x/max(std_np(x),(x+1)*rms_p(x))*w+b"](x, ONE),
    "EvoNorm-B2": lambda x, z: EVONORMS["x/max(std_np(x),rms_p(x)-x)*w+b"](x, ONE),
    "EvoNorm-S0": lambda x, z: EVONORMS["x*sigmoid(v*x)/std_gp(x)*w+b"](x, ONE),
    "EvoNorm-S1": lambda x, z: EVONORMS["silu(x)/std_gp(x)*w+b"](x, ONE),
    "EvoNorm-S2": lambda x, z: EVONORMS["silu(x)/rms_gp(x)*w+b"](x, ONE),
    "FRN + TLU": lambda x, z: F.relu(x / (x.square().mean((2, 3), keepdim=True) + 1e-6).sqrt()),
    "PolyNorm (order 3)": lambda x, z: poly_norm(x),
    "ABReLU": lambda x, z: F.relu(x - x.mean((1, 2, 3), keepdim=True)),
    "AOAF": lambda x, z: F.relu(x - (m := 0.17 * x.mean((1, 2, 3), keepdim=True))) + m,
    "DynamicReLU (mid-range threshold)": lambda x, z: torch.maximum(
        x, (x.amin((1, 2, 3), keepdim=True) + x.amax((1, 2, 3), keepdim=True)) / 2
    ),
    "ASH (Adaptive SwisH)": lambda x, z: x * torch.sigmoid(3 * standard(x)),
    "Hard ASH": lambda x, z: x * F.hardsigmoid(3 * standard(x)),
    "DICE": lambda x, z: torch.sigmoid(bn(x)) * x,
    "SoLU": lambda x, z: x * x.softmax(1),
    "Softmax": lambda x, z: x.softmax(1),
    "LogSoftmax": lambda x, z: x.log_softmax(1),
    "Softmin": lambda x, z: F.softmin(x, dim=1),
    "StableMax": lambda x, z: stable(x) / stable(x).sum(1, keepdim=True),
    "Squaremax (SQMAX)": lambda x, z: (x + 4).square() / (x + 4).square().sum(1, keepdim=True),
    "softmax1 (off by one)": lambda x, z: x.exp() / (1 + x.exp().sum(1, keepdim=True)),
}
KNOWN = [entry for kind in KINDS if kind != "pointwise" for entry in catalogue(kind)]


@pytest.mark.parametrize("entry", KNOWN, ids=lambda entry: entry.name)
def test_the_source_agrees(entry: Entry) -> None:
    z = {"z": Z} if "z" in entry.expression.inputs else {}
    own = value_at(entry.expression, X, **z)
    torch.testing.assert_close(own, FORMULAS[entry.name](X, Z), rtol=1e-11, atol=1e-12)
    assert parse(entry.expression.text) is entry.expression


def test_every_row_has_a_formula_and_its_kind() -> None:
    assert [entry.name for entry in KNOWN] == sorted(FORMULAS, key=[entry.name for entry in KNOWN].index)
    assert len({entry.name for kind in KINDS for entry in catalogue(kind)}) == 327 + len(KNOWN) == 370
    for entry in KNOWN:
        assert not entry.expression.is_pointwise
        assert ("z" in entry.expression.inputs) == (entry.kind == "gate")
        assert entry.expression.has_statistics == (entry.kind != "gate")
        assert entry.source and not entry.smooth


@pytest.mark.parametrize("entry", KNOWN, ids=lambda entry: entry.name)
def test_its_name(entry: Entry) -> None:
    match = known_name(entry.expression)
    assert match is not None
    assert (match.name, match.relation) == (
        {"SimpleGate (NAFNet)": "Bilinear GLU"}.get(entry.name, entry.name),
        "equal",
    )


@pytest.mark.parametrize(
    ("text", "name", "relation"),
    [
        ("z*x*sigmoid(x)", "SwiGLU", "equal"),
        ("3*silu(x)*z", "SwiGLU", "scaled"),
        ("sigmoid(x)*-z", "GLU", "negated"),
        ("2-sigmoid(x)*z", "GLU", "shifted, negated"),
        ("exp(x)/sum_c(exp(x))", "Softmax", "equal"),
        ("silu(x)/sqrt(var_gp(x)+1e-5)*gamma+beta; gamma=1:channel, beta=0:channel", "EvoNorm-S1", "equal"),
    ],
)
def test_other_spellings(text: str, name: str, relation: str) -> None:
    match = known_name(parse(text))
    assert match is not None and (match.name, match.relation) == (name, relation)


@pytest.mark.parametrize("text", ["silu(z)*x", "silu(x)/std_np(x)", "x*z+x", "relu(x)/rms_c(x)"])
def test_no_name(text: str) -> None:
    assert known_name(parse(text), input_scale=True, input_shift=True) is None
