"""Networks as users have them train unchanged: stacked where a stack equals one model at a time, else one by one."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evaluators.errors import TaskError
from evaluators.machine.backend import Backend
from evaluators.objectives import measure, measured_objectives
from evaluators.seeds import derive
from evaluators.tasks.base import batches, split, with_one_split
from evaluators.tasks.tryout import try_out
from evaluators.training.dropout import SeededDropout, put_dropout
from evaluators.training.member import CohortMember, Schedule
from evaluators.training.models import Models
from evaluators.training.plain import PlainModel
from evaluators.training.randomness import begin_step
from evaluators.training.singles import Singles
from evaluators.training.stacking.stack import Stack
from evaluators.training.stacking.stackable import unstackable
from evaluators.training.train import train
from primitives.expression.parsing import parse
from tests.evaluators_tests import own_networks
from tests.evaluators_tests.own_networks import NETWORKS, Checkpointed, CheckpointedMethod, Own, OwnTask, layers

DOUBLE = Backend(dtype=torch.float64)
SWISH = "x*sigmoid(beta*x); beta=1.0:channel"
SEEDS, RATES = (1, 2), (1e-3, 1e-2)
STACKED = [kind for kind, own in NETWORKS.items() if own.stacked]
#: Whose random numbers, in a plain loop, are torch's own.
NO_DROPOUT = [kind for kind in NETWORKS if "dropout" not in kind]


@pytest.mark.parametrize("kind", NETWORKS)
def test_the_try_out_says_what_keeps_a_network_from_being_stacked(kind: str) -> None:
    notes = try_out(OwnTask(kind))
    assert bool(notes) != NETWORKS[kind].stacked
    for note in notes:
        assert note.startswith(f"task '{kind}': its models are trained one at a time, since they cannot be stacked: ")


def test_the_note_names_the_line_and_spares_torchs_requests() -> None:
    file = own_networks.__file__
    assert unstackable(OwnTask("looks at values")).startswith(f"{file}, line ")
    for kind, end in {"looks at values": "data-dependent control flow", "lstm": "for aten::lstm.input"}.items():
        assert end in unstackable(OwnTask(kind))
        assert "lease" not in unstackable(OwnTask(kind))


class Attends(nn.Module):
    """torch's attention, whose fused product has no rule for vmap on a CPU."""

    def __init__(self) -> None:
        super().__init__()
        self.body = layers()

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.unflatten(1, (3, 1, 4))
        result: Tensor = self.body(F.scaled_dot_product_attention(tokens, tokens, tokens).flatten(1))
        return result


