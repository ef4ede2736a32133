"""Mixtures of operators: what they compute, how they are trained and shrunk, and what they must not do."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evaluators.errors import EvaluationError, RecordError, TaskError
from evaluators.mixture.bounded import LARGEST, bounded
from evaluators.mixture.cell import Cell
from evaluators.mixture.mixture_codec import request_from_json, request_to_json, result_from_json, result_to_json
from evaluators.mixture.request import MixtureRequest, MixtureResult
from evaluators.mixture.run import run_mixture
from evaluators.mixture.settings import MixtureSettings
from evaluators.mixture.shrinking import drop_steps, next_drop
from evaluators.mixture.space import Space, expression_of, form_in, form_of, space_of, why_not
from evaluators.mixture.training import MixtureTraining
from evaluators.results.json_codec import Fields
from evaluators.seeds import derive, torch_generator
from evaluators.tasks.base import Part, Task, batches, split
from evaluators.tasks.conditions import Conditions
from evaluators.tasks.loop_task import LoopTask
from evaluators.tasks.place import Place
from evaluators.training.initialisation import initial_network, normalised
from primitives.expression.evaluation import value_at
from primitives.expression.parsing import parse
from primitives.grammars import grammar
from primitives.grammars.form import Form

GRAFS = form_in(grammar("grafs").templates[0][0])
assert GRAFS is not None
SPACE = space_of(GRAFS)
SMALL = Space("binary(unary(x),x)", ("a; a=1", "tanh(a); a=1"), ("a+b; a=1, b=1", "a*b; a=1, b=1"))
SHORT = MixtureSettings(steps=20, warm=0.2, shrink=0.4)


class Normed(Task):
    """Two hidden layers with BatchNorm, ten classes, random labels that depend on the input."""

    name = "normed"
    examples = 320
    scale = "none"

    def data(self, part: Part) -> tuple[Tensor, Tensor]:
        x = torch.randn(self.examples, 12, generator=torch_generator(7, part))
        return x, (x[:, :4].argmax(dim=1) + 4 * (x[:, 5] > 0)).long()

    def network(self) -> nn.Module:
        hidden = (nn.Linear(12, 16, bias=False), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU())
        return nn.Sequential(*hidden, nn.Linear(16, 8))


def asked(space: Space = SMALL, settings: MixtureSettings = SHORT, **rest: object) -> MixtureRequest:
    return MixtureRequest(space, "normed", 3, 0.01, settings, **rest)  # type: ignore[arg-type]


def ran(request: MixtureRequest, task: Callable[[], Task] = Normed) -> MixtureResult:
    return run_mixture(request, lambda _: task())


def mixing(request: MixtureRequest) -> MixtureTraining:
    training = MixtureTraining(Normed(), request)
    training.warmed()
    return training


def test_a_space_travels_as_text_and_writes_members() -> None:
    assert form_of(SPACE).count() == grammar("grafs").count() == 22_667_121
    generator = torch_generator(0, "choice")
    for _ in range(50):
        chosen = [int(torch.randint(len(rules), (), generator=generator)) for rules in SPACE.slots]
        assert expression_of(SPACE, chosen) in grammar("grafs")
    assert expression_of(SMALL, (1, 1)) is parse("tanh(x)*x")
    assert [len(rules) for rules in SPACE.slots] == [9, 23, 9, 23, 23, 23]
    with pytest.raises(EvaluationError, match="expected a form"):
        form_of(Space("unary(", (), ()))


@pytest.mark.parametrize("text", ["a**2", "a**3", "exp(a)", "sinh(a)", "cosh(a)", "a*b", "1/a", "exp(-a**2)"])
def test_bounded_rules_stay_within_ten_and_are_the_rules_elsewhere(text: str) -> None:
    pattern = parse(f"{text}; a=1, b=1" if "b" in text else f"{text}; a=1")
    a = torch.tensor([-1e30, -1e4, -40.0, -1.5, -0.5, 0.5, 1.5, 40.0, 1e4, 1e30], dtype=torch.float64)
    names = [p.name for p in pattern.parameters]
    wide = value_at(bounded(pattern), a, **dict.fromkeys(names, a))
    assert torch.isfinite(wide).all() and (wide.abs() <= LARGEST + 1e-9).all()
    near = a[3:7]
    torch.testing.assert_close(
        value_at(bounded(pattern), near, **dict.fromkeys(names, near)),
        value_at(pattern, near, **dict.fromkeys(names, near)),
    )


def test_a_root_has_an_input_from_a_thousandth_on() -> None:
    root = bounded(parse("sqrt(a); a=1"))
    a = torch.tensor([-5.0, 0.0, 1e-4, 1e-3, 4.0], dtype=torch.float64)
    torch.testing.assert_close(value_at(root, a, a=a), a.clamp(min=1e-3).sqrt())


def test_a_mixture_is_the_weighted_sum_of_all_derivations_of_sums() -> None:
    """By hand: the sum over the binary slot of its weights times the operators at the sum over the unary slot."""
    cell = Cell(SMALL, replace(SHORT, weights="softmax"), 0)
    with torch.no_grad():
        cell.alphas[0].copy_(torch.tensor([0.3, -0.7]))
        cell.alphas[1].copy_(torch.tensor([1.1, 0.2]))
    cell.step = SHORT.warm_steps  # a temperature of 1
    x = torch.linspace(-2.0, 2.0, 9)
    (add, mul), (same, tanh) = (torch.softmax(alphas, 0) for alphas in cell.alphas)
    inner = same * x + tanh * torch.tanh(x)
    torch.testing.assert_close(cell(x), add * (inner + x) + mul * (inner * x))


def test_the_softmax_becomes_hard() -> None:
    settings = replace(SHORT, weights="softmax")
    assert settings.temperature(settings.warm_steps) == 1.0
    assert settings.temperature(settings.steps) == pytest.approx(0.1)
    temperatures = [settings.temperature(step) for step in range(settings.warm_steps, settings.steps + 1)]
    assert temperatures == sorted(temperatures, reverse=True)


def test_each_call_draws_its_own_weights_around_the_mean() -> None:
    cell = Cell(SMALL, SHORT, 0)
    with torch.no_grad():
        cell.alphas[1].copy_(torch.tensor([1.0, -1.0]))
    torch.manual_seed(0)
    drawn = torch.stack([cell.weights(1) for _ in range(4000)])
    assert len(torch.unique(drawn[:, 0])) > 3900
    torch.testing.assert_close(drawn.sum(1), torch.ones(4000))
    concentration = torch.tensor([2.0, math.exp(-1.0)])  # elu(alpha) + 1
    torch.testing.assert_close(drawn.mean(0), concentration / concentration.sum(), atol=0.02, rtol=0)
    cell.drawing = False
    torch.testing.assert_close(cell.weights(1), concentration / concentration.sum())


def test_alphas_begin_below_a_millionth_and_parameters_around_their_own_start() -> None:
    cells = [Cell(SPACE, SHORT, seed) for seed in range(30)]
    alphas = torch.cat([alphas.detach() for cell in cells for alphas in cell.alphas])
    assert (alphas >= 0).all() and (alphas < 1e-6).all() and alphas.std() > 1e-7
    named = [(name, p.detach()) for cell in cells for name, p in cell.operators.named_parameters()]
    betas = torch.stack([p for name, p in named if name.endswith("beta")])
    assert len(betas) == 30 * 4 * 3
    assert float(betas.mean()) == pytest.approx(1.0, abs=0.06) and float(betas.std()) == pytest.approx(0.25, abs=0.05)
    assert all(p == 0 for name, p in named if name.endswith("mix"))


@pytest.mark.parametrize("unit", [False, True])
def test_with_one_operator_in_each_slot_it_is_the_candidate(unit: bool) -> None:
    cell = Cell(SPACE, SHORT, 0, unit=unit)
    wanted = (5, 12, 2, 19, 14, 20)  # sigmoid(a)*b, asinh, a*b, silu, relu, gelu
    for slot, number in enumerate(wanted):
        for other in [each for each in cell.alive[slot] if each != number]:
            cell.drop(slot, other)
    assert cell.chosen == wanted and cell.drops == 0
    candidate = expression_of(SPACE, wanted)
    x = torch.linspace(-2.5, 2.5, 41)
    expected = value_at(normalised(candidate) if unit else candidate, x)
    torch.testing.assert_close(cell(x).detach(), expected, rtol=2e-3 if unit else 1e-6, atol=1e-6)


def by_hand(request: MixtureRequest, steps: int) -> tuple[list[float], list[float], nn.Module, list[Tensor]]:
    """The training in plain torch: a softmax mixture of the small space, one step of it, one of the weights."""
    task = Normed()
    x, y = task.data("search")
    network = initial_network(task, request.seed)
    start = Cell(SMALL, request.settings, request.seed)
    binary, unary = (alphas.detach().clone().requires_grad_() for alphas in start.alphas)
    tau = 1.0

    class Mixture(nn.Module):
        def forward(self, h: Tensor) -> Tensor:
            (add, mul), (same, tanh) = torch.softmax(binary / tau, 0), torch.softmax(unary / tau, 0)
            inner = same * h + tanh * torch.tanh(h)
            root = math.sqrt(10.0)
            return add * (inner + h) + mul * inner.clamp(-root, root) * h.clamp(-root, root)

    network[2], network[4] = Mixture(), Mixture()  # type: ignore[operator]
    train = split(len(x), "search", request.seed).train
    own, other = train[: len(train) // 2], train[len(train) // 2 :]
    of_weights = batches(own, request.settings.steps, 64, request.seed)
    of_mixture = batches(other, request.settings.steps, 64, derive(request.seed, "mixture"))
    weights = torch.optim.Adam(network.parameters(), request.rate)
    mixture = torch.optim.Adam([binary, unary], request.settings.rate, betas=(0.5, 0.999), weight_decay=1e-3)
    losses, held_out = [], []
    for step in range(steps):
        tau = 0.1 ** (step / request.settings.steps)
        running = [buffer.clone() for buffer in network.buffers()]
        loss = F.cross_entropy(network(x[of_mixture[step]]), y[of_mixture[step]])
        held_out.append(loss.item())
        binary.grad, unary.grad = torch.autograd.grad(loss, [binary, unary])
        mixture.step()
        for buffer, before in zip(network.buffers(), running, strict=True):
            buffer.copy_(before)
        weights.zero_grad()
        loss = F.cross_entropy(network(x[of_weights[step]]), y[of_weights[step]])
        losses.append(loss.item())
        loss.backward()
        weights.step()
    return losses, held_out, network, [binary, unary]


def test_steps_equal_a_loop_in_plain_torch() -> None:
    settings = MixtureSettings(steps=20, warm=0.0, shrink=0.9, rate=0.05, weights="softmax")
    training = mixing(asked(settings=settings))
    losses, held_out, network, alphas = by_hand(training.request, 4)
    found = [training.step() for _ in range(4)]
    assert [loss for loss, _ in found] == pytest.approx(losses, rel=1e-5)
    assert [loss for _, loss in found] == pytest.approx(held_out, rel=1e-5)
    for mine, theirs in zip(training.cell.alphas, alphas, strict=True):
        torch.testing.assert_close(mine.data, theirs.data, rtol=1e-4, atol=1e-6)
    own = training.model.tensors()
    for name, tensor in [*network.named_parameters(), *network.named_buffers()]:
        torch.testing.assert_close(own[name].data, tensor.data, rtol=1e-3, atol=1e-5)


def test_the_other_half_never_reaches_the_weights() -> None:
    """Published code adds the mixture's gradient to the weights' next step; here neither changes the other's."""
    training = mixing(asked(SPACE))
    training.step()
    before = {name: tensor.detach().clone() for name, tensor in training.model.tensors().items()}
    gradients = [p.grad.clone() for p in training.model.network.parameters() if p.grad is not None]
    training.mixture_step()
    assert all(torch.equal(before[name], tensor) for name, tensor in training.model.tensors().items())
    after = [p.grad for p in training.model.network.parameters() if p.grad is not None]
    assert len(after) == len(gradients) > 0
    assert all(torch.equal(one, other) for one, other in zip(gradients, after, strict=True))

    cell = {name: p.detach().clone() for name, p in training.cell.named_parameters()}
    kept = [p.grad.clone() for p in training.cell.parameters() if p.grad is not None]
    training.weight_step()
    assert all(torch.equal(cell[name], p) for name, p in training.cell.named_parameters())
    again = [p.grad for p in training.cell.parameters() if p.grad is not None]
    assert kept and all(torch.equal(one, other) for one, other in zip(kept, again, strict=True))


