"""No bit of a slice depends on the stack around it: its width, its company, who was dropped, how chunks are cut."""

from __future__ import annotations

import gc
import weakref
from itertools import chain

import pytest
import torch

from evaluators.tasks import task
from evaluators.tasks.base import Task
from evaluators.training.member import CohortMember, Schedule
from evaluators.training.stacking.lone_products import lone_products
from evaluators.training.stacking.stack import Stack
from evaluators.training.train import train
from primitives.expression.expression import Expression
from primitives.expression.parsing import parse
from tests.evaluators_tests.families import FAMILIES, LARGE, Family

SEEDS = (5, 6)
RATES = (3e-3,)
STEPS = 12
PROBE = "x*sigmoid(beta*x); beta=1.0:channel"
OTHERS = ("relu(x)", "gelu(x)", "tanh(x)", "c*elu(x); c=0.5", "sin(x)+x", "x*atan(x)", "log1p(x**2)", "mish(x)")


def member(text: str, seeds: tuple[int, ...] = SEEDS) -> CohortMember:
    return CohortMember(parse(text), seeds)


def stack(members: list[CohortMember], chosen: Task, rates: tuple[float, ...] = RATES) -> Stack:
    return Stack(chosen, "search", members, Schedule(STEPS, (), rates))


def own_losses(trained: Stack, expression: Expression | None) -> torch.Tensor:
    """Validation losses of the slices of one formula."""
    (share,) = [share for share in trained.activations[0].layout.shares if share.expression is expression]
    return trained.loss("validation")[share.start : share.stop]


def company(slices: int, seed: int) -> list[CohortMember]:
    """Other members that fill this number of slices."""
    generator = torch.Generator().manual_seed(seed)
    found: list[CohortMember] = []
    while slices:
        take = 1 if slices % 2 else 2
        text = OTHERS[int(torch.randint(len(OTHERS), (), generator=generator))]
        found.append(member(text, tuple(range(10 * seed, 10 * seed + take))))
        slices -= take
    return found


def check_widths(chosen: Task, surroundings: list[tuple[int, int]]) -> None:
    """The probe's losses, at every step and at the end, between other members before and after it."""
    probe = member(PROBE)
    reference = None
    for seed, (before, after) in enumerate(surroundings):
        trained = stack([*company(before, seed), probe, *company(after, seed + 50)], chosen)
        assert trained.width == before + after + 2
        losses = torch.cat(
            [trained.advance(STEPS)[:, before : before + 2], own_losses(trained, probe.expression)[None]]
        )
        reference = losses if reference is None else reference
        assert torch.equal(losses, reference), (before, after)


WIDTHS = [(0, 0), (7, 8), (40, 22), (62, 0), (3, 59)]  # stacks of 2, 17, 64, the probe at other places


@pytest.mark.parametrize("name", ["digits", "digits-10x32"])
def test_shipped_tasks(name: str) -> None:
    check_widths(task(name), WIDTHS)


@pytest.mark.parametrize("family", FAMILIES)
def test_families(family: str) -> None:
    check_widths(Family(family), WIDTHS[:3])


@pytest.mark.parametrize("family", ["mlp-norm-residual", "cnn", "transformer"])
def test_other_settings(family: str) -> None:
    check_widths(Family(family, optimiser="sgd", schedule="cosine", clip=0.1), WIDTHS[:3])


@pytest.mark.slow
@pytest.mark.parametrize("family", LARGE)
def test_larger_sizes(family: str) -> None:
    check_widths(Family(family, clip=0.1), [(0, 0), (7, 8), (15, 16)])


@pytest.mark.parametrize("family", FAMILIES)
def test_lone_slice(family: str) -> None:
    """A model alone, from the beginning or by the loss of its company, has the bits that it has in company."""
    texts = (PROBE, OTHERS[3], OTHERS[1])
    members = [member(text, (5,)) for text in texts]
    whole, shrunk, alone = (stack(own, Family(family)) for own in (members, members, members[:1]))
    shrunk.advance(3)
    shrunk.keep([1])
    shrunk.advance(5)
    shrunk.keep([0])
    assert shrunk.width == alone.width == 1
    losses = whole.advance(STEPS)
    assert torch.equal(alone.advance(STEPS)[:, 0], losses[:, 0])
    assert torch.equal(shrunk.advance(STEPS)[:, 0], losses[5:, 1])
    for lone, index in ((alone, 0), (shrunk, 1)):
        assert lone.loss("validation").tolist() == [whole.loss("validation")[index].item()]


