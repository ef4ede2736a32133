"""Pruned and frozen networks: ``Task.prepare``, masks, and what no step may change."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize, prune

from evaluators import SGD, AdamW, LoopTask, Task, evaluate
from evaluators.errors import TaskError
from evaluators.machine.backend import Backend
from evaluators.places.survey import survey_of
from evaluators.seeds import derive, torch_generator
from evaluators.symmetry import signs_of
from evaluators.tasks.base import Part, batches, split
from evaluators.tasks.conditions import Conditions
from evaluators.tasks.tryout import try_out
from evaluators.training.initialisation import initial_network
from evaluators.training.member import CohortMember, Schedule
from evaluators.training.models import Models
from evaluators.training.plain import PlainModel
from evaluators.training.singles import Singles
from evaluators.training.stacking.stack import Stack
from evaluators.training.stacking.stackable import unstackable
from evaluators.training.train import train
from primitives.expression.parsing import parse
from tests.evaluators_tests.own_networks import Encoder, Recurrent, numbers

DOUBLE = Backend(dtype=torch.float64)
SEEDS, RATES, STEPS = (1, 2), (1e-3, 1e-2), 8
SWISH = "x*sigmoid(beta*x); beta=1.0:channel"
Prepare = Callable[[nn.Module, int], None]


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 5))


def cnn() -> nn.Module:
    return nn.Sequential(
        *(nn.Unflatten(1, (1, 3, 4)), nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU()),
        *(nn.Conv2d(4, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(48, 5)),
    )


class Masked(nn.Linear):
    """A layer with a mask in a buffer, of a type that no gradient has."""

    mask: Tensor

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs)
        self.register_buffer("mask", torch.ones(outputs, inputs, dtype=torch.bool))

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.mask, self.bias)


class Regrowing(Masked):
    """Keeps the larger half of its weights, chosen anew in each training step."""

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            size = self.weight.detach().abs()
            self.mask.copy_(size >= size.flatten().sort().values[size.numel() // 2])
        return super().forward(x)


class MaskedByParameter(nn.Linear):
    """The mask is a parameter that is not trained."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs)
        self.mask = nn.Parameter(torch.ones(outputs, inputs), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.mask, self.bias)


def of(kind: type[nn.Linear]) -> Callable[[], nn.Module]:
    return lambda: nn.Sequential(kind(12, 8), nn.ReLU(), kind(8, 8), nn.ReLU(), kind(8, 5))


def weighted(network: nn.Module) -> list[nn.Module]:
    return [module for module in network.modules() if isinstance(module, nn.Linear | nn.Conv2d)]


def by_magnitude(network: nn.Module, seed: int) -> None:
    for module in weighted(network):
        prune.l1_unstructured(module, "weight", amount=0.5)


def at_random(network: nn.Module, seed: int) -> None:
    for module in weighted(network):
        prune.random_unstructured(module, "weight", amount=0.6)
        prune.random_unstructured(module, "bias", amount=0.3)


def over_all_layers(network: nn.Module, seed: int) -> None:
    layers = [(module, "weight") for module in weighted(network)]
    prune.global_unstructured(layers, pruning_method=prune.L1Unstructured, amount=0.7)


def twice(network: nn.Module, seed: int) -> None:
    by_magnitude(network, seed)
    for module in weighted(network):
        prune.ln_structured(module, "weight", amount=0.25, n=2, dim=0)