def test_a_weight_step_is_the_same_with_a_mixture_step_before_it_whose_rate_moves_nothing() -> None:
    """A leak would show: the mixture stays as it is, and so must the weights' way."""
    settings = replace(SHORT, rate=1e-30, weights="softmax")
    with_steps, without = mixing(asked(SPACE, settings)), mixing(asked(SPACE, settings))
    losses = []
    for _ in range(5):
        with_steps.cell.step = without.cell.step = with_steps.model.step
        with_steps.mixture_step()
        losses.append((with_steps.weight_step(), without.weight_step()))
    assert all(one == other for one, other in losses)


def test_the_halves_share_no_example_and_leave_the_validation_examples_out() -> None:
    training = mixing(asked())
    own, other = (set(half.tolist()) for half in training.halves)
    validation = set(training.model.split.validation.tolist())
    assert set(training.model.order.flatten().tolist()) <= own
    assert set(training.order.flatten().tolist()) <= other
    assert not (own & other or own & validation or other & validation)


def test_drops_of_grafs_leave_one_operator_in_each_slot() -> None:
    settings = MixtureSettings(steps=1000, warm=0.1, shrink=0.2)
    left = [dict.fromkeys(range(len(rules)), 0.0) for rules in SPACE.slots]
    times = drop_steps(settings, 104)
    assert len(times) == 104 and times[0] == 200 and times == tuple(sorted(times)) and times[-1] < 1000
    ratios = [later / earlier for earlier, later in zip(times, times[10:], strict=False)]
    assert ratios == pytest.approx([5 ** (10 / 104)] * len(ratios), rel=0.02)
    generator = torch_generator(0, "alphas")
    for _ in times:
        for operators in left:
            operators.update({number: float(torch.rand((), generator=generator)) for number in operators})
        most = max(map(len, left))
        slot, number = next_drop(left)
        assert len(left[slot]) == most and left[slot][number] == min(left[slot].values())
        del left[slot][number]
    assert [len(slot) for slot in left] == [1] * 6


