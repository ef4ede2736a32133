"""Kinds of places in training: gates, layers that absorb a norm, rows; a stack equals one model at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evaluators.errors import EvaluationError, TaskError
from evaluators.places.survey import find_sites, survey_of
from evaluators.tasks.base import Part, Replaced, Task
from evaluators.tasks.place import Place
from evaluators.training.member import CohortMember, Schedule
from evaluators.training.plain import PlainModel
from evaluators.training.stacking.stack import Stack
from primitives.expression.parsing import parse
from primitives.layers.norm_activation import layer_of
from tests.evaluators_tests.test_gate_places import LlamaMLP, T5Gated
from tests.evaluators_tests.test_stack_equals_plain import DOUBLE, check

SOFTMAX = "exp(x-max_c(x))/sum_c(exp(x-max_c(x)))"
NORM_RELU = "relu((x-mean_np(x))/std_np(x)*w+b); w=1:channel, b=0:channel"


class Gated(nn.Module):
    """A gated block and an activation of one input."""

    def __init__(self) -> None:
        super().__init__()
        self.mlp, self.act, self.head = LlamaMLP(), nn.ReLU(), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.head(self.act(x + self.mlp(x)))
        return result


class Packed(nn.Module):
    """A gate of the halves of one layer's output, which are views of it, by calls; one GLU behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.head = nn.Linear(8, 40), nn.Linear(20, 12), nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        z, x = self.first(x).chunk(2, dim=-1)
        result: Tensor = self.head(F.glu(self.second(z * F.silu(x)))).mean(1)
        return result


class Attention(nn.Module):
    """Attention under a mask, by a module or by a call that computes in another type."""

    def __init__(self, *, call: bool) -> None:
        super().__init__()
        self.qkv, self.head = nn.Linear(8, 24), nn.Linear(8, 5)
        self.softmax, self.call = nn.Softmax(dim=-1), call

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        scores = q @ k.transpose(-1, -2) / 8**0.5
        mask = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
        scores = scores.masked_fill(mask, float("-inf"))
        weights = F.softmax(scores, dim=-1, dtype=x.dtype).to(x.dtype) if self.call else self.softmax(scores)
        result: Tensor = self.head((weights @ v).mean(1))
        return result


