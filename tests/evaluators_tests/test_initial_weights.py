"""The user's network as it is: its own first weights, the candidate without a factor; or both as shipped tasks do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import weight_norm as weight_norm_by_hook
from torch.nn.utils.parametrizations import orthogonal, spectral_norm, weight_norm

from evaluators import LoopTask, Task, evaluate, split, task, task_names
from evaluators.cohort import CohortRequest, run_cohort
from evaluators.errors import TaskError
from evaluators.machine.backend import Backend
from evaluators.objectives import Trained, objective
from evaluators.results.records import MemberResult
from evaluators.seeds import derive
from evaluators.tasks.base import Part, batches
from evaluators.tasks.conditions import Conditions
from evaluators.tasks.shipped.extrapolation import PeriodicExtrapolation
from evaluators.tasks.shipped.modular_addition import ModularAddition
from evaluators.tasks.shipped.out_of_distribution import OutOfDistribution
from evaluators.tasks.shipped.pruned import Pruned
from evaluators.tasks.shipped.published import PublishedNetwork
from evaluators.tasks.shipped.residual import ResidualTask
from evaluators.tasks.tryout import try_out
from evaluators.training.drawing import draw_weights, undrawn
from evaluators.training.initialisation import initial_network
from evaluators.training.member import CohortMember, Schedule
from evaluators.training.plain import PlainModel
from evaluators.training.stacking.stack import Stack
from primitives.expression.parsing import parse

DOUBLE = Backend(dtype=torch.float64)
RATE, STEPS = 3e-3, 20


class Net(nn.Module):
    """Layers with initialisations of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.act, self.last = nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3)
        nn.init.uniform_(self.first.weight, -0.3, 0.7)
        nn.init.constant_(self.first.bias, 0.25)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.act(self.first(x)))


class Mine(Task):
    """A user's task, with any network."""

    name = "mine"
    batch_size = 32

    def __init__(self, make: Callable[[], nn.Module] = Net, **settings: object) -> None:
        self.make = make
        for setting, value in settings.items():
            setattr(self, setting, value)

    def network(self) -> nn.Module:
        return self.make()

    def data(self, part: str) -> tuple[Tensor, Tensor]:
        x = torch.randn(96, 6, generator=torch.Generator().manual_seed(len(part)))
        return x, (x[:, 0] > 0).long() + (x[:, 1] > 0).long()


class Looped(LoopTask):
    """The same by a loop, which notes the weights that it was given."""

    name = "looped"

    def __init__(self, make: Callable[[], nn.Module] = Net) -> None:
        self.make, self.given = make, list[dict[str, Tensor]]()

    def network(self) -> nn.Module:
        return self.make()

    def data(self, part: str) -> tuple[Tensor, Tensor]:
        return Mine().data(part)

    def fit(self, network: nn.Module, part: Part, seed: int, rate: float, rung_steps: Sequence[int]) -> Iterator[float]:
        self.given.append({name: weight.detach().clone() for name, weight in network.named_parameters()})
        yield from [network(self.data(part)[0]).square().mean().item()] * (len(rung_steps) + (part == "confirmation"))


def as_torch_makes_it(seed: int) -> Net:
    torch.manual_seed(derive(seed, "modules"))
    return Net()


def trained_by_hand(function: Callable[[Tensor], Tensor], seed: int) -> tuple[list[float], float]:
    """Training losses and the validation loss of an ordinary loop over the network's own weights, float64."""
    network = as_torch_makes_it(seed)
    network.double()
    x, y = Mine().data("search")
    parts = split(len(x), "search", seed)
    optimiser, losses = torch.optim.Adam(network.parameters(), lr=RATE), []

    def loss(index: Tensor) -> Tensor:
        return F.cross_entropy(network.last(function(network.first(x[index].double()))), y[index])

    for index in batches(parts.train, STEPS, 32, seed):
        optimiser.zero_grad()
        (step := loss(index)).backward()
        optimiser.step()
        losses.append(step.item())
    return losses, loss(parts.validation).item()