def test_a_run_records_drops_weights_and_losses() -> None:
    result = ran(asked(SPACE, MixtureSettings(steps=40, warm=0.2, shrink=0.4)))
    assert parse(result.expression) in grammar("grafs") and not result.reason
    assert len(result.dropped) == 104 and result.steps == 2 * 40 - 8
    steps = [each.step for each in result.dropped]
    assert steps[0] == 16 and steps == sorted(steps) and steps[-1] < 40
    seconds = [each.seconds for each in result.dropped]
    assert seconds == sorted(seconds)
    for mark in result.marks:
        assert [sum(weights) for weights in mark.weights] == pytest.approx([1.0] * 6, abs=1e-5)
    last = [[number for number, weight in enumerate(weights) if weight] for weights in result.marks[-1].weights]
    assert all(len(left) == 1 for left in last)
    assert expression_of(SPACE, [left[0] for left in last]).text == result.expression
    gone = {(each.slot, each.rule) for each in result.dropped}
    assert len(gone) == 104
    assert all((slot, result.slots[slot][left[0]]) not in gone for slot, left in enumerate(last))
    assert math.isnan(result.marks[1].held_out) and not math.isnan(result.marks[-1].held_out)


@pytest.mark.parametrize("weights", ["dirichlet", "softmax"])
def test_a_request_alone_decides_the_result(weights: str) -> None:
    request = asked(SPACE, replace(SHORT, weights=weights, rate=0.1))
    torch.manual_seed(1)
    first = ran(request)
    torch.manual_seed(2)
    state = torch.random.get_rng_state()
    ran(replace(request, seed=9))
    assert torch.equal(state, torch.random.get_rng_state())
    assert ran(request) == first
    others = [ran(replace(request, seed=seed)) for seed in (4, 5, 6)]
    assert len({first.expression, *(other.expression for other in others)}) > 1