def by_given_masks(network: nn.Module, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for module in weighted(network):
        weight = module.get_parameter("weight")
        prune.custom_from_mask(module, "weight", torch.rand(weight.shape, generator=generator) < 0.5)


class Mask(nn.Module):
    """Half of a weight."""

    mask: Tensor

    def __init__(self, shape: torch.Size) -> None:
        super().__init__()
        self.register_buffer("mask", torch.rand(shape) < 0.5)

    def forward(self, weight: Tensor) -> Tensor:
        return torch.where(self.mask, weight, 0.0)


def by_parametrisation(network: nn.Module, seed: int) -> None:
    for module in weighted(network):
        parametrize.register_parametrization(module, "weight", Mask(module.get_parameter("weight").shape))


def lottery_ticket(network: nn.Module, seed: int) -> None:
    """Train, keep the larger half, go back to the first weights (arXiv 1803.03635)."""
    at_first = copy.deepcopy(network.state_dict())
    x, y = numbers("search")
    for _ in range(5):
        network.zero_grad()
        F.cross_entropy(network(x), y).backward()
        with torch.no_grad():
            for weight in network.parameters():
                if weight.grad is not None:
                    weight.sub_(weight.grad, alpha=0.1)
    sizes = [module.get_parameter("weight").detach().abs() for module in weighted(network)]
    network.load_state_dict(at_first)
    for module, size in zip(weighted(network), sizes, strict=True):
        vars(module)["_parameters"].get("mask", vars(module)["_buffers"].get("mask")).copy_(size >= size.median())


def frozen_and_pruned(network: nn.Module, seed: int) -> None:
    weighted(network)[0].requires_grad_(False)
    by_magnitude(network, seed)


def gradients_masked(network: nn.Module, seed: int) -> None:
    """Weights are set to 0 and their gradients, too: a hook of the parameter, which no stack calls."""
    for module in weighted(network):
        weight = module.get_parameter("weight")
        mask = (weight.abs() >= weight.abs().median()).to(weight.dtype).detach()
        weight.data.mul_(mask)
        weight.register_hook(lambda gradient, mask=mask: gradient * mask)


def nothing(network: nn.Module, seed: int) -> None:
    """As the user's method that is never written."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A network and what is done to it."""

    make: Callable[[], nn.Module]
    prepare: Prepare
    stacked: bool = True


KINDS = {
    "by magnitude": Kind(mlp, by_magnitude),
    "at random, biases too": Kind(mlp, at_random),
    "over all layers": Kind(mlp, over_all_layers),
    "twice, rows too": Kind(mlp, twice),
    "given masks": Kind(mlp, by_given_masks),
    "cnn, by magnitude": Kind(cnn, by_magnitude),
    "cnn, twice": Kind(cnn, twice),
    "parametrised": Kind(mlp, by_parametrisation),
    "cnn, parametrised": Kind(cnn, by_parametrisation),
    "lottery ticket": Kind(of(Masked), lottery_ticket),
    "mask in a parameter": Kind(of(MaskedByParameter), lottery_ticket),
    "regrowing": Kind(of(Regrowing), nothing),
    "frozen and pruned": Kind(mlp, frozen_and_pruned),
    "masked gradients": Kind(mlp, gradients_masked, stacked=False),
}
STACKED = [kind for kind, each in KINDS.items() if each.stacked]
#: Whose masks stay.
FIXED = [kind for kind in STACKED if kind != "regrowing"]
OPTIMISERS: dict[str, tuple[Any, Callable[..., torch.optim.Optimizer]]] = {
    "adam": ("adam", torch.optim.Adam),
    "adamw": (AdamW(weight_decay=0.3), lambda own, rate: torch.optim.AdamW(own, rate, weight_decay=0.3)),
    "sgd": (
        SGD(weight_decay=0.1),
        lambda own, rate: torch.optim.SGD(own, rate, momentum=0.9, weight_decay=0.1),
    ),
}


class Prepared(Task):
    """A network that is changed before it trains."""

    batch_size = 32
    learning_rates: tuple[float, ...] = RATES

    def __init__(self, kind: Kind | str, **settings: object) -> None:
        self.kind = KINDS[kind] if isinstance(kind, str) else kind
        self.name = "prepared"
        for setting, value in settings.items():
            setattr(self, setting, value)

    def network(self) -> nn.Module:
        return self.kind.make()

    def prepare(self, network: nn.Module, seed: int) -> None:
        return self.kind.prepare(network, seed)

    def data(self, part: str) -> Any:
        return numbers(part)


def by_hand(kind: str, seed: int) -> nn.Module:
    """The prepared network, by torch alone, in float64."""
    torch.manual_seed(derive(seed, "modules"))
    network = KINDS[kind].make()
    torch.manual_seed(derive(seed, "prepare"))
    KINDS[kind].prepare(network, seed)
    return network.double() if KINDS[kind].stacked else in_place_double(network)


def in_place_double(network: nn.Module) -> nn.Module:
    for tensor in network.parameters():
        tensor.data = tensor.data.double()  # the hooks stay
    return network


def loop(kind: str, seed: int, rate: float, optimiser: str = "adam", steps: int = STEPS) -> tuple[list[float], float]:
    """Losses of the steps and of the validation examples by a loop in plain torch, with the network's own ReLU."""
    network, (x, y), losses = by_hand(kind, seed), numbers("search"), []
    x = x.double()
    taken = OPTIMISERS[optimiser][1](network.parameters(), rate)
    parts = split(len(y), "search", seed)
    for index in batches(parts.train, steps, 32, seed):
        taken.zero_grad()
        loss = F.cross_entropy(network(x[index]), y[index])
        loss.backward()
        taken.step()
        losses.append(loss.item())
    network.eval()
    with torch.no_grad():
        return losses, F.cross_entropy(network(x[parts.validation]), y[parts.validation]).item()


def stack_of(kind: str, backend: Backend = DOUBLE, steps: int = STEPS, **settings: object) -> Stack:
    members = [CohortMember(parse("relu(x)"), SEEDS), CohortMember(parse(SWISH), SEEDS)]
    return Stack(Prepared(kind, **settings), "search", members, Schedule(steps, (), RATES), backend=backend)


@pytest.mark.parametrize("kind", KINDS)
def test_the_try_out_takes_it_and_says_whether_it_is_stacked(kind: str) -> None:
    notes = try_out(Prepared(kind))
    assert bool(notes) != KINDS[kind].stacked
    assert all("hook" in note or "in a stack its training loss differs" in note for note in notes)


@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize("kind", KINDS)
def test_losses_equal_those_of_a_plain_loop(kind: str, optimiser: str) -> None:
    task = Prepared(kind, optimiser=OPTIMISERS[optimiser][0])
    made = Stack if KINDS[kind].stacked else Singles
    models = made(task, "search", [CohortMember(parse("relu(x)"), SEEDS)], Schedule(STEPS, (), RATES), backend=DOUBLE)
    losses, validation = models.advance(STEPS), models.loss("validation")
    for place, (seed, rate) in enumerate((seed, rate) for seed in SEEDS for rate in RATES):
        expected, last = loop(kind, seed, rate, optimiser)
        torch.testing.assert_close(losses[:, place].tolist(), expected, rtol=1e-9, atol=0)
        torch.testing.assert_close(validation[place].item(), last, rtol=1e-9, atol=0)


@pytest.mark.parametrize("expression", [SWISH, None])
@pytest.mark.parametrize("kind", STACKED)
def test_a_stack_equals_one_model_at_a_time(kind: str, expression: str | None) -> None:
    """With a candidate, and as the network stands."""
    task = Prepared(kind, optimiser=AdamW(weight_decay=0.1), clip=0.5)
    members, schedule = [CohortMember(parse(expression) if expression else None, SEEDS)], Schedule(STEPS, (), RATES)
    stack, singles = (each(task, "search", members, schedule, backend=DOUBLE) for each in (Stack, Singles))
    torch.testing.assert_close(stack.advance(STEPS), singles.advance(STEPS), rtol=1e-9, atol=0)
    torch.testing.assert_close(stack.loss("validation"), singles.loss("validation"), rtol=1e-9, atol=0)


def masked(kind: str, tensors: dict[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Names of weights with their masks: True is kept."""
    for name, tensor in tensors.items():
        if name.endswith("mask"):
            weight = name.removesuffix("_mask") + "_orig" if name.endswith("_mask") else name[:-4] + "weight"
            yield name.replace("0.mask", "original") if "parametrizations" in name else weight, tensor != 0


@pytest.mark.parametrize("kind", FIXED)
def test_what_is_pruned_stays_so_and_counts_for_nothing(kind: str) -> None:
    """Masks keep every bit; a pruned weight may be anything: the losses are the same."""
    stack, other = (stack_of(kind, optimiser=AdamW(weight_decay=0.3)) for _ in range(2))
    at_first, begun = dict(stack.fixed), {name: tensor.detach().clone() for name, tensor in stack.state.items()}
    pairs = list(masked(kind, stack.fixed))
    assert pairs
    for name, kept in pairs:
        assert 0.2 < kept.double().mean().item() < 0.9
        held = other.state if name in other.state else other.fixed
        held[name] = torch.where(kept, held[name], 1e3)
    losses = stack.advance(STEPS)
    assert torch.equal(losses, other.advance(STEPS))
    assert torch.equal(stack.loss("validation"), other.loss("validation"))
    assert all(torch.equal(stack.fixed[name], tensor) for name, tensor in at_first.items() if "running" not in name
               and "batches" not in name)  # fmt: skip
    rates = torch.tensor([rate for _, rate in stack.slices], dtype=torch.float64)
    for name, kept in pairs:
        if name in stack.state:  # the decay alone moves it
            shrunk = begun[name] * (1 - 0.3 * rates.view(-1, *[1] * (kept.dim() - 1))) ** STEPS
            torch.testing.assert_close(stack.state[name].detach()[~kept], shrunk[~kept], rtol=1e-12, atol=0)


@pytest.mark.parametrize("kind", ["by magnitude", "cnn, twice", "parametrised", "frozen and pruned"])
def test_the_weights_that_a_network_computes_with_are_zero_in_every_step(kind: str) -> None:
    task = Prepared(kind, optimiser=AdamW(weight_decay=0.3))
    model = PlainModel(task, "search", parse(SWISH), seed=1, rate=1e-2, steps=STEPS)
    zeros = [module.weight == 0 for module in weighted(model.network)]
    for step in range(1, STEPS + 1):
        model.advance(step)
        model.losses(model.order[0])
        found = [module.weight for module in weighted(model.network)]
        for weight, zero in zip(found, zeros, strict=True):
            assert isinstance(weight, Tensor) and isinstance(zero, Tensor)
            assert torch.equal(weight == 0, zero)


def test_seeds_have_masks_of_their_own_and_those_of_one_seed_are_one() -> None:
    stack = stack_of("at random, biases too")
    kept = stack.fixed["0.weight_mask"].view(2, len(SEEDS), len(RATES), 8, 12)
    assert not torch.equal(kept[0, 0, 0], kept[0, 1, 0])
    assert torch.equal(kept, kept[:1, :, :1].expand_as(kept))


def test_what_is_frozen_does_not_move_by_a_bit() -> None:
    stack = stack_of("frozen and pruned", Backend(), optimiser=AdamW(weight_decay=0.3))
    stack.advance(STEPS)
    assert {"0.weight_orig", "0.bias"} <= stack.fixed.keys()
    for place, (number, _) in enumerate(stack.slices):
        at_first = dict(initial_network(stack.task, SEEDS[number]).named_parameters())
        for name in ("0.weight_orig", "0.bias"):
            assert torch.equal(stack.fixed[name][place], at_first[name])


@pytest.mark.parametrize("kind", KINDS)
def test_members_that_are_dropped_and_a_resume_change_no_bit(kind: str) -> None:
    members = [CohortMember(parse("tanh(x)"), SEEDS), CohortMember(parse(SWISH), SEEDS)]
    task, schedule = Prepared(kind), Schedule(STEPS, (), RATES)
    made: type[Models] = Stack if KINDS[kind].stacked else Singles
    straight, shrunk, resumed = (made(task, "search", members, schedule) for _ in range(3))
    for models in (straight, shrunk):
        models.advance(4)
    shrunk.keep([1], [(1,)])
    resumed.keep([1], [(1,)])
    if isinstance(resumed, Stack):
        resumed.fixed = {name: torch.zeros_like(tensor) for name, tensor in resumed.fixed.items()}
    resumed.restore(copy.deepcopy(shrunk.saved()))
    whole = straight.advance(STEPS)[:, straight.ranges[1]].view(4, len(SEEDS), len(RATES))[:, :, 1]
    for models in (shrunk, resumed):
        assert torch.equal(models.advance(STEPS), whole)
        assert torch.equal(models.loss("validation"), straight.loss("validation")[straight.ranges[1]][1::2])


@pytest.mark.parametrize("kind", ["by magnitude", "cnn, by magnitude", "lottery ticket", "masked gradients"])
def test_gains_are_over_the_pruned_network_as_it_stands(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The network is prepared with what stood in its places: a mask is the same for all candidates.

    By SGD: Adam's first steps are signs, so that a gradient that is 0 but for rounding moves a weight as far as others.
    """
    task = Prepared(kind, learning_rates=(0.1,), optimiser=OPTIMISERS["sgd"][0])
    relu, tanh = evaluate(["relu(x)", "tanh(x)"], task, seeds=3, steps=STEPS)
    own = KINDS[kind]

    def put_tanh(network: nn.Module, seed: int) -> None:
        own.prepare(network, seed)
        for name, module in list(network.named_children()):
            if isinstance(module, nn.ReLU):
                setattr(network, name, nn.Tanh())

    monkeypatch.setitem(KINDS, "with tanh", Kind(own.make, put_tanh, own.stacked))
    seeds = [derive(0, "search", "seed", number) for number in range(3)]
    logs = [math.log(loop(kind, seed, 0.1, "sgd")[1] / loop("with tanh", seed, 0.1, "sgd")[1]) for seed in seeds]
    assert float(np.abs(logs).max()) > 1e-3
    assert relu.gain == pytest.approx(0.0, abs=1e-4)
    assert tanh.gain == pytest.approx(float(np.mean(logs)), abs=1e-4)


class Counted(Prepared):
    """Notes what is made and what is prepared."""

    def __init__(self, kind: str = "by magnitude", **settings: object) -> None:
        super().__init__(kind, **settings)
        self.made, self.prepared = list[nn.Module](), list[nn.Module]()

    def network(self) -> nn.Module:
        self.made.append(super().network())
        return self.made[-1]

    def prepare(self, network: nn.Module, seed: int) -> None:
        assert not any(
            isinstance(module, nn.Linear) and "weight_mask" in module._buffers for module in network.modules()
        )
        self.prepared.append(network)
        return super().prepare(network, seed)

    @property
    def once(self) -> bool:
        """Each network was prepared, once, behind its making and before the next one's."""
        return bool(self.made) and [*map(id, self.made)] == [*map(id, self.prepared)]


class CountedLoop(Counted, LoopTask):
    """The same by a loop of its own."""

    def fit(self, network: nn.Module, part: Part, seed: int, rate: float, rung_steps: Sequence[int]) -> Iterator[float]:
        assert all(module.get_buffer("weight_mask").mean() == 0.5 for module in weighted(network))
        yield from [network(self.data(part)[0]).square().mean().item()] * (len(rung_steps) + (part == "confirmation"))


class Growing(Counted):
    """Confirmed with a larger network, which is prepared, too."""

    other: Counted

    def larger(self) -> Task:
        return self.other


USES: dict[str, Callable[[Task], object]] = {
    "survey": survey_of,
    "plain model": lambda task: PlainModel(task, "search", None, seed=0, rate=1e-2, steps=1),
    "evaluation": lambda task: evaluate(["tanh(x)"], task, seeds=2, steps=1),
    "confirmation": lambda task: train(
        task, "confirmation", [CohortMember(None, (0,), protected=True)], Schedule(1, (), RATES)
    ),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("kind", ["by magnitude", "masked gradients"])
def test_every_network_that_is_made_is_prepared_once(use: str, kind: str) -> None:
    task = Counted(kind)
    USES[use](task)
    assert task.once


def test_the_networks_of_a_loop_and_larger_ones_are_prepared_once() -> None:
    task, growing = CountedLoop(), Growing()
    growing.other = Counted()
    assert try_out(task) == try_out(growing) == ()
    train(task, "search", [CohortMember(parse("tanh(x)"), SEEDS, protected=True)], Schedule(1, (), RATES))
    assert task.once
    assert growing.other.made and growing.other.once
    made = len(growing.made)
    assert made and len(growing.prepared) == made


def test_drawn_weights_are_drawn_before() -> None:
    """The mask is that of the drawn weights, and the note on what is not drawn does not name them."""
    task = Prepared("by magnitude", initial="drawn")
    network = initial_network(task, 5)
    expected = torch.empty(8, 12).normal_(std=12**-0.5, generator=torch_generator(5, "weights"))
    assert torch.equal(network.get_parameter("0.weight_orig"), expected)
    assert torch.equal(network.get_buffer("0.weight_mask"), (expected.abs() > expected.abs().median()).float())
    assert try_out(Prepared("by magnitude"), Conditions(initial="drawn")) == ()


def test_a_task_without_one_is_as_before() -> None:
    class Plain(Prepared):
        prepare = Task.prepare

    torch.manual_seed(derive(3, "modules"))
    expected = mlp().state_dict()
    for task in (Plain("by magnitude"), Prepared(Kind(mlp, nothing))):
        for name, tensor in initial_network(task, 3).state_dict().items():
            assert torch.equal(tensor, expected[name])


def test_torchs_random_numbers_and_gradients_are_left_as_they_were() -> None:
    before = torch.random.get_rng_state()
    with torch.no_grad():
        network = initial_network(Prepared("lottery ticket"), 1)
    initial_network(Prepared("at random, biases too"), 1)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(weight.grad is None for weight in network.parameters())


def fails(network: nn.Module, seed: int) -> None:
    raise ValueError("no such checkpoint")


def returns(network: nn.Module, seed: int) -> None:
    return copy.deepcopy(network)  # type: ignore[return-value]


def unseeded(network: nn.Module, seed: int) -> None:
    rows = np.random.default_rng().random((8, 12)) < 0.5
    prune.custom_from_mask(network.get_submodule("0"), "weight", torch.tensor(rows))


def every_other(network: nn.Module, seed: int) -> None:
    if seed % 2:
        by_magnitude(network, seed)


def other_places(network: nn.Module, seed: int) -> None:
    if seed % 2:
        setattr(network, "1", nn.Identity())


KEPT = {name: tensor + 0.1 for name, tensor in mlp().state_dict().items()}


def assigned(network: nn.Module, seed: int) -> None:
    network.load_state_dict(KEPT, assign=True)


def loaded(network: nn.Module, seed: int) -> None:
    network.load_state_dict(KEPT)


def frozen_whole(network: nn.Module, seed: int) -> None:
    network.requires_grad_(False)


REFUSED: dict[str, tuple[Prepare, str]] = {
    "fails": (fails, r"prepare\(network, seed\) fails: .*ValueError: no such checkpoint"),
    "returns": (
        returns,
        r"prepare: expected None, got a Sequential: it changes the network that it is given, in place",
    ),
    "unseeded": (
        unseeded,
        r"prepare: called twice with one seed, 0\.weight_mask differs; draw with torch's random numbers",
    ),
    "other names": (
        every_other,
        r"prepare: behind it two seeds have other parameters or buffers \(0\.weight, 2\.weight, 4\.weight in one alone "
        r"and 0\.weight_mask, 0\.weight_orig, 2\.weight_mask, 2\.weight_orig, \.\.\. in the other alone\)",
    ),
    "other places": (
        other_places,
        r"prepare: behind it two seeds have other places for the candidate \(1 in one alone\)",
    ),
    "assigned": (assigned, r"prepare: two networks hold 0\.weight in the same memory.*assign=True"),
    "loaded": (loaded, r"prepare: behind it, of two seeds, all of its trained .* \(0\.weight, .*pretrained = True"),
    "frozen whole": (frozen_whole, "no parameter to train"),
}


@pytest.mark.parametrize("looped", [False, True])
@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_wrong_with_it_is_said_by_name(kind: str, looped: bool) -> None:
    prepare, message = REFUSED[kind]
    if looped and kind == "frozen whole":
        pytest.skip("a loop may train what it likes")
    task = (CountedLoop if looped else Prepared)(Kind(mlp, prepare))  # type: ignore[arg-type]
    with pytest.raises(TaskError, match=f"^task 'prepared': .*{message}"):
        try_out(task)


def test_the_message_names_file_and_line() -> None:
    class Fails(Prepared):
        def prepare(self, network: nn.Module, seed: int) -> None:
            raise ValueError("no such checkpoint")

    with pytest.raises(TaskError, match=rf"fails: {re.escape(__file__)}, line \d+: ValueError: no such"):
        survey_of(Fails("by magnitude"))


def test_the_same_weights_for_all_seeds_need_a_word_whatever_the_masks_are() -> None:
    def masks_too(network: nn.Module, seed: int) -> None:
        loaded(network, seed)
        at_random(network, seed)

    for prepare in (loaded, masks_too):
        assert try_out(Prepared(Kind(mlp, prepare), pretrained=True)) == ()
        with pytest.raises(TaskError, match=r"all of its trained parameters are the same .*pretrained = True"):
            try_out(Prepared(Kind(mlp, prepare)))
    stack = Stack(
        Prepared(Kind(mlp, masks_too)), "search", [CohortMember(parse("relu(x)"), SEEDS)], Schedule(1, (), RATES)
    )
    assert {"0.weight_mask", "0.bias_mask"} <= stack.fixed.keys()


def test_signs_of_what_is_prepared_are_told_apart() -> None:
    """A mask may hang on the signs of the weights; what is not known does not hold."""

    def positive(network: nn.Module, seed: int) -> None:
        for module in weighted(network):
            prune.custom_from_mask(module, "weight", module.get_parameter("weight") > 0)

    class Plain(Prepared):
        prepare = Task.prepare

    assert signs_of(Plain("by magnitude")).held
    assert not signs_of(Prepared(Kind(mlp, positive))).held


@pytest.mark.parametrize("prepare", [by_magnitude, by_parametrisation])
def test_the_last_layer_of_attention_is_pruned_where_attention_sees_it(prepare: Prepare) -> None:
    """Its weight is taken without a call of the layer, so that no hook of the layer is called."""
    task = Prepared(Kind(Encoder, prepare))
    if prepare is by_magnitude:
        with pytest.raises(TaskError, match=r"body\.layers\.0\.self_attn\.out_proj: a hook computes its weight before"):
            try_out(task)
    else:
        assert try_out(task) == ()


def test_the_input_projection_of_attention_is_pruned_in_a_stack() -> None:
    def prepare(network: nn.Module, seed: int) -> None:
        for module in network.modules():
            if isinstance(module, nn.MultiheadAttention):
                prune.random_unstructured(module, "in_proj_weight", amount=0.5)

    assert try_out(Prepared(Kind(Encoder, prepare))) == ()


def test_a_pruned_lstm_trains_one_model_at_a_time_for_the_reason_that_others_do() -> None:
    def prepare(network: nn.Module, seed: int) -> None:
        prune.l1_unstructured(network.get_submodule("lstm"), "weight_hh_l0", amount=0.5)

    (note,) = try_out(Prepared(Kind(Recurrent, prepare)))
    assert "aten::lstm" in note


def test_one_network_for_all_is_refused() -> None:
    """Pretrained or not: each model would begin where the one before it ended."""
    one = mlp()
    with pytest.raises(TaskError, match=r"task 'prepared': network: two networks hold 0\.weight in the same memory"):
        try_out(Prepared(Kind(lambda: one, nothing), pretrained=True))


def test_a_structure_that_the_network_draws_is_no_fault_of_the_preparation() -> None:
    def drawn() -> nn.Module:
        return nn.Sequential(*[nn.Linear(12, 12) for _ in range(int(torch.randint(9, ())))], mlp())

    (note,) = try_out(Prepared(Kind(drawn, by_magnitude)))
    assert "one at a time, since they cannot be stacked: the network differs from seed to seed" in note


def test_other_sizes_from_seed_to_seed_train_one_at_a_time_with_a_note() -> None:
    def narrow(network: nn.Module, seed: int) -> None:
        width = 8 - seed % 2
        setattr(network, "0", nn.Linear(12, width))
        setattr(network, "2", nn.Linear(width, 8))

    (note,) = try_out(Prepared(Kind(mlp, narrow)))
    assert "stacked: 0.out_features differs from seed to seed (8, then 7)" in note


def test_a_parameter_that_is_trained_for_one_seed_alone_keeps_a_network_from_being_stacked() -> None:
    def odd(network: nn.Module, seed: int) -> None:
        network.get_submodule("0").requires_grad_(seed % 2 == 1)

    (note,) = try_out(Prepared(Kind(mlp, odd)))
    assert "stacked: 0.weight differs from seed to seed ((8, 12) of float32, then (8, 12) of float32, trained)" in note


def test_a_stack_refuses_a_seed_that_is_unlike_the_others() -> None:
    def rarely(network: nn.Module, seed: int) -> None:
        network.get_submodule("0").requires_grad_(seed != 7)

    task = Prepared(Kind(mlp, rarely))
    assert unstackable(task) == ""
    message = (
        r"task 'prepared': network: of the seeds 1 and 7, 0\.bias differs in shape or type, or is there or trained"
    )
    with pytest.raises(TaskError, match=message):
        Stack(task, "search", [CohortMember(parse("relu(x)"), (1, 7))], Schedule(1, (), RATES))
