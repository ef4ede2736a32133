"""The tasks with pruned networks: what a candidate begins with, and that nothing of it is held out later."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evaluators import evaluate
from evaluators.errors import TaskError
from evaluators.seeds import derive
from evaluators.tasks import task
from evaluators.tasks.base import Part, batches, split
from evaluators.tasks.shipped import pruned
from evaluators.tasks.shipped.pruned import Pruned, PrunedDigits, PrunedSignals
from evaluators.training.initialisation import initial_network
from evaluators.training.plain import PlainModel
from evaluators.training.stacking.stackable import difference
from primitives.expression.parsing import parse

SMALL: tuple[Pruned, ...] = (PrunedDigits(2, 16, 0.9), PrunedSignals(2, 8, 0.8))
SPARSITIES = (0.8, 0.9, 0.95, 0.98, 0.99)


def layers(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    return ((name, each) for name, each in network.named_modules() if isinstance(each, nn.Linear | nn.Conv1d))


def dense_by_hand(of: Pruned, seed: int) -> nn.Module:
    """The dense training once more, without the task's own loss and loop."""
    inputs, targets = of.data(of.part)
    rows = split(len(inputs), of.part, seed).train
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, "dense"))
        network = of.network()
    adam = torch.optim.Adam(network.parameters(), of.dense_rate)
    for index in batches(rows, of.dense_steps, of.batch_size, seed):
        adam.zero_grad()
        F.cross_entropy(network(inputs[index]), targets[index]).backward()
        adam.step()
    return network