@pytest.mark.parametrize("seed", [1, 2])
def test_weights_are_those_that_torch_makes_under_the_seed(seed: int) -> None:
    expected = as_torch_makes_it(seed).state_dict()
    loop = Looped()
    run_cohort(CohortRequest(("tanh(x)",), ("looped",), 5, 1, 1, rates=(RATE,), nulls=0), lambda _: loop)
    of_loop = as_torch_makes_it(derive(5, "search", "seed", 0)).state_dict()
    stack = Stack(Mine(), "search", [CohortMember(parse("tanh(x)"), (seed,))], Schedule(1, (), (RATE,)))
    plain = PlainModel(Mine(), "search", parse("tanh(x)"), seed=seed, rate=RATE, steps=1).network.state_dict()
    for name, weight in expected.items():
        assert torch.equal(stack.state[name][0], weight)
        assert torch.equal(plain[name], weight)
        assert all(torch.equal(given[name], of_loop[name]) for given in loop.given)


@pytest.mark.parametrize(
    ("text", "function"),
    [("2*relu(x)", lambda x: 2 * F.relu(x)), ("relu(x)", F.relu), ("x*atan(x)", lambda x: x * torch.atan(x))],
)
def test_losses_are_those_of_a_plain_loop_with_the_formula_as_it_is(
    text: str, function: Callable[[Tensor], Tensor]
) -> None:
    member = CohortMember(parse(text), (1, 2))
    stack = Stack(Mine(), "search", [member], Schedule(STEPS, (), (RATE,)), backend=DOUBLE)
    stacked, held_out = stack.advance(STEPS), stack.loss("validation")
    for column, seed in enumerate(member.seeds):
        losses, validation = trained_by_hand(function, seed)
        model = PlainModel(Mine(), "search", member.expression, seed=seed, rate=RATE, steps=STEPS, backend=DOUBLE)
        assert model.advance(STEPS) == pytest.approx(losses, rel=1e-9)
        assert model.loss("validation") == pytest.approx(validation, rel=1e-9)
        assert stacked[:, column].tolist() == pytest.approx(losses, rel=1e-9)
        assert held_out[column].item() == pytest.approx(validation, rel=1e-9)


def pretrained() -> Net:
    network = Net()
    network.load_state_dict({name: torch.full_like(t, 0.125) for name, t in network.state_dict().items()})
    return network


def fresh_head() -> Net:
    network = pretrained()
    network.last.reset_parameters()
    return network


def frozen_trunk() -> nn.Module:
    network = fresh_head()
    network.first.requires_grad_(False)
    return network


def seeds_itself() -> nn.Module:
    torch.manual_seed(0)
    return Net()


@pytest.mark.parametrize("kind", [Mine, Looped])
@pytest.mark.parametrize("make", [pretrained, seeds_itself])
def test_two_seeds_with_the_same_weights_are_refused(kind: type[Task], make: Callable[[], nn.Module]) -> None:
    message = (
        r"two seeds, all of its trained parameters are the same \(first\.weight, .*torch\.manual_seed.*pretrained = "
    )
    with pytest.raises(TaskError, match=message):
        try_out(kind(make))  # type: ignore[call-arg]
    meant = kind(make)  # type: ignore[call-arg]
    meant.pretrained = True
    assert try_out(meant) == ()


@pytest.mark.parametrize("make", [fresh_head, frozen_trunk])
def test_a_pretrained_trunk_with_a_fresh_head_needs_no_word(make: Callable[[], nn.Module]) -> None:
    assert try_out(Mine(make)) == ()


def test_pretrained_weights_are_kept() -> None:
    chosen = Mine(pretrained, pretrained=True)
    stack = Stack(chosen, "search", [CohortMember(parse("tanh(x)"), (1, 2))], Schedule(1, (), (RATE,)))
    assert all(bool((weight == 0.125).all()) for weight in stack.state.values())