class ConvNorm(nn.Module):
    """Convolution, BatchNorm, ReLU, twice: by modules, and by a call."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.bn1, self.relu = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True)
        self.none = nn.Identity()
        self.second, self.bn2, self.head = nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6), nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.none(self.bn1(self.first(x))))
        x = F.relu(self.bn2(self.second(x)))
        result: Tensor = self.head(x.mean((2, 3)))
        return result


class Own(Task):
    """A network with places, and data out of a generator."""

    batch_size, learning_rates = 32, (0.01,)

    def __init__(self, network: str, replaced: Replaced) -> None:
        self.name, self.made, self.replaced = network, network, replaced

    def network(self) -> nn.Module:
        made = {
            "gated": Gated,
            "dropped": lambda: nn.Sequential(T5Gated(), nn.Linear(8, 5)),
            "packed": Packed,
            "attention": lambda: Attention(call=False),
            "calls": lambda: Attention(call=True),
            "norms": ConvNorm,
        }
        return made[self.made]()

    def data(self, part: Part) -> tuple[Tensor, Tensor]:
        shapes = {"gated": (8,), "dropped": (8,), "norms": (1, 7, 7)}
        shape = shapes.get(self.made, (6, 8))
        generator = torch.Generator().manual_seed(len(part))
        return torch.randn(128, *shape, generator=generator), torch.randint(5, (128,), generator=generator)


GATED = Own("gated", (Place(nn.SiLU, kind="gate"),))
MIXED = Own("gated", (Place(nn.SiLU, kind="gate"), nn.ReLU))
DROPPED = Own("dropped", (Place("0.act", kind="gate"),))  # the owner of the product has a dropout, which multiplies
PACKED = Own("packed", (Place(F.silu, kind="gate"), Place(F.glu, kind="gate")))
ROWS = Own("attention", (Place("softmax", kind="row"),))
CALLS = Own("calls", (Place(F.softmax, kind="row"),))
NORMS = Own("norms", tuple(Place(each, kind="layer", absorbs=(nn.BatchNorm2d,)) for each in ("relu", F.relu)))
TEXTS: dict[Own, tuple[str, ...]] = {
    GATED: ("silu(x)*z", "relu(x)*relu(z)", "x*z*sigmoid(beta*x)+w*z; beta=1:channel, w=0.1", "z*x/rms_c(x)"),
    MIXED: ("layers(silu(x)*z,relu(x))", "layers(tanh(x)*z,x*sigmoid(b*x)); b=1.0:channel"),
    DROPPED: ("gelu(x)*z", "x*z/rms_c(x)"),
    PACKED: ("layers(silu(x)*z,sigmoid(x)*z)", "tanh(x)*z+b*x; b=0.5:channel", "x*z/rms_c(z)"),
    ROWS: (SOFTMAX, "relu(x)/(sum_c(relu(x))+b); b=1.0", "exp(x)/(sum_c(exp(x))+b); b=1.0"),
    CALLS: (SOFTMAX,),
    NORMS: (NORM_RELU, "x*sigmoid(v*x)/std_gp(x)*w+b; v=1:channel, w=1:channel, b=0:channel", "tanh(x)"),
}
#: What stood there.
SAME: dict[Own, str] = {
    GATED: "silu(x)*z",
    MIXED: "layers(silu(x)*z,relu(x))",
    DROPPED: "0.5*x*(1+tanh(0.7978845608028654*(x+0.044715*x**3)))*z",
    PACKED: "layers(silu(x)*z,sigmoid(x)*z)",
    ROWS: SOFTMAX,
    CALLS: SOFTMAX,
    NORMS: NORM_RELU,
}
every = pytest.mark.parametrize("task", TEXTS, ids=lambda task: f"{task.name}-{len(task.replaced)}")


@every
def test_a_stack_equals_one_model_at_a_time(task: Own) -> None:
    check(task, [CohortMember(parse(text), (n,)) for n, text in enumerate(TEXTS[task])], 12, DOUBLE, 1e-9)


@every
def test_what_stood_there_trains_as_the_network_as_it_stands(task: Own) -> None:
    """Losses of the steps; after a BatchNorm evaluation takes statistics of other batches."""
    models = [
        PlainModel(task, "search", expression, seed=3, rate=0.01, steps=12, backend=DOUBLE)
        for expression in (None, parse(SAME[task]))
    ]
    current, own = (torch.tensor(model.advance(12), dtype=torch.float64) for model in models)
    torch.testing.assert_close(own, current, rtol=0, atol=1e-9)
    if task is not NORMS:
        assert models[1].loss("validation") == pytest.approx(models[0].loss("validation"), abs=1e-9)


@every
def test_company_changes_no_bit(task: Own) -> None:
    members, schedule = [CohortMember(parse(text), (1, 2)) for text in TEXTS[task]], Schedule(4, (), (0.01,))
    together = Stack(task, "search", members, schedule)
    together.advance(4)
    losses = together.loss("validation").view(-1, 2)
    for row, member in enumerate(members):
        alone = Stack(task, "search", [member], schedule)
        alone.advance(4)
        assert torch.equal(alone.loss("validation"), losses[row])


@every
def test_the_rehearsal_passes_and_the_network_stands_in_a_stack(task: Own) -> None:
    survey_of(task)
    stack = Stack(task, "search", [CohortMember(None, (1,))], Schedule(3, (), (0.01,)), backend=DOUBLE)
    model = PlainModel(task, "search", None, seed=1, rate=0.01, steps=3, backend=DOUBLE)
    torch.testing.assert_close(stack.advance(3)[:, 0].tolist(), model.advance(3), rtol=0, atol=1e-9)


@pytest.mark.parametrize("task", [ROWS, CALLS], ids=["module", "call"])
def test_softmax_under_a_mask(task: Own) -> None:
    """Values and gradients are torch's to 1e-12, where entries are minus infinity, too."""
    models = [
        PlainModel(task, "search", expression, seed=3, rate=0.01, steps=1, backend=DOUBLE)
        for expression in (None, parse(SOFTMAX))
    ]
    losses = [model.losses(model.order[0]).mean() for model in models]
    torch.testing.assert_close(losses[1], losses[0], rtol=1e-12, atol=1e-12)
    wanted, own = (
        torch.autograd.grad(loss, list(m.network.parameters())) for loss, m in zip(losses, models, strict=True)
    )
    torch.testing.assert_close(own, wanted, rtol=1e-12, atol=1e-13)


def test_a_row_has_its_own_channels() -> None:
    """Scores of shape (examples, heads, tokens, tokens) are no images."""
    (site,) = survey_of(CALLS).sites
    assert (site.inputs.channels, site.inputs.channel_dim, site.place_kind) == (6, -1, "row")


@pytest.mark.parametrize(
    ("task", "text", "said"),
    [
        (GATED, "silu(x)", "expected a function of x and z, such as silu(x)*z, got silu(x), which leaves z out"),
        (
            Own("gated", (nn.ReLU,)),
            "relu(x)*z",
            "does not fit the place 'act', of kind 'pointwise': expected a function of x",
        ),
        (MIXED, "layers(relu(x),silu(x)*z)", "does not fit the place 'mlp.act_fn', of kind 'gate'"),
        (ROWS, "relu(x)", "expected a function that reduces the row"),
        (ROWS, "exp(x)*z", "expected a function of x"),
    ],
)
def test_candidates_that_do_not_fit(task: Own, text: str, said: str) -> None:
    for make in (
        lambda: PlainModel(task, "search", parse(text), seed=0, rate=0.01, steps=1),
        lambda: Stack(task, "search", [CohortMember(parse(text), (0,))], Schedule(1, (), (0.01,))),
    ):
        with pytest.raises(EvaluationError) as caught:
            make()
        assert said in str(caught.value)