def test_a_stack_takes_a_product_of_attention_that_torch_can_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch would warn, and take the slices one after the other; warnings are errors here."""
    monkeypatch.setitem(NETWORKS, "attends", Own(Attends))
    test_a_stack_equals_one_model_at_a_time("attends", {})
    test_no_bit_depends_on_the_width_or_the_company("attends")


def loop(kind: str, seed: int, rate: float, steps: int) -> tuple[list[float], float]:
    """Losses of the steps, and on the validation examples in eval mode, in float64, by a loop in plain torch.

    The network is the user's own, with its own weights and its own ReLU.
    """
    task = OwnTask(kind)
    data = task.data("search")
    if isinstance(data, torch.utils.data.Dataset):
        data = next(iter(torch.utils.data.DataLoader(data, batch_size=len(data))))  # type: ignore[arg-type]
    inputs, targets = data
    torch.manual_seed(derive(seed, "modules"))
    network = task.network().double()
    optimiser = torch.optim.Adam(network.parameters(), rate)

    def loss(index: Tensor) -> Tensor:
        few = _rows(inputs, index)
        output = network(*few) if isinstance(few, tuple) else network(**few) if isinstance(few, dict) else network(few)
        return F.cross_entropy(output["logits"] if isinstance(output, dict) else output, targets[index])

    parts, losses = split(len(targets), "search", seed), []
    for number, index in enumerate(batches(parts.train, steps, task.batch_size, seed)):
        begin_step(seed, number)
        optimiser.zero_grad()
        value = loss(index)
        value.backward()
        optimiser.step()
        losses.append(value.item())
    network.eval()
    with torch.no_grad():
        return losses, loss(parts.validation).item()


def _rows(inputs: Any, index: Tensor) -> Any:
    if isinstance(inputs, dict):
        return {name: _rows(part, index) for name, part in inputs.items()}
    if isinstance(inputs, tuple | list):
        return tuple(_rows(part, index) for part in inputs)
    return inputs[index].double() if inputs.is_floating_point() else inputs[index]


def built(kind: str, members: Sequence[CohortMember], steps: int, backend: Backend = DOUBLE, **settings: Any) -> Models:
    task = OwnTask(kind, **settings)
    made = Singles if unstackable(task) else Stack
    return made(task, "search", members, Schedule(steps, (), RATES), backend=backend)


@pytest.mark.parametrize("kind", NO_DROPOUT)
def test_losses_equal_those_of_a_plain_loop(kind: str) -> None:
    models = built(kind, [CohortMember(parse("relu(x)"), SEEDS)], 20)
    losses, validation = models.advance(20), models.loss("validation")
    for place, (seed, rate) in enumerate((seed, rate) for seed in SEEDS for rate in RATES):
        expected, last = loop(kind, seed, rate, 20)
        torch.testing.assert_close(losses[:, place].tolist(), expected, rtol=1e-9, atol=0)
        torch.testing.assert_close(validation[place].item(), last, rtol=1e-9, atol=0)


@pytest.mark.parametrize("kind", STACKED)
@pytest.mark.parametrize("settings", [{}, {"optimiser": "sgd", "schedule": "cosine", "clip": 0.5}])
def test_a_stack_equals_one_model_at_a_time(kind: str, settings: dict[str, Any]) -> None:
    members = [CohortMember(parse(SWISH), (1,)), CohortMember(parse("relu(x)"), SEEDS)]
    task, schedule = OwnTask(kind, **settings), Schedule(12, (), RATES)
    stack, singles = (each(task, "search", members, schedule, backend=DOUBLE) for each in (Stack, Singles))
    torch.testing.assert_close(stack.advance(12), singles.advance(12), rtol=1e-9, atol=0)
    for part in ("validation", "test"):
        torch.testing.assert_close(stack.loss(part), singles.loss(part), rtol=1e-9, atol=0, equal_nan=True)


@pytest.mark.parametrize("kind", STACKED)
def test_no_bit_depends_on_the_width_or_the_company(kind: str) -> None:
    probe, other = CohortMember(parse(SWISH), SEEDS), CohortMember(parse("tanh(x)"), (2, 3))
    alone = built(kind, [probe], 6, Backend())
    among = built(kind, [other, probe, other], 6, Backend())
    own = among.ranges[1]
    assert torch.equal(alone.advance(6), among.advance(6)[:, own])
    assert torch.equal(alone.loss("validation"), among.loss("validation")[own])


@pytest.mark.parametrize("kind", NETWORKS)
def test_members_that_are_dropped_and_a_resume_change_no_bit(kind: str) -> None:
    members = [CohortMember(parse("tanh(x)"), SEEDS), CohortMember(parse(SWISH), SEEDS)]
    straight, shrunk, resumed = (built(kind, members, 8, Backend()) for _ in range(3))
    for models in (straight, shrunk):
        models.advance(4)
    shrunk.keep([1], [(1,)])
    resumed.keep([1], [(1,)])
    resumed.restore(copy.deepcopy(shrunk.saved()))
    whole = straight.advance(8)[:, straight.ranges[1]].view(4, len(SEEDS), len(RATES))[:, :, 1]
    for models in (shrunk, resumed):
        assert models.step == 4
        assert torch.equal(models.advance(8), whole)
        assert torch.equal(models.loss("validation"), straight.loss("validation")[straight.ranges[1]][1::2])


@pytest.mark.parametrize("kind", ["batch norm", "lstm", "tuple", "returns a dict"])
def test_training_from_rung_to_rung(kind: str) -> None:
    """Rejection, test losses and measured objectives, on either path."""
    texts = ("relu(x)", "200*x**3", SWISH)
    members = [CohortMember(parse(text), SEEDS, protected=not number) for number, text in enumerate(texts)]
    measured = measured_objectives(["sparsity", "noise", "reproducibility"])
    for part in ("search", "confirmation"):
        relu, wild, swish = train(
            with_one_split(OwnTask(kind), 0), part, members, Schedule(6, (2, 4), RATES), measured=measured
        )
        assert [*relu.losses] == [*swish.losses] == [2, 4, 6]
        assert wild.reason is None or part == "search"
        assert swish.measured.keys() == {"sparsity", "noise", "reproducibility"}
        assert (swish.tests is not None) == (part == "confirmation")


class TakesTheOutput(OwnTask):
    """Its loss and its metric take the network's output as it is, a dict."""

    direction, compare = "maximise", "difference"

    def loss(self, output: Any, target: Tensor) -> Tensor:
        return F.cross_entropy(output["logits"], target, reduction="none")

    def metric(self, output: Any, target: Tensor) -> Tensor:
        return (output["hidden"].argmax(dim=1) == target).float()


