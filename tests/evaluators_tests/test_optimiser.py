"""Optimisers, schedules and the clip over a stack equal torch's slice by slice."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, LRScheduler, OneCycleLR, SequentialLR

from evaluators.tasks.optimisers import OPTIMISERS, SGD, Adam, AdamW, Optimiser
from evaluators.training.optimiser import StackedOptimiser, clipped
from evaluators.training.optimiser import stacked as stacked_optimiser
from evaluators.training.schedules import SCHEDULES, Constant, Cosine, OneCycle, RateSchedule

RATES = torch.tensor([1e-4, 1e-3, 3e-3, 1e-2, 1e-1], dtype=torch.float64)
SLICES = len(RATES)
SHAPES = ((SLICES, 4, 3), (SLICES, 4), (SLICES,))
WHOLE = [slice(None)] * len(SHAPES)
LIMIT = 3.0
STEPS = 50
#: Ours, and torch's class with its arguments.
THEIRS: dict[str, tuple[Optimiser, type[torch.optim.Optimizer], dict[str, object]]] = {
    "adam": (OPTIMISERS["adam"], torch.optim.Adam, {}),
    "adam-decay": (Adam(weight_decay=0.1), torch.optim.Adam, {"weight_decay": 0.1}),
    "adamw": (OPTIMISERS["adamw"], torch.optim.AdamW, {}),
    "adamw-all": (
        AdamW(betas=(0.8, 0.95), eps=1e-4, weight_decay=0.3),
        torch.optim.AdamW,
        {"betas": (0.8, 0.95), "eps": 1e-4, "weight_decay": 0.3},
    ),
    "sgd": (OPTIMISERS["sgd"], torch.optim.SGD, {"momentum": 0.9}),
    "sgd-alone": (SGD(momentum=0.0), torch.optim.SGD, {}),
    "nesterov": (
        SGD(momentum=0.8, nesterov=True, weight_decay=0.05),
        torch.optim.SGD,
        {"momentum": 0.8, "nesterov": True, "weight_decay": 0.05},
    ),
}
COUNTS = (1, 2, 3, 10, 50, 97)


def tensors(seed: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in SHAPES]


def gradients(step: int) -> list[Tensor]:
    """Norms from far below to far above the limit."""
    return [gradient * 10.0 ** (step % 5 - 2) for gradient in tensors(100 + step)]


def stacked(name: str, values: list[Tensor]) -> StackedOptimiser:
    return stacked_optimiser(THEIRS[name][0], values, [RATES] * len(SHAPES))


def run(optimiser: StackedOptimiser, values: list[Tensor], steps: range) -> None:
    for step in steps:
        optimiser.step(values, gradients(step))


def theirs(name: str, values: list[Tensor], rate: float) -> torch.optim.Optimizer:
    _, kind, settings = THEIRS[name]
    return kind(values, lr=rate, **settings)  # type: ignore[arg-type, call-arg]


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize("name", THEIRS)
def test_equals_torch_slice_by_slice(name: str, clip: bool, schedule: str) -> None:
    values = tensors(0)
    optimiser = stacked(name, values)
    for step in range(STEPS):
        found = clipped(gradients(step), WHOLE, LIMIT) if clip else gradients(step)
        optimiser.step(values, found, SCHEDULES[schedule].factor(step, STEPS))
    for index, rate in enumerate(RATES.tolist()):
        own = [value[index].clone().requires_grad_() for value in tensors(0)]
        plain = theirs(name, own, rate)
        cosine = CosineAnnealingLR(plain, T_max=STEPS)
        for step in range(STEPS):
            for value, gradient in zip(own, gradients(step), strict=True):
                value.grad = gradient[index].clone()
            if clip:
                torch.nn.utils.clip_grad_norm_(own, LIMIT)
            plain.step()
            if schedule == "cosine":
                cosine.step()
        for mine, value in zip(values, own, strict=True):
            torch.testing.assert_close(mine[index], value.detach(), rtol=1e-12, atol=1e-12)


def test_clip_counts_what_belongs_to_some_slices_alone() -> None:
    """A candidate's parameters at slices 1 and 2 add to the norms there; all are scaled by the whole norm."""
    everyone, some = torch.ones(4, 9, dtype=torch.float64), torch.full((2, 4), 2.0, dtype=torch.float64)
    for found, owner in zip(
        clipped([everyone, some], [slice(None), slice(1, 3)], 1.0), (range(4), (1, 2)), strict=True
    ):
        norms = torch.tensor([5.0 if index in (1, 2) else 3.0 for index in owner], dtype=torch.float64)
        torch.testing.assert_close(found, (everyone if len(found) == 4 else some) / norms[:, None], rtol=1e-6, atol=0)