def test_in_the_warm_start_relu_stands_in_the_places() -> None:
    training = MixtureTraining(Normed(), asked(SPACE))
    x, y = Normed().data("search")
    network = initial_network(Normed(), 3)
    index = training.model.order[0]
    loss, held_out = training.step()
    assert loss == pytest.approx(F.cross_entropy(network(x[index]), y[index]).item(), rel=1e-6)
    assert math.isnan(held_out)


class Looping(LoopTask):
    """A loop of its own."""

    name = "looping"

    def data(self, part: Part) -> tuple[Tensor, Tensor]:
        return Normed().data(part)

    def network(self) -> nn.Module:
        return Normed().network()

    def fit(self, network: nn.Module, part: Part, seed: int, rate: float, rung_steps: Sequence[int]) -> Iterator[float]:
        yield 1.0


class Gated(Normed):
    """Its place is a gate's."""

    name = "gated"
    replaced = (Place(nn.GLU, kind="gate"),)

    def network(self) -> nn.Module:
        return nn.Sequential(nn.Linear(12, 16), nn.GLU(), nn.Linear(8, 8))


class Broken(Normed):
    """Its loss becomes infinite."""

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return super().loss(output, target) / 0.0


class Few(Normed):
    """Too few examples for two halves."""

    examples = 60