KEEP_SIZE: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "linear": (lambda: nn.Linear(64, 64), (64,)),
    "conv1d": (lambda: nn.Conv1d(16, 32, 5), (16, 32)),
    "conv3d": (lambda: nn.Conv3d(8, 16, 3, groups=2), (8, 8, 8, 8)),
    "transposed 1d": (lambda: nn.ConvTranspose1d(16, 8, 4, stride=2), (16, 64)),
    "transposed 2d": (lambda: nn.ConvTranspose2d(16, 8, 3, groups=4), (16, 24, 24)),
    "transposed 3d": (lambda: nn.ConvTranspose3d(8, 4, 2, stride=2), (8, 8, 8, 8)),
    "weight_norm": (lambda: weight_norm(nn.Linear(64, 64)), (64,)),
    "weight_norm by a hook": (lambda: weight_norm_by_hook(nn.Linear(64, 64)), (64,)),
}


@pytest.mark.parametrize("kind", KEEP_SIZE)
@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
def test_drawn_weights_keep_the_size_of_a_signal(kind: str) -> None:
    """The mean square of the outputs is that of the inputs, 1; a fan in of another size is off by half or more."""
    make, shape = KEEP_SIZE[kind]
    layer, generator = make(), torch.Generator().manual_seed(1)
    with torch.no_grad():
        layer.bias.fill_(3.0)  # type: ignore[operator]
    draw_weights(layer, generator)
    output = layer(torch.randn(64, *shape, generator=generator))
    inside = output[(..., *[slice(2, -2)] * (len(shape) - 1))] if len(shape) > 1 else output
    assert float(inside.detach().square().mean()) == pytest.approx(1.0, abs=0.25)
    assert undrawn(layer) == ()


@pytest.mark.parametrize("norm", [weight_norm, weight_norm_by_hook])
@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
def test_a_normed_weight_is_drawn_as_a_plain_one(norm: Callable[[nn.Module], nn.Module]) -> None:
    plain, normed = nn.Linear(6, 4), norm(nn.Linear(6, 4))
    for layer in (plain, normed):
        draw_weights(layer, torch.Generator().manual_seed(3))
    x = torch.randn(5, 6)
    torch.testing.assert_close(normed(x), plain(x))
    (normed(x).square().sum()).backward()
    assert all(weight.grad is not None for weight in normed.parameters())


