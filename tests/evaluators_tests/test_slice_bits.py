"""No bit of a slice depends on the stack around it: its width, its company, who was dropped, how chunks are cut."""

from __future__ import annotations

import torch

from evaluators.member import Member, Schedule
from evaluators.stack import Stack
from evaluators.task import Task
from evaluators.tasks import task
from evaluators.training import train
from primitives.expressions import Expression
from primitives.text import parse

SEEDS = (5, 6)
RATES = (3e-3,)
STEPS = 12
PROBE = "x*sigmoid(beta*x); beta=1.0:channel"
OTHERS = ("relu(x)", "gelu(x)", "tanh(x)", "c*elu(x); c=0.5", "sin(x)+x", "x*atan(x)", "log1p(x**2)", "mish(x)")


def member(text: str, seeds: tuple[int, ...] = SEEDS) -> Member:
    return Member(parse(text), seeds)


def stack(members: list[Member], name: str = "digits", steps: int = STEPS) -> Stack:
    return Stack(task(name), "search", members, Schedule(steps, (), RATES))


def own_losses(trained: Stack, expression: Expression) -> torch.Tensor:
    """Validation losses of the slices of one formula."""
    (share,) = [share for share in trained.layout.shares if share.expression is expression]
    return trained.loss("validation")[share.start : share.stop]


def company(slices: int, seed: int) -> list[Member]:
    """Other members that fill this number of slices."""
    generator = torch.Generator().manual_seed(seed)
    found: list[Member] = []
    while slices:
        take = 1 if slices % 2 else 2
        text = OTHERS[int(torch.randint(len(OTHERS), (), generator=generator))]
        found.append(member(text, tuple(range(10 * seed, 10 * seed + take))))
        slices -= take
    return found


def check_widths(name: str) -> None:
    probe = member(PROBE)
    reference = None
    for seed, (before, after) in enumerate([(0, 0), (7, 8), (40, 22), (62, 0), (3, 59)]):
        trained = stack([*company(before, seed), probe, *company(after, seed + 50)], name)
        assert trained.width == before + after + 2
        trained.advance(STEPS)
        losses = own_losses(trained, probe.expression)
        reference = losses if reference is None else reference
        assert torch.equal(losses, reference), (before, after)


def test_stacks_of_2_17_and_64_and_other_company() -> None:
    check_widths("digits")


def test_deep_narrow_network() -> None:
    check_widths("digits-10x32")


def test_shrunk_stack() -> None:
    whole = [member(text) for text in (*OTHERS, PROBE)]
    untouched, shrunk = stack(whole), stack(whole)
    untouched.advance(STEPS)
    shrunk.advance(4)
    shrunk.keep([1, 3, 8])
    shrunk.advance(8)
    shrunk.keep([1, 2])
    assert [m.expression.text for m in shrunk.members] == [whole[3].expression.text, whole[8].expression.text]
    shrunk.advance(STEPS)
    for survivor in (whole[3], whole[8]):
        assert torch.equal(own_losses(shrunk, survivor.expression), own_losses(untouched, survivor.expression))
    beta = [slot.values[-1] for slot in shrunk.slots]
    assert all(torch.equal(value, slot.values[-1]) for value, slot in zip(beta, untouched.slots, strict=True))


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
