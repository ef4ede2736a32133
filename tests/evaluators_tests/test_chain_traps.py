"""Networks, losses and data that look like a chain's at first: three steps on a few examples do not tell them apart."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evaluators.errors import EvaluationError
from evaluators.native.library import library
from evaluators.tasks.base import Part
from evaluators.training.chains.chains import Found, found
from evaluators.training.chains.native_stack import NativeStack
from evaluators.training.member import CohortMember, Schedule
from evaluators.training.stacking.stackable import unstackable
from primitives.expression.evaluation import value_at
from primitives.expression.parsing import parse
from tests.evaluators_tests.test_chains import CHAINS, Made, Net

ROWS, LATE = 4096, 4000  # an example that neither the first block nor three batches are likely to have

Forward = Callable[[Net, Tensor], Tensor]


class Data(Made):
    """As :class:`Made`, with data and settings of its own."""

    def __init__(
        self, inputs: Tensor, targets: Tensor, loss: Callable[..., Tensor] | None = None, **settings: object
    ) -> None:
        super().__init__(lambda: Net(CHAINS["module"][0]), loss)
        self.both = inputs, targets
        for name, value in settings.items():
            setattr(self, name, value)

    def data(self, part: Part) -> tuple[Tensor, Tensor]:
        return self.both


def looked(network: Callable[[], nn.Module] | Forward, change: Callable[[Net], object] = lambda _: None) -> Found:
    """What is found of a network with a forward pass."""

    def make() -> Net:
        net = Net(network)  # type: ignore[arg-type]
        change(net)
        return net

    return found(Made(make), "search", current=True)


def with_label(label: int) -> Tensor:
    labels = torch.randint(2, (ROWS,), generator=torch.Generator().manual_seed(1))
    labels[LATE] = label
    return labels


def of_rows(targets: Tensor, loss: Callable[..., Tensor] | None = None, **settings: object) -> Found:
    inputs = torch.randn(ROWS, 6, generator=torch.Generator().manual_seed(2))
    return found(Data(inputs, targets, loss, **settings), "search", current=True)


@pytest.mark.parametrize("label", [-100, -1, 3, 2**40])
def test_labels_that_are_no_class_are_torchs(label: int) -> None:
    """torch ignores -100 and refuses the others; the engine would read what lies beside the outputs."""

    def ignoring(output: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(output, target, reduction="none")

    for loss in (None, ignoring):
        assert of_rows(with_label(label), loss).chain is None


def test_labels_of_another_type_are_torchs() -> None:
    """torch takes bytes, too; the engine reads 8 bytes a label."""

    def of_bytes(output: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(output, target, reduction="none")

    assert of_rows(with_label(2).to(torch.uint8), of_bytes).chain is None
    assert of_rows(with_label(2), of_bytes).chain is not None


def test_a_weight_of_a_rare_class_is_seen() -> None:
    assert of_rows(with_label(2), class_weights=(1.0, 1.0, 50.0)).chain is None
    assert of_rows(with_label(2), class_weights=(1.0, 1.0, 1.0)).chain is not None


def late(value: float) -> Tensor:
    targets = torch.randn(ROWS, 3, generator=torch.Generator().manual_seed(3))
    targets[LATE] = value
    return targets


SQUARED_BUT: dict[str, tuple[float, Callable[..., Tensor]]] = {
    "no target": (torch.nan, lambda y, t: (y - torch.where(t.isnan(), y, t)).square().mean(dim=1)),
    "a mark in the targets": (1e4, lambda y, t: torch.where(t > 1000, 0 * y, y - t).square().mean(dim=1)),
    "a floor": (0.0, lambda y, t: (y - t).square().mean(dim=1).clamp_min(1e-6)),
    "a ceiling": (0.0, lambda y, t: (y - t).square().mean(dim=1).clamp_max(1e9)),
    "straight far away": (0.0, lambda y, t: 2 * F.huber_loss(y, t, reduction="none", delta=1e5).mean(dim=1)),
}


@pytest.mark.parametrize("name", SQUARED_BUT)
def test_a_squared_error_is_one_for_all_targets_and_outputs(name: str) -> None:
    value, loss = SQUARED_BUT[name]
    assert of_rows(late(value), loss).chain is None
    assert of_rows(late(0.0), lambda y, t: (y - t).square().mean(dim=1)).chain is not None


def counted(net: Net, x: Tensor) -> Tensor:
    net.calls = getattr(net, "calls", 0) + 1  # type: ignore[assignment]
    return net.last(net.act(net.first(x)))


def counted_in_a_buffer(net: Net, x: Tensor) -> Tensor:
    net.get_buffer("calls").add_(1)
    return net.last(net.act(net.first(x)))


class Clamped(torch.autograd.Function):
    """Clamps gradients that are larger than any in three steps."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def setup_context(ctx: object, inputs: object, output: object) -> None:
        pass

    @staticmethod
    def backward(ctx: object, *gradients: Tensor) -> Tensor:
        return gradients[0].clamp(-9, 9)