class Left(nn.Module):
    """Parameters that are drawn, and others that are not."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(4, 2)
        self.memory = nn.GRU(4, 4)
        self.table = nn.Embedding(5, 4, padding_idx=2)
        self.tied = nn.Linear(4, 5, bias=False)
        self.tied.weight = self.table.weight
        self.frozen = nn.Linear(4, 4).requires_grad_(False)
        self.turned = orthogonal(nn.Linear(4, 4))
        self.lipschitz = spectral_norm(nn.Linear(4, 4))
        self.own = nn.Parameter(torch.ones(2, 2))
        self.vector = nn.Parameter(torch.ones(2))


def test_what_is_not_drawn_stays_and_is_listed() -> None:
    network = Left()
    before = {name: weight.detach().clone() for name, weight in network.named_parameters()}
    draw_weights(network, torch.Generator().manual_seed(1))
    left = {
        *("attention.in_proj_weight", "memory.weight_ih_l0", "memory.weight_hh_l0", "frozen.weight", "own"),
        "turned.parametrizations.weight.original",
    }
    assert set(undrawn(network)) == left
    same = {name for name, weight in network.named_parameters() if torch.equal(weight, before[name])}
    assert left | {"frozen.bias", "turned.bias", "vector"} <= same
    assert not same & {"attention.out_proj.weight", "table.weight", "lipschitz.parametrizations.weight.original"}
    assert network.tied.weight is network.table.weight
    assert bool((network.tied.weight != 0).all())  # the layer that is drawn last has no row for padding


def attentive() -> nn.Module:
    layer = nn.TransformerEncoderLayer(6, 2, 8, dropout=0.0, activation=nn.ReLU(), batch_first=True)
    return nn.Sequential(nn.Unflatten(1, (1, 6)), layer, nn.Flatten(1), nn.Linear(6, 3))


def test_a_try_out_notes_what_drawing_leaves() -> None:
    assert try_out(Mine(attentive)) == ()
    (note,) = try_out(Mine(attentive), Conditions(initial="drawn"))
    assert "initial is 'drawn', but these parameters stay" in note
    assert note.endswith(": 1.self_attn.in_proj_weight")


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        (
            "scale",
            "units",
            r"'mine': scale: expected 'none' or 'unit' or 'critical', got 'units'; did you mean 'unit'\?",
        ),
        ("initial", "drown", r"'mine': initial: expected 'own' or 'drawn', got 'drown'; did you mean 'drawn'\?"),
        ("scale", 2.0, r"'mine': scale: expected 'none' or 'unit' or 'critical', got 2\.0"),
    ],
)
def test_unknown_values_are_refused_by_name(setting: str, value: object, message: str) -> None:
    with pytest.raises(TaskError, match=message):
        try_out(Mine(Net, **{setting: value}))
    with pytest.raises(TaskError, match=message):
        evaluate(["tanh(x)"], Mine(), seeds=2, steps=1, **{setting: value})  # type: ignore[arg-type]


class Growing(Mine):
    """Confirmed with a larger network."""

    def larger(self) -> Task:
        return Larger()


class Larger(Mine):
    """That network."""

    def network(self) -> nn.Module:
        return nn.Sequential(nn.Linear(6, 9), nn.ReLU(), nn.Linear(9, 3))


@pytest.mark.parametrize("part", ["search", "confirmation"])
def test_a_job_asks_for_other_conditions_than_the_task_has(part: Part, monkeypatch: pytest.MonkeyPatch) -> None:
    def losses(*asked: Conditions) -> list[list[float]]:
        request = CohortRequest(
            ("2*tanh(x)",), ("mine",), 3, 2, 4, rates=(RATE,), purpose=part, nulls=0, conditions=asked
        )  # fmt: skip
        found: list[list[float]] = run_cohort(request, lambda _: Growing()).candidates[0].losses["mine"][4].tolist()
        return found

    own, by_job = losses(), losses(Conditions("drawn", "unit"))
    others = [losses(Conditions(initial="drawn")), losses(Conditions(scale="unit"))]
    monkeypatch.setattr(Mine, "initial", "drawn")
    monkeypatch.setattr(Mine, "scale", "unit")
    assert by_job == losses()
    assert len({str(each) for each in (own, by_job, *others)}) == 4


def test_a_factor_counts_where_the_scale_is_none() -> None:
    unit = evaluate(["relu(x)", "2*relu(x)"], "digits", seeds=2, steps=5)
    none = evaluate(["relu(x)", "2*relu(x)"], "digits", seeds=2, steps=5, scale="none")
    assert [each.gain for each in unit] == [0.0, 0.0]
    assert none[0].gain == 0.0
    assert none[1].gain != 0.0


def test_shipped_tasks_are_drawn_and_have_unit_scale_but_for_published_and_trained_networks() -> None:
    own = (PublishedNetwork, Pruned, ResidualTask, PeriodicExtrapolation, OutOfDistribution, ModularAddition)
    for name in (*task_names(), "digits-3x16", "mnist", "cifar-10", "cifar-10-preresnet", "cifar-10-resnet"):
        for chosen in (task(name), task(name).larger()):
            usual = ("own", "none") if isinstance(chosen, own) else ("drawn", "unit")
            assert chosen is None or (chosen.initial, chosen.scale, chosen.pretrained) == (*usual, False)


def test_a_network_of_its_own_weights_is_no_longer_overwritten_by_a_seed() -> None:
    drawn, own = (initial_network(Mine(initial=initial), 1).state_dict() for initial in ("drawn", "own"))
    assert float(own["first.bias"].mean()) == 0.25
    assert float(drawn["first.bias"].abs().max()) == 0.0
    assert not torch.equal(own["first.weight"], drawn["first.weight"])


def test_lipschitz_is_that_of_the_function_that_is_applied() -> None:
    row, slope = MemberResult(), objective("lipschitz")

    def values(*texts: str, scale: str) -> list[float]:
        return [slope.value(Trained(parse(text), row, 0.0, row, [], scale)) for text in texts]

    assert values("relu(x)", "2*relu(x)", scale="none") == [1.0, 2.0]
    assert values("relu(x)", "2*relu(x)", scale="unit") == pytest.approx([2**0.5, 2**0.5])
