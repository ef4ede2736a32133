"""The contract of every task, and the properties of its split and order."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators.errors import TaskError
from evaluators.initialisation import initial_network
from evaluators.task import BLOCK, Task, batches, split
from evaluators.tasks import task, task_names

PARTS = ("search", "confirmation")


@pytest.fixture(params=task_names())
def chosen(request: pytest.FixtureRequest) -> Task:
    return task(request.param)


def parameters(of: Task) -> int:
    return sum(p.numel() for p in of.network().parameters())


def test_network_has_places_for_the_candidate(chosen: Task) -> None:
    assert any(isinstance(module, chosen.replaced) for module in chosen.network().modules())


def test_name_is_the_one_asked_for(chosen: Task) -> None:
    assert task(chosen.name).name == chosen.name
    assert task(chosen) is chosen


def test_numbers_are_sensible(chosen: Task) -> None:
    assert chosen.batch_size % BLOCK == 0
    assert chosen.steps > 0
    assert chosen.loss_floor > 0
    assert list(chosen.learning_rates) == sorted(chosen.learning_rates)
    assert chosen.chance is None or chosen.chance > chosen.loss_floor


def test_loss_is_one_number_per_example(chosen: Task) -> None:
    x, y = (part[:BLOCK] for part in chosen.data("search"))
    loss = chosen.loss(chosen.network()(x), y)
    assert loss.shape == (BLOCK,)
    assert torch.isfinite(loss).all()


def test_parts_share_no_example(chosen: Task) -> None:
    rows = [{tuple(row) for row in chosen.data(part)[0].flatten(1).tolist()} for part in PARTS]
    assert not rows[0] & rows[1]


def test_data_is_the_same_every_time(chosen: Task) -> None:
    for part in PARTS:
        for first, second in zip(chosen.data(part), task(chosen.name).data(part), strict=True):
            assert torch.equal(first, second)


def test_larger_is_another_network_on_the_same_data(chosen: Task) -> None:
    larger = chosen.larger()
    if larger is not None:
        assert parameters(larger) > parameters(chosen)
        assert torch.equal(larger.data("confirmation")[0], chosen.data("confirmation")[0])


def test_initial_network_belongs_to_its_seed(chosen: Task) -> None:
    state = torch.random.get_rng_state()
    first, again, other = (initial_network(chosen, seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_initial_weights_have_unit_gain(chosen: Task) -> None:
    for module in initial_network(chosen, 0).modules():
        if isinstance(module, torch.nn.Linear):
            expected = module.in_features**-0.5
            spread = float(module.weight.detach().std())
            assert abs(spread / expected - 1) < 5 / module.weight.numel() ** 0.5
            assert not module.bias.any()


def test_digits_uses_every_image_once() -> None:
    sizes = [len(task("digits").data(part)[0]) for part in PARTS]
    assert sum(sizes) == 1797
    assert all(len(x) == len(y) for x, y in (task("digits").data(part) for part in PARTS))


def test_too_few_examples_for_a_batch() -> None:
    with pytest.raises(TaskError, match="training examples: expected at least 32, got 31"):
        batches(torch.arange(31), 5, 32, seed=0)


def test_unknown_name_gives_the_nearest() -> None:
    with pytest.raises(TaskError, match="did you mean 'digits'"):
        task("digit")


@given(examples=st.integers(128, 3000), seed=st.integers(0, 2**40), part=st.sampled_from(PARTS))
@settings(max_examples=50, deadline=None)
def test_split_divides_the_examples(examples: int, seed: int, part: str) -> None:
    found, again = split(examples, part, seed), split(examples, part, seed)
    pieces = (found.train, found.validation, found.test)
    assert sorted(torch.cat(pieces).tolist()) == list(range(examples))
    assert len(found.validation) % BLOCK == 0
    assert len(found.test) % BLOCK == 0
    assert len(found.train) > len(found.validation)
    assert (len(found.test) == 0) == (part == "search" or 0.3 * examples < BLOCK)
    assert torch.equal(found.train, again.train)


@given(
    examples=st.integers(BLOCK, 1500),
    steps=st.integers(1, 90),
    batch_size=st.sampled_from([32, 64, 128]),
    seed=st.integers(0, 2**40),
)
@settings(max_examples=50, deadline=None)
def test_batches_pass_through_permutations(examples: int, steps: int, batch_size: int, seed: int) -> None:
    train = torch.arange(examples) + 7
    order = batches(train, steps, batch_size, seed)
    assert order.shape[0] == steps
    assert order.shape[1] % BLOCK == 0
    assert order.shape[1] <= batch_size
    assert set(order.flatten().tolist()) <= set(train.tolist())
    per_epoch = examples // order.shape[1]
    for start in range(0, steps, per_epoch):
        epoch = order[start : start + per_epoch].flatten().tolist()
        assert len(set(epoch)) == len(epoch)
    assert torch.equal(order, batches(train, steps, batch_size, seed))
    # a shorter training is a prefix of a longer one
    assert torch.equal(order[: steps // 2], batches(train, max(1, steps // 2), batch_size, seed)[: steps // 2])