class Fork(nn.Module):
    """A norm whose output goes on beside its activation."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn, self.act, self.late = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.SiLU()

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn(self.conv(x))
        return self.late(self.act(x) + x)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("act", "absorbs: bn feeds something else, too: a call of add"),
        ("late", "absorbs: expected a BatchNorm2d whose output is its input in every call, found none"),
    ],
)
def test_norms_that_cannot_be_absorbed(name: str, said: str) -> None:
    task = Own("norms", (Place(name, kind="layer", absorbs=(nn.BatchNorm2d,)),))
    with pytest.raises(TaskError) as caught:
        find_sites(Fork(), task, torch.randn(4, 1, 7, 7))
    assert said in str(caught.value)


class NormAct(nn.BatchNorm2d):
    """A norm and its activation in one module, with a name that says nothing."""

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(super().forward(x))


class Fused(nn.Module):
    """A module of its own for a norm and an activation; fused attention."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.own = nn.Conv2d(1, 4, 3), NormAct(4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.own(self.conv(x)).flatten(2)
        return F.scaled_dot_product_attention(x, x, x)


@pytest.mark.parametrize("match", ["own", NormAct])
def test_a_layer_may_take_the_place_of_a_norm_that_has_its_activation_within(match: str | type[nn.Module]) -> None:
    """The call within is none of the network's own."""
    task, x = Own("norms", (Place(match, kind="layer"),)), torch.randn(4, 1, 7, 7)
    torch.manual_seed(0)
    network = Fused().train()
    expected = network(x)
    (site,) = find_sites(network, task, x)
    assert (site.inputs.channels, site.inputs.channel_dim, site.norm) == (4, -3, None)
    site.put(layer_of(parse(NORM_RELU), 4, channel_dim=-3))
    torch.testing.assert_close(network(x), expected, rtol=1e-5, atol=1e-5)


def test_fused_attention_has_no_place() -> None:
    with pytest.raises(TaskError, match=r"has no softmax .* one fused call, which has no place: write the attention"):
        find_sites(Fused(), Own("norms", (Place(F.softmax, kind="row"),)), torch.randn(4, 1, 7, 7))


@pytest.mark.parametrize(
    ("module", "replaced", "said"),
    [
        (
            nn.Softmax(1),
            Place("act", kind="row", channel_dim=-1),
            "channel_dim: expected -3, that of the softmax, got -1",
        ),
        (nn.LogSoftmax(1), Place("act", kind="row"), "expected a softmax in a row's place, got a LogSoftmax"),
        (nn.ReLU(), Place("act", kind="row"), "expected a softmax in a row's place, got a ReLU"),
        (
            nn.Softmax(1),
            "act",
            'a candidate is, unless Place(..., kind="row") says that it takes the place of a softmax',
        ),
    ],
)
def test_rows_that_are_refused(module: nn.Module, replaced: Place | str, said: str) -> None:
    network = Fork()
    network.act = module  # type: ignore[assignment]
    with pytest.raises(TaskError) as caught:
        find_sites(network, Own("norms", (replaced,)), torch.randn(4, 1, 7, 7))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda: Place(nn.ReLU, kind=cast(Any, "gates")),
            "kind: expected one of pointwise, layer, gate, row, got 'gates'",
        ),
        (lambda: Place(nn.ReLU, absorbs=(nn.BatchNorm2d,)), 'absorbs: expected kind="layer"'),
        (
            lambda: Place(nn.ReLU, kind="layer", absorbs=cast(Any, nn.BatchNorm2d)),
            "expected a tuple of types of modules",
        ),
        (lambda: Place(F.scaled_dot_product_attention, kind="row"), "expected a type of modules, a pattern of names"),
    ],
)
def test_places_that_mean_nothing(make: Callable[[], Place], said: str) -> None:
    with pytest.raises(TaskError) as caught:
        make()
    assert said in str(caught.value)


def test_a_softmax_over_another_dimension_has_its_axes() -> None:
    network = Fork()
    network.act = nn.Softmax2d()  # type: ignore[assignment]
    x = torch.randn(4, 1, 7, 7)
    expected = network.eval()(x)
    (site,) = find_sites(network, Own("norms", (Place(nn.Softmax2d, kind="row"),)), x)
    assert (site.inputs.channels, site.inputs.channel_dim) == (4, -3)
    site.put(layer_of(parse(SOFTMAX), 4, channel_dim=-3))
    torch.testing.assert_close(network.eval()(x), expected)
