"""The contract of every task, and the properties of its split and order."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from evaluators.controls import builtin_controls
from evaluators.errors import TaskError
from evaluators.places.each_place import PLAIN, in_each_place, kinds_of
from evaluators.places.survey import find_sites
from evaluators.tasks import expanded, task, task_names
from evaluators.tasks.base import BLOCK, Part, Task, batches, split
from evaluators.tasks.examples import mapped
from evaluators.tasks.shipped import source_text
from evaluators.tasks.shipped.modular_addition import Square
from evaluators.tasks.shipped.photographs import spread
from evaluators.tasks.shipped.published import PublishedNetwork
from evaluators.training.initialisation import initial_network
from evaluators.training.member import CohortMember, Schedule
from evaluators.training.train import train
from primitives.expression.parsing import parse

PARTS: tuple[Part, ...] = ("search", "confirmation")


@pytest.fixture(params=task_names())
def chosen(request: pytest.FixtureRequest) -> Task:
    return task(request.param)


def parameters(of: Task) -> int:
    return sum(p.numel() for p in of.network().parameters())


def test_network_has_places_for_the_candidate(chosen: Task) -> None:
    network = chosen.network()
    sites = find_sites(network, chosen, chosen.data("search")[0][:BLOCK])
    assert sites
    expected = nn.Softmax if kinds_of(chosen) == ("row",) else nn.ReLU
    assert all(isinstance(network.get_submodule(site.path), expected) for site in sites)


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
    """An example is an input with its target: two photographs have their coordinates in common."""
    pairs = [[tensor.view(len(tensor), -1) for tensor in chosen.data(part)] for part in PARTS]
    rows = [{tuple(row) for row in torch.cat([x.double(), y.double()], dim=1).tolist()} for x, y in pairs]
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


DRAWN = [n for n in task_names() if task(n).initial == "drawn" or isinstance(task(n), PublishedNetwork)]


@pytest.mark.parametrize("name", DRAWN)
def test_initial_weights_have_unit_gain(name: str) -> None:
    """Those that are drawn; small forms of published networks have 0.01, as MobileNetV2."""
    chosen = task(name)
    for module in initial_network(chosen, 0).modules():
        if isinstance(module, torch.nn.Linear) and module.weight.requires_grad:
            expected = module.in_features**-0.5 if chosen.initial == "drawn" else 0.01
            spread = float(module.weight.detach().std())
            assert abs(spread / expected - 1) < 5 / module.weight.numel() ** 0.5
            assert module.bias is None or not module.bias.any()


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


def test_a_group_stands_for_its_tasks() -> None:
    assert expanded(["digits", "tabular"]) == ("digits", "tabular-cancer", "tabular-wine", "tabular-diabetes")
    with pytest.raises(TaskError, match="'tabular' is a group of tasks, here one is needed: tabular-cancer"):
        task("tabular")


#: Where the reference ends at its best rate after the task's budget, as a share of the loss without learning: at most.
LEARNT = {
    "digits": 0.1,
    "digits-10x32": 0.3,
    "digits-deep": 0.85,
    "digits-deep-narrow": 0.85,
    "digits-residual": 0.45,
    "digits-cnn": 0.3,
    "image-inr": 0.25,
    "image-denoise": 0.5,
    "image-superres": 0.25,
    "image-inpaint": 0.25,
    "audio-inr": 0.6,
    "denoising-score": 0.75,
    "kan-exp-sin": 0.35,
    "kan-gaussian": 0.8,
    "kan-relativistic-mass": 0.35,
    "bytes-lm": 0.6,
    "bytes-lm-gated": 0.6,
    "tabular-cancer": 0.35,
    "tabular-wine": 0.25,
    "tabular-diabetes": 0.7,
    "mnist1d-mlp": 0.7,
    "mnist1d-cnn": 0.45,
    "mnist1d-gru": 0.65,
    "mnist1d-vit": 0.7,
    "digits-pruned": 0.15,
    "mnist1d-pruned": 0.85,
    "digits-preresnet": 0.1,
    "digits-mobilenet": 0.15,
    "digits-efficientnet": 0.15,
    "digits-densenet": 0.1,
    "mnist1d-preresnet": 0.35,
    "mnist1d-mobilenet": 0.35,
    "mnist1d-efficientnet": 0.35,
    "mnist1d-densenet": 0.35,
    "gcn-sbm": 0.5,
    "digits-resnet": 0.05,
    "mnist1d-resnet": 0.3,
}


def test_all_with_a_chance_are_asked_whether_they_learn() -> None:
    assert {name for name in task_names() if task(name).chance is not None} == set(LEARNT)


@pytest.mark.slow
@pytest.mark.parametrize("name", LEARNT)
def test_the_reference_learns(name: str) -> None:
    """ReLU, with BatchNorm where it takes the place of both."""
    chosen = task(name)
    assert chosen.chance is not None
    schedule = Schedule(chosen.steps, (), chosen.learning_rates)
    reference = parse(next(iter(builtin_controls([chosen]).values())))
    (outcome,) = train(chosen, "search", [CohortMember(reference, (1, 2), protected=True)], schedule)
    best = outcome.at(chosen.steps).mean(axis=0).min()
    assert chosen.loss_floor < best < LEARNT[chosen.name] * chosen.chance


@pytest.mark.parametrize("name", LEARNT)
def test_chance_is_the_loss_of_a_constant(name: str) -> None:
    """Of all logits equal, or of 0 where targets are in units of their deviation, about, if others are judged."""
    chosen = task(name)
    x, y = chosen.data("search")
    output = mapped(torch.zeros_like, chosen.network()(x))
    assert chosen.loss(output, y).mean().item() == pytest.approx(
        chosen.chance, rel=2e-2 if chosen.held_out("search") is None else 5e-2
    )


def test_peak_signal_to_noise_ratio_of_the_field_follows_from_the_loss() -> None:
    """PSNR = 10 log10(1 / MSE) of colours within [0, 1], measured on the colours themselves."""
    chosen = task("image-inr")
    _, y = chosen.data("search")
    y = y[:BLOCK]
    output = y + 0.3 * torch.randn(y.shape, generator=torch.Generator().manual_seed(0))
    loss = chosen.loss(output, y).mean()
    direct = -10 * torch.log10((output * spread() - y * spread()).square().mean())
    assert -10 * torch.log10(loss * spread() ** 2) == pytest.approx(float(direct), abs=1e-4)


def test_page_of_tasks(chosen: Task) -> None:
    """docs/tasks.md has the numbers of every task."""
    page = (Path(__file__).parents[2] / "docs" / "tasks.md").read_text(encoding="utf-8")
    (row,) = (line for line in page.splitlines() if line.startswith(f"| `{chosen.name}` |"))
    assert f"| {chosen.batch_size}, {chosen.steps} |" in row
    assert "| " + " ".join(f"{rate:.4f}".strip("0") for rate in chosen.learning_rates) + " |" in row
    if "the same" not in row.split("|")[2]:
        for part in PARTS:
            assert f"{len(chosen.data(part)[0]):,}" in row


def test_source_text_that_differs_is_refused(tmp_path: Path) -> None:
    name, expected = next(iter(source_text.FILES["search"].items()))
    with pytest.raises(TaskError, match=f"{name} of the standard library's source: No such file"):
        source_text.pinned_bytes(tmp_path, name, expected)
    (tmp_path / name).write_text("import this\n")
    with pytest.raises(TaskError, match=f"{name} is not the text.*expected SHA-256 {expected}, as in CPython"):
        source_text.pinned_bytes(tmp_path, name, expected)


def test_source_text_parts_share_no_file() -> None:
    assert not set(source_text.FILES["search"]) & set(source_text.FILES["confirmation"])


@given(examples=st.integers(57, 3000), seed=st.integers(0, 2**40), part=st.sampled_from(PARTS))
@settings(max_examples=50, deadline=None)
def test_split_divides_the_examples(examples: int, seed: int, part: Part) -> None:
    found, again = split(examples, part, seed), split(examples, part, seed)
    pieces = (found.train, found.validation, found.test)
    assert sorted(torch.cat(pieces).tolist()) == list(range(examples))
    shares = {"search": (0.30, 0.0), "confirmation": (0.15, 0.15)}[part]
    for piece, share in zip((found.validation, found.test), shares, strict=True):
        assert len(piece) % BLOCK == 0 or len(piece) == int(share * examples) < BLOCK
        assert (len(piece) == 0) == (share == 0.0)
    assert len(found.train) >= BLOCK
    assert len(found.train) > len(found.validation)
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


@pytest.mark.parametrize("name", task_names())
def test_a_name_may_give_depth_and_width(name: str) -> None:
    base = name.partition("-10x32")[0]
    own, other = task(f"{base}-1x12"), task(f"{base}-2x12")
    hidden = (nn.ReLU, Square)
    places = [sum(isinstance(module, hidden) for module in each.network().modules()) for each in (own, other)]
    # a convolution of stride 2 more leaves fewer parameters, in the last layer; a block may have several places
    assert places == [1, 2] if own.initial == "drawn" else places[0] < places[1]
    assert own.name == f"{base}-1x12"
    member = CohortMember(in_each_place(own, PLAIN), (1,), protected=True)
    (outcome,) = train(own, "search", [member], Schedule(2, (), (1e-3,)))
    assert outcome.at(2).shape == (1, 1)


@pytest.mark.parametrize("name", ["digits-0x8", "digits-8", "digits-2x", "digits-10000x2", "mnis-2x8", "nothing-2x8"])
def test_sizes_that_are_none(name: str) -> None:
    with pytest.raises(TaskError, match=r"unknown task.*as in digits-5x32"):
        task(name)