TRAPS: dict[str, tuple[Forward, Callable[[Net], object]]] = {
    "evaluates otherwise": (
        lambda n, x: n.last(n.act(n.first(x)).clone() if n.training else n.act(n.first(x)).clamp(-9, 9)),
        lambda _: None,
    ),
    "counts its calls": (counted, lambda _: None),
    "counts in a buffer": (counted_in_a_buffer, lambda n: n.register_buffer("calls", torch.zeros(()))),
    "computes in float64": (lambda n, x: n.last(n.act(n.first(x.double()))), nn.Module.double),
    "a shift in float64": (
        lambda n, x: n.last(n.first(x).add_(n.far)),
        lambda n: n.register_parameter("far", nn.Parameter(torch.ones(8, dtype=torch.float64))),
    ),
    "one shift for all": (
        lambda n, x: torch.addmm(n.get_parameter("one"), n.act(n.first(x)), n.wide),
        lambda n: n.register_parameter("one", nn.Parameter(torch.ones(1))),
    ),
    "slopes of its own": (lambda n, x: n.last(Clamped.apply(n.act(n.first(x)))), lambda _: None),  # type: ignore[no-untyped-call]
    "no slope": (lambda n, x: n.last(n.act(n.first(x)).detach()), lambda _: None),
    "writes over its inputs": (lambda n, x: n.last(n.first(x) + n.first(x.mul_(2))), lambda _: None),
    "a number that no formula has": (lambda n, x: n.last(n.act(n.first(x)) * torch.inf), lambda _: None),
    "a truth value": (lambda n, x: n.last(n.act(n.first(x)) + True), lambda _: None),
    "refuses five examples": (lambda n, x: n.last(n.act(n.first(x.view(32, -1, 6).flatten(0, 1)))), lambda _: None),
}


@pytest.mark.parametrize("name", TRAPS)
def test_traps_are_left_to_torch(name: str) -> None:
    own = looked(*TRAPS[name])
    assert own.chain is None and own.reason


@pytest.mark.parametrize(("beta", "threshold"), [(1.0, 2.0), (3.0, 20.0), (0.5, 4.0)])
def test_a_softplus_that_becomes_straight_early_does_so_here(beta: float, threshold: float) -> None:
    own = looked(lambda n, x: n.last(F.softplus(n.first(x), beta, threshold)))
    assert own.chain is not None
    (formula,) = (step.function for step in own.chain.steps if step.function is not None)
    x = torch.linspace(-50, 50, 2001, dtype=torch.float64)
    torch.testing.assert_close(value_at(formula, x), F.softplus(x, beta, threshold), rtol=1e-12, atol=1e-12)


def test_a_weight_is_turned_as_torch_turns_it() -> None:
    """By the numbers, not by the operator's name: no dimension need change its place."""
    turned = [
        looked(lambda n, x, turn=turn: n.last(n.act(n.first(x) @ turn(n.middle.weight)))).chain
        for turn in (lambda w: w, lambda w: w.transpose(0, 0), lambda w: w.permute(-1, 0), lambda w: w.mT)
    ]
    assert [chain.steps[1].is_turned for chain in turned if chain] == [True, True, False, False]


def test_a_table_by_columns_is_a_chain_too() -> None:
    """pandas gives numbers column by column."""
    columns = torch.from_numpy(np.asfortranarray(np.random.default_rng(0).normal(size=(96, 6)).astype(np.float32)))
    assert not columns.is_contiguous()
    assert found(Data(columns, with_label(1)[:96]), "search", current=True).chain is not None


class Scaled(Made):
    """Buffers that differ between seeds, but not between those of a trial."""

    def __init__(self) -> None:
        super().__init__(lambda: Net(lambda n, x: n.last(n.act(n.first(x * n.scales)))))

    def prepare(self, network: nn.Module, seed: int) -> None:
        network.get_buffer("scales").mul_(1 if seed < 2 else 1 + seed % 7)


@pytest.mark.skipif(library() is None, reason="there is no native engine here")
def test_a_stack_whose_buffers_differ_between_seeds_is_refused() -> None:
    """What the first step takes is made once, for all seeds."""
    for seeds in ((8,), (3, 4)):
        with pytest.raises(EvaluationError, match="scales differs between seeds"):
            NativeStack(Scaled(), "search", [CohortMember(parse("tanh(x)"), seeds)], Schedule(3, (), (1e-3,)))


HOOKS: dict[str, Callable[[Net], object]] = {
    "of a parameter": lambda n: n.first.weight.register_hook(lambda gradient: gradient.clamp(-9, 9)),
    "behind a parameter": lambda n: n.first.weight.register_post_accumulate_grad_hook(lambda _: None),
    "of a module": lambda n: n.first.register_full_backward_hook(lambda *_: None),
}


@pytest.mark.parametrize("name", HOOKS)
def test_hooks_on_gradients_are_called_one_model_at_a_time(name: str) -> None:
    def make() -> Net:
        net = Net(CHAINS["module"][0])
        HOOKS[name](net)
        return net

    assert "first" in unstackable(Made(make)) and "hook" in unstackable(Made(make))