@pytest.mark.parametrize("of", SMALL, ids=lambda of: of.name)
def test_the_smallest_weights_of_each_layer_of_a_dense_network_are_masked(
    of: Pruned, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(of), "dense_steps", 5)  # over more steps rounding may grow
    pruned._dense.cache_clear()
    dense, network = dict(dense_by_hand(of, 3).named_parameters()), initial_network(of, 3)
    pruned._dense.cache_clear()
    for name, layer in layers(network):
        whole, mask = layer.get_parameter("weight_orig"), layer.get_buffer("weight_mask")
        torch.testing.assert_close(whole, dense[f"{name}.weight"], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(layer.get_parameter("bias"), dense[f"{name}.bias"], rtol=1e-4, atol=1e-5)
        assert int((mask == 0).sum()) == round(of.sparsity * mask.numel())
        assert whole[mask == 0].abs().max() <= whole[mask == 1].abs().min()


@pytest.mark.parametrize("of", SMALL, ids=lambda of: of.name)
def test_the_dense_training_is_done_once_a_seed_and_has_the_same_bits_in_another_process(of: Pruned) -> None:
    pruned._dense.cache_clear()
    first = [initial_network(each, seed).state_dict() for seed in (1, 2) for each in (of, of.sparse(0.5))]
    assert (pruned._dense.cache_info().misses, pruned._dense.cache_info().hits) == (2, 2)
    pruned._dense.cache_clear()  # as a process that was just started
    again = initial_network(of, 1).state_dict()
    assert all(torch.equal(first[0][name], again[name]) for name in again)
    assert not torch.equal(first[0]["0.weight_orig"], first[2]["0.weight_orig"])


def test_what_is_kept_is_not_trained_on() -> None:
    of = SMALL[0]
    before = copy.deepcopy(pruned._dense(type(of), of.depth, of.width, of.part, 5))
    PlainModel(of, "search", parse("relu(x)"), seed=5, rate=1e-2, steps=5).advance(5)
    after = pruned._dense(type(of), of.depth, of.width, of.part, 5)
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("split_seed", [None, 9])
@pytest.mark.parametrize("part", ["search", "confirmation"])
def test_no_held_out_example_is_seen_by_the_dense_network(part: Part, split_seed: int | None) -> None:
    class Spoilt(PrunedDigits):
        """Held-out examples, and the other part, are not numbers."""

        def data(self, asked: Part) -> tuple[Tensor, Tensor]:
            inputs, targets = super().data(asked)
            spoilt = torch.full_like(inputs, torch.nan)
            if asked == part:
                rows = split(len(inputs), part, 4 if split_seed is None else split_seed).train
                spoilt[rows] = inputs[rows]
            return spoilt, targets

    of = Spoilt(1, 8, 0.9, part)
    of.split_seed = split_seed
    assert all(bool(weight.isfinite().all()) for weight in initial_network(of, 4).parameters())


@pytest.mark.parametrize("of", SMALL, ids=lambda of: of.name)
def test_masked_weights_stay_zero(of: Pruned) -> None:
    model = PlainModel(of, "search", parse("alpha*gelu(beta*x); alpha=1, beta=1"), seed=1, rate=1e-2, steps=10)
    model.advance(10)
    for _, layer in layers(model.network):
        assert isinstance(layer.weight, Tensor)
        assert not layer.weight[layer.get_buffer("weight_mask") == 0].any()


@pytest.mark.parametrize("of", SMALL, ids=lambda of: of.name)
def test_a_stack_equals_one_model_at_a_time(of: Pruned) -> None:
    """Shipped tasks are taken to; nothing is looked at when a job begins."""
    assert difference(of, "search", parse("alpha*elu(beta*x); alpha=1, beta=1")) == ""


def test_the_network_of_confirmation_is_larger_and_has_that_parts_data() -> None:
    for of in SMALL:
        larger = of.larger()
        assert isinstance(larger, Pruned)
        assert (larger.depth, larger.width, larger.sparsity) == (of.depth + 1, of.width * 5 // 4, of.sparsity)
        assert (of.part, larger.part) == ("search", "confirmation")
        assert larger.name == f"{of.title}-{larger.depth}x{larger.width}"


@pytest.mark.parametrize("base", ["digits-pruned", "mnist1d-pruned"])
def test_a_name_gives_sparsity_and_size(base: str) -> None:
    usual = task(base)
    assert isinstance(usual, Pruned)
    assert (usual.name, usual.sparsity) == (base, 0.95)
    for sparsity in SPARSITIES:
        found = task(f"{base}-{sparsity}")
        assert isinstance(found, Pruned)
        assert (found.sparsity, found.depth, found.width) == (sparsity, usual.depth, usual.width)
        assert task(found.name).name == found.name
        sized = task(f"{base}-{sparsity}-2x12")
        assert isinstance(sized, Pruned)
        assert (sized.sparsity, sized.depth, sized.width) == (sparsity, 2, 12)
        assert task(sized.name).name == sized.name
    assert task(f"{base}-0").name == f"{base}-0"


@pytest.mark.parametrize("name", ["digits-pruned-1", "digits-pruned-0.90", "digits-0.9", "digits-pruned-5x32-0.9"])
def test_names_of_no_sparsity_are_refused(name: str) -> None:
    with pytest.raises(TaskError, match=r"unknown task.*as in digits-pruned-0\.99"):
        task(name)


def test_a_sparsity_that_is_none_is_refused() -> None:
    with pytest.raises(TaskError, match="digits-pruned: sparsity: expected a share from 0 to below 1, got 1"):
        PrunedDigits(sparsity=1.0)


def test_a_layer_of_which_nothing_would_be_left_is_refused() -> None:
    with pytest.raises(TaskError, match=r"-2x4': a layer of 16 weights.*leaves it one is 0\.937, or"):
        evaluate(["tanh(x)"], "digits-pruned-0.99-2x4", seeds=2, steps=1)
    masks = [mask for _, mask in initial_network(task("digits-pruned-0.937-2x4"), 0).named_buffers()]
    assert min(int(mask.sum()) for mask in masks) == 1


def test_relu_loses_by_pruning() -> None:
    """Dense, at .9 and at .99; the readings are accuracies."""
    names = ("digits-pruned-0-2x32", "digits-pruned-0.9-2x32", "digits-pruned-0.99-2x32")
    accuracies = [evaluate(["relu(x)"], name, seeds=2, steps=40)[0].readings["accuracy"] for name in names]
    assert accuracies[0] > accuracies[1] > accuracies[2] + 0.2