def test_what_cannot_be_mixed_is_refused() -> None:
    with pytest.raises(TaskError, match="'looping' has a loop of its own"):
        ran(asked(), Looping)
    with pytest.raises(EvaluationError, match="does not fit the place"):
        ran(asked(), Gated)
    with pytest.raises(TaskError, match="expected at least 64 training examples, half of them for the mixture, got "):
        ran(asked(), Few)
    gates = form_in(grammar("glu").templates[0][0])
    assert isinstance(gates, Form) and "second input z" in why_not(gates)
    assert GRAFS is not None
    assert not why_not(GRAFS)


def test_a_loss_that_is_not_finite_ends_it_without_an_expression() -> None:
    result = ran(asked(), Broken)
    assert result.expression == "" and result.reason == "a loss that is not finite in step 1 of 20"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 3}, "steps: expected at least 10"),
        ({"warm": 0.5, "shrink": 0.4}, "expected warm from 0 to shrink"),
        ({"shrink": 1.0}, "shrink below 1"),
        ({"weights": "gumbel"}, "weights: expected dirichlet or softmax"),
        ({"rate": 0.0}, "rate: expected above 0"),
        (
            {"steps": 10, "warm": 0.97, "shrink": 0.98},
            "leave a step for the mixture .* warm 0.97 and shrink 0.98 of 10",
        ),
        ({"steps": 10, "warm": 0.9, "shrink": 0.9}, "leave a step for the mixture"),
    ],
)
def test_settings_that_make_no_sense_are_refused(change: dict[str, float], message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        MixtureSettings(**change)  # type: ignore[arg-type]


def test_request_and_result_come_back_from_json() -> None:
    request = asked(SPACE, conditions=Conditions("drawn", None), operators=("a.py:B@0",))
    text = json.dumps(request_to_json(request), allow_nan=False)
    assert request_from_json(Fields(json.loads(text), "file")) == request
    for result in (ran(asked()), ran(asked(), Broken)):
        written = json.dumps(result_to_json(result), allow_nan=False)
        again = result_from_json(Fields(json.loads(written), "file"))
        assert json.dumps(result_to_json(again)) == written
        assert again.seconds == result.seconds and again.expression == result.expression
    with pytest.raises(RecordError, match="file: 'steps': expected a whole number"):
        result_from_json(Fields(json.loads(written) | {"steps": "many"}, "file"))


def test_the_digest_tells_requests_apart() -> None:
    request = asked()
    others = [replace(request, seed=4), replace(request, rate=0.02), replace(request, settings=MixtureSettings())]
    assert len({each.digest() for each in (request, *others)}) == 4
    assert replace(request).digest() == request.digest()