@pytest.mark.parametrize("shape", [(1, 24, 160), (24, 1, 160), (1, 1, 1024), (200, 1, 5), (3, 2, 40)])
def test_a_lone_product(shape: tuple[int, int, int]) -> None:
    """By a vector, forwards and backwards; the library takes another kernel for it."""
    rows, columns, depth = shape
    generator = torch.Generator().manual_seed(1)
    shapes = (rows, depth), (columns, depth), (columns,)
    left, right, shift = (torch.randn(3, *each, generator=generator) for each in shapes)

    def results(slices: int) -> list[torch.Tensor]:
        leaves = [each[:slices].clone().requires_grad_() for each in (left, right, shift)]
        with lone_products(slices, torch.device("cpu")):
            found = torch.func.vmap(torch.nn.functional.linear)(*leaves)
            return [found, *torch.autograd.grad(found.sin().sum(), leaves)]

    assert all(torch.equal(one, many[:1]) for one, many in zip(results(1), results(3), strict=True))


@pytest.mark.parametrize("family", ["mlp", "cnn", "transformer"])
def test_shrunk_stack(family: str) -> None:
    whole = [member(text) for text in (*OTHERS, PROBE)]
    untouched, shrunk = (stack(whole, Family(family)) for _ in range(2))
    untouched.advance(STEPS)
    shrunk.advance(4)
    shrunk.keep([1, 3, 8])
    shrunk.advance(8)
    shrunk.keep([1, 2])
    assert [m.expression for m in shrunk.members] == [whole[3].expression, whole[8].expression]
    shrunk.advance(STEPS)
    for survivor in (whole[3], whole[8]):
        assert torch.equal(own_losses(shrunk, survivor.expression), own_losses(untouched, survivor.expression))
    beta = [activation.values[-1] for activation in shrunk.activations]
    assert all(
        torch.equal(value, activation.values[-1]) for value, activation in zip(beta, untouched.activations, strict=True)
    )


def test_a_shrunk_stack_gives_its_memory_back() -> None:
    trained = stack([member(text) for text in (*OTHERS, PROBE)], task("digits"))
    trained.advance(2)

    def held() -> list[torch.Tensor]:
        return [*trained.tensors, *trained.optimiser.rates, *chain(*trained.optimiser.state), *trained.values]

    before, old = sum(t.untyped_storage().nbytes() for t in held()), [weakref.ref(t) for t in held()]
    trained.keep([0, 8])
    gc.collect()
    assert all(reference() is None for reference in old)
    assert sum(t.untyped_storage().nbytes() for t in held()) < before * 2.1 / 9


@pytest.mark.parametrize("family", ["mlp", "cnn", "transformer", "perexample"])
def test_as_many_slices_as_examples(family: str) -> None:
    """Nothing takes the batch for the stack where both have one size."""
    members = [member(text, tuple(range(4))) for text in OTHERS]
    square, narrow = stack(members, Family(family)), stack(members[:2], Family(family))
    assert square.width == Family.batch_size
    assert torch.equal(square.advance(STEPS)[:, :8], narrow.advance(STEPS))


def outcome_losses(width: int, texts: tuple[str, ...], chosen: Task) -> dict[str, dict[int, list[list[float]]]]:
    schedule = Schedule(STEPS, (4, 8), (1e-3, 3e-3))
    found = train(chosen, "search", [member(text) for text in texts], schedule, width)
    return {text: outcome.losses for text, outcome in zip(texts, found, strict=True)}


def test_another_width_of_the_chunks() -> None:
    texts = (*OTHERS, PROBE)
    wide = outcome_losses(200, texts, task("digits"))
    assert outcome_losses(8, texts, task("digits")) == wide
    assert outcome_losses(1, texts, task("digits")) == wide


def test_rejected_company_in_training() -> None:
    calm = outcome_losses(66, ("relu(x)", PROBE, "gelu(x)"), task("digits"))
    wild = outcome_losses(66, ("relu(x)", "50*x**3", PROBE, "exp(exp(x))", "gelu(x)"), task("digits"))
    assert {text: wild[text] for text in calm} == calm