@pytest.mark.parametrize("each", [Stack, Singles])
def test_a_loss_and_a_metric_of_an_output_that_is_no_tensor(each: type[Models]) -> None:
    task = TakesTheOutput("returns a dict")
    assert try_out(task) == ()
    models = each(task, "search", [CohortMember(parse("relu(x)"), SEEDS)], Schedule(4, (), RATES), backend=DOUBLE)
    models.advance(4)
    own = models.splits.validation[models.seed]
    examples = models.at(own)
    right = models.outputs(examples.inputs)["logits"].argmax(dim=2) == examples.targets
    assert models.metric("validation").tolist() == right.double().mean(dim=1).tolist()


@pytest.mark.parametrize("kind", ["plain layers", "batch norm"])
def test_objectives_of_either_path_agree(kind: str) -> None:
    member, objectives = [CohortMember(parse(SWISH), SEEDS)], measured_objectives(["sparsity", "noise", "robustness"])
    found = []
    for each in (Stack, Singles):
        models = each(OwnTask(kind), "search", member, Schedule(4, (), RATES), backend=DOUBLE)
        models.advance(4)
        with models.alone(0, 1) as alone:
            found.append(measure(alone, objectives))
    assert found[0] == pytest.approx(found[1], rel=1e-9)


@pytest.mark.parametrize("each", [Stack, Singles])
def test_calls_and_modules_in_their_places_train_alike(each: type[Models]) -> None:
    member, losses = [CohortMember(parse(SWISH), SEEDS)], []
    for kind in ("calls", "calls, as modules"):
        losses.append(each(OwnTask(kind), "search", member, Schedule(8, (), RATES), backend=DOUBLE).advance(8))
    torch.testing.assert_close(losses[0], losses[1], rtol=1e-12, atol=0)


def test_a_backward_pass_that_misses_the_candidate_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(NETWORKS, "method", Own(CheckpointedMethod))
    with pytest.raises(TaskError, match=r"task 'method': network: the backward pass misses the candidate.*checkpoint"):
        try_out(OwnTask("method"))


class Rounds(nn.Module):
    """A straight-through estimator: its gradient is not its derivative, and is meant to be so."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Sequential(nn.Linear(12, 8), nn.ReLU()), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        hidden: Tensor = self.body(x)
        result: Tensor = self.head(hidden + (hidden.round() - hidden).detach())
        return result


def test_a_gradient_that_is_no_derivative_without_the_candidate_is_let_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(NETWORKS, "rounds", Own(Rounds))
    assert try_out(OwnTask("rounds")) == ()


LAYERS = [nn.Dropout(0.25), nn.Dropout2d(0.25), nn.AlphaDropout(0.25), nn.FeatureAlphaDropout(0.25)]


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
def test_dropout_keeps_what_torchs_keeps(layer: nn.Module) -> None:
    """The same share, the same mean and variance, whole channels where torch drops those."""
    masks = put_dropout(holder := nn.Sequential(copy.deepcopy(layer)), (1,))
    assert isinstance(holder[0], SeededDropout)
    x = torch.randn(64, 50, 6, 6, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    theirs, ours = layer.train()(x), holder.train()(x)
    for moment in (torch.mean, torch.std):
        assert moment(ours).item() == pytest.approx(moment(theirs).item(), abs=0.02)
    values = [(y == y.flatten(2)[:, :, :1, None]).flatten(2).all(dim=2).double().mean().item() for y in (ours, theirs)]
    assert values[0] == pytest.approx(values[1], abs=0.03)
    assert not torch.equal(ours, holder(x))  # a second call in the same step has a mask of its own
    masks.begin(0)
    assert torch.equal(ours, holder(x))
    assert torch.equal(holder.eval()(x), x)


class Straight(Checkpointed):
    """The same without computing anything twice."""

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.last(self.middle(self.first(x)))
        return result


def test_gradient_checkpointing_drops_the_same_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(NETWORKS, "straight", Own(lambda: Straight(nn.Dropout(0.3))))
    tasks = [OwnTask("checkpointed, with dropout"), OwnTask("straight")]
    models = [PlainModel(t, "search", parse(SWISH), seed=1, rate=1e-2, steps=5, backend=DOUBLE) for t in tasks]
    torch.testing.assert_close(models[0].advance(5), models[1].advance(5), rtol=1e-9, atol=0)