@pytest.mark.parametrize("spoiler", [torch.nan, torch.inf])
def test_clip_leaves_other_slices_alone(spoiler: float) -> None:
    good, bad = tensors(1), tensors(1)
    bad[1][2, 0] = spoiler
    others = [0, 1, 3, 4]
    for clean, spoilt in zip(clipped(good, WHOLE, LIMIT), clipped(bad, WHOLE, LIMIT), strict=True):
        assert torch.equal(clean[others], spoilt[others])
        assert not (spoilt[2] == clean[2]).all()


@pytest.mark.parametrize("name", THEIRS)
def test_nan_gradient_spoils_its_slice_alone(name: str) -> None:
    good, bad = tensors(0), tensors(0)
    clean, spoilt = stacked(name, good), stacked(name, bad)
    for step in range(5):
        found = tensors(step)
        clean.step(good, found)
        found[0][2, 1, 1] = torch.nan if step == 2 else found[0][2, 1, 1]
        spoilt.step(bad, found)
    others = [0, 1, 3, 4]
    assert torch.isnan(bad[0][2, 1, 1])
    assert all(torch.equal(g[others], b[others]) for g, b in zip(good, bad, strict=True))


@pytest.mark.parametrize("name", THEIRS)
def test_keep_goes_on_as_if_alone(name: str) -> None:
    chosen = torch.tensor([4, 1])
    values, kept = tensors(0), tensors(0)
    whole, shrunk = stacked(name, values), stacked(name, kept)
    run(whole, values, range(10))
    run(shrunk, kept, range(5))
    shrunk.keep([chosen] * len(SHAPES))
    kept = [value[chosen] for value in kept]
    for step in range(5, 10):
        shrunk.step(kept, [gradient[chosen] for gradient in gradients(step)])
    for own, value in zip(kept, values, strict=True):
        assert torch.equal(own, value[chosen])


def test_cosine_falls_from_one_to_zero() -> None:
    factors = [SCHEDULES["cosine"].factor(step, 10) for step in range(11)]
    assert factors[0] == 1.0
    assert factors[5] == pytest.approx(0.5)
    assert factors[10] == 0.0
    assert factors == sorted(factors, reverse=True)
    assert {SCHEDULES["constant"].factor(step, 10) for step in range(11)} == {1.0}


def warm(optimiser: torch.optim.Optimizer, count: int, after: LRScheduler) -> SequentialLR:
    line = LinearLR(optimiser, start_factor=1 / (count + 1), total_iters=count)
    return SequentialLR(optimiser, [line, after], milestones=[count])


def of_torch(schedule: RateSchedule, rate: float, steps: int) -> list[float]:
    """The rate at each step by torch's own schedulers."""
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=rate)
    if isinstance(schedule, OneCycle):
        found: LRScheduler = OneCycleLR(
            optimiser,
            rate,
            total_steps=steps,
            pct_start=schedule.peak_at,
            cycle_momentum=False,
            div_factor=schedule.start_divisor,
            final_div_factor=schedule.final_divisor,
        )
    else:
        count = round(schedule.warmup * steps) if schedule.warmup < 1 else int(schedule.warmup)
        if isinstance(schedule, Cosine):
            found = CosineAnnealingLR(optimiser, T_max=max(1, steps - count), eta_min=schedule.final * rate)
        else:
            found = torch.optim.lr_scheduler.ConstantLR(optimiser, factor=1.0)
        found = warm(optimiser, count, found) if count else found
    rates = []
    for _ in range(steps):
        rates.append(float(optimiser.param_groups[0]["lr"]))
        optimiser.step()
        found.step()
    return rates


@pytest.mark.parametrize("steps", COUNTS)
@pytest.mark.parametrize(
    "schedule",
    [
        Constant(),
        Constant(warmup=7),
        Cosine(),
        Cosine(final=0.1),
        Cosine(warmup=5),
        Cosine(warmup=0.2, final=0.05),
        OneCycle(),
        OneCycle(peak_at=0.4, start_divisor=10.0, final_divisor=100.0),
    ],
    ids=str,
)
def test_schedules_equal_torchs_at_every_step(schedule: RateSchedule, steps: int) -> None:
    own = [0.3 * schedule.factor(step, steps) for step in range(steps)]
    assert own == pytest.approx(of_torch(schedule, 0.3, steps), rel=1e-10, abs=1e-14)


def test_a_cycle_whose_rise_is_one_step_starts_at_the_peak() -> None:
    """torch's OneCycleLR divides by zero there."""
    assert OneCycle(peak_at=0.5).factor(0, 2) == 1.0


def test_decay_spares_the_candidates_own_parameters() -> None:
    values = tensors(0)
    optimiser = stacked_optimiser(AdamW(weight_decay=0.5), values, [RATES] * len(SHAPES), own=1)
    optimiser.step(values, [torch.zeros_like(value) for value in values])
    for index, (value, before) in enumerate(zip(values, tensors(0), strict=True)):
        shrunk = 1 if index == 2 else 1 - 0.5 * RATES.view(-1, *[1] * (value.dim() - 1))
        torch.testing.assert_close(value, before * shrunk, rtol=1e-14, atol=0)
