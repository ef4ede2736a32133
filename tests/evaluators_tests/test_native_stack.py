"""What the engine trains equals one ordinary model at a time; no bit of a slice depends on company or threads."""

from __future__ import annotations

import ctypes
import time
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import Tensor

from evaluators.cohort import CohortRequest
from evaluators.machine.backend import CPU, Backend
from evaluators.native.library import library
from evaluators.objectives import measured_objectives
from evaluators.tasks import task
from evaluators.tasks.base import Task
from evaluators.tasks.optimisers import SGD, Adam, AdamW
from evaluators.training.chains.chains import found
from evaluators.training.chains.choice import not_native
from evaluators.training.chains.native_stack import NativeStack, _all_done
from evaluators.training.member import CohortMember, Schedule
from evaluators.training.plain import PlainModel
from evaluators.training.schedules import Cosine, OneCycle
from evaluators.training.stacking.stack import Stack
from evaluators.training.train import train
from primitives.expression.parsing import parse
from tests.evaluators_tests.families import FAMILIES, Family
from tests.evaluators_tests.test_chains import CHAINS, LOSSES, Made, Net
from tests.plain import ran

pytestmark = pytest.mark.skipif(library() is None, reason="there is no native engine here")

DOUBLE = Backend(dtype=torch.float64)
SWISH, LEAKY, SHARED = "x*sigmoid(beta*x); beta=1.0:channel", "max(x,c*x); c=0.25", "x*tanh(k*x); k=0.5:network"
LAYERS = "layers(relu(x),sin(x),x*sigmoid(b*x)); b=1.0"
RATES = (1e-3, 1e-2)
OPTIONS: dict[str, dict[str, object]] = {
    "adam": {},
    "adam-decay": {"optimiser": Adam(weight_decay=0.1)},
    "adamw-warm-cosine": {"optimiser": AdamW(weight_decay=0.1), "schedule": Cosine(warmup=0.2, final=0.1)},
    "sgd": {"optimiser": "sgd"},
    "nesterov-decay-cycle": {"optimiser": SGD(0.8, nesterov=True, weight_decay=0.01), "schedule": OneCycle()},
    "accumulate-clip": {"accumulate": 3, "clip": 0.1},
    "clip-unit": {"clip": 0.5, "scale": "unit"},
}
CHAINED = ("mlp", "mlp-norm", "mlp-residual", "mlp-norm-residual", "coordinates", "skipping")


def members(*texts: str, seeds: tuple[int, ...] = (3, 4)) -> list[CohortMember]:
    return [CohortMember(parse(text), seeds) for text in texts]


def own(chosen: Task, of: list[CohortMember], steps: int, backend: Backend = CPU) -> NativeStack:
    return NativeStack(chosen, "search", of, Schedule(steps, (), RATES), backend=backend)


def check(
    chosen: Task, of: list[CohortMember], steps: int, backend: Backend = DOUBLE, *, tolerance: float = 1e-9,
    rates: tuple[float, ...] = RATES,
) -> None:  # fmt: skip
    """Every training loss, the last validation losses and the weights agree with those of one model at a time."""
    stack = NativeStack(chosen, "search", of, Schedule(steps, (), rates), backend=backend)
    models = [
        PlainModel(chosen, "search", m.expression, seed=seed, rate=rate, steps=steps, backend=backend)
        for m in of
        for seed in m.seeds
        for rate in rates
    ]
    plain = torch.tensor([model.advance(steps) for model in models], dtype=torch.float64).T
    trained = stack.advance(steps)
    assert trained.shape == plain.shape and trained.dtype == backend.dtype
    torch.testing.assert_close(trained.double(), plain, rtol=tolerance, atol=tolerance)
    last = torch.tensor([model.loss("validation") for model in models], dtype=torch.float64)
    torch.testing.assert_close(stack.loss("validation").double(), last, rtol=tolerance, atol=tolerance)
    for name, weights in stack.state.items():
        expected = torch.stack([model.tensors()[name].detach() for model in models])
        torch.testing.assert_close(weights.detach(), expected, rtol=100 * tolerance, atol=100 * tolerance)


@pytest.mark.parametrize("family", CHAINED)
def test_families_equal_one_model_at_a_time(family: str) -> None:
    check(Family(family), members(SWISH, LEAKY, SHARED, "gelu(x)"), 8)


@pytest.mark.parametrize("name", OPTIONS)
def test_optimisers_schedules_and_clips(name: str) -> None:
    chosen = Family("mlp-norm")
    for attribute, value in OPTIONS[name].items():
        setattr(chosen, attribute, value)
    check(chosen, members(SWISH, "tanh(x)", LAYERS), 8)


@pytest.mark.parametrize("name", CHAINS)
def test_networks_of_users(name: str) -> None:
    check(Made(lambda: Net(CHAINS[name][0])), members("tanh(x)", LEAKY), 6)


@pytest.mark.parametrize("name", [name for name, (_, scale) in LOSSES.items() if scale is not None])
def test_losses(name: str) -> None:
    check(Made(lambda: Net(CHAINS["norm"][0]), LOSSES[name][0]), members("tanh(x)", SWISH), 6)


def test_frozen_parameters_stay() -> None:
    def frozen() -> Net:
        net = Net(CHAINS["norm"][0])
        net.first.weight.requires_grad_(False)
        net.norm.bias.requires_grad_(False)
        return net

    check(Made(frozen), members("tanh(x)", SWISH), 6)


@pytest.mark.parametrize("name", ["digits", "digits-10x32", "tabular-diabetes", "image-inr"])
def test_shipped_tasks_in_both_types(name: str) -> None:
    check(task(name), members("gelu(x)", SWISH, seeds=(5,)), 5)
    # at 1e-3, where rounding grows slowest
    check(task(name), members("gelu(x)", SWISH, seeds=(5,)), 50, CPU, tolerance=2e-2, rates=RATES[:1])


def test_the_network_as_it_stands() -> None:
    chosen = Made(lambda: Net(CHAINS["other functions"][0]))
    check(chosen, [CohortMember(None, (3, 4))], 6)


def losses_and_end(stack: Stack, steps: int, own_: slice) -> Tensor:
    trained = stack.advance(steps)[:, own_]
    return torch.cat([trained, stack.loss("validation")[None, own_], stack.metric("validation")[None, own_]])


@pytest.mark.parametrize("name", ["digits", "digits-2x45", "digits-3x33", "digits-2x10"])
def test_bits_do_not_depend_on_company_or_order(name: str) -> None:
    """Widths whose rows are no multiple of 64 bytes: MKL's bits change with a buffer's place."""
    chosen, probe = task(name), members(SWISH)
    alone = losses_and_end(own(chosen, probe, 12), 12, slice(0, 4))
    others = members("relu(x)", LEAKY, "mish(x)", seeds=(8, 9, 10))
    for before, after in ((others, []), ([], others), (others[:1], others[1:]), (others[::-1], probe)):
        stack = own(chosen, [*before, *probe, *after], 12)
        first = sum(len(m.seeds) for m in before) * len(RATES)
        assert torch.equal(losses_and_end(stack, 12, slice(first, first + 4)), alone)


def test_bits_do_not_depend_on_threads_rungs_or_dropped_slices() -> None:
    chosen = task("digits-3x33")
    of = members("relu(x)", SWISH, "mish(x)")
    whole = own(chosen, of, 160)
    expected = whole.advance(160)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        threaded = own(chosen, of, 160).advance(160)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(threaded, expected)
    rungs = own(chosen, of, 160)
    parts = [rungs.advance(7)[:, 4:8], rungs.advance(120)[:, 4:8]]
    rungs.keep([1], [(1,)])
    parts = [part[:, 1::2] for part in parts] + [rungs.advance(160)]
    assert torch.equal(torch.cat(parts), expected[:, [5, 7]])


def test_a_saved_state_goes_on_with_the_same_bits() -> None:
    chosen = task("digits")
    of = members("relu(x)", SWISH)
    whole = own(chosen, of, 40)
    expected = whole.advance(40)
    first = own(chosen, of, 40)
    begun = first.advance(15)
    second = own(chosen, of, 40)
    second.restore(first.saved())
    assert torch.equal(torch.cat([begun, second.advance(40)]), expected)
    assert torch.equal(second.loss("validation"), whole.loss("validation"))


def test_a_slice_that_overflows_is_alone() -> None:
    chosen = task("digits")
    pair = own(chosen, members("exp(exp(x))", "relu(x)"), 20)
    losses = pair.advance(20)
    assert not torch.isfinite(losses[-1, :4]).all() and torch.isfinite(losses[:, 4:]).all()
    assert torch.equal(own(chosen, members("relu(x)"), 20).advance(20), losses[:, 4:])


def test_candidates_that_the_engine_lacks_are_trained_by_torch_beside_the_others() -> None:
    chosen = task("digits")
    assert "bessel_i0e" in not_native(chosen, "search", parse("x*bessel_i0e(x)"), CPU)
    assert not_native(chosen, "search", parse("x*sigmoid(x)"), CPU) == ""
    of = members("relu(x)", "x*bessel_i0e(x)", "silu(x)")
    mixed = train(chosen, "search", of, Schedule(30, (10,), RATES))
    for member, outcome in zip(of, mixed, strict=True):
        (alone,) = train(chosen, "search", [member], Schedule(30, (10,), RATES))
        assert alone.losses == outcome.losses


def test_a_network_that_another_batch_changes_is_left_to_torch() -> None:
    assert "dropout" in not_native(_with("mlp", dropout=True), "search", parse("relu(x)"), CPU)
    assert not_native(Family("cnn"), "search", parse("relu(x)"), CPU)
    assert not_native(task("digits"), "search", parse("relu(x)"), Backend(autocast=torch.bfloat16))


def _with(family: str, *, dropout: bool) -> Task:
    chosen = Family(family)
    make = chosen.network
    if dropout:
        chosen.network = lambda: torch.nn.Sequential(torch.nn.Dropout(0.2), make())  # type: ignore[method-assign]
    return chosen


def test_measured_objectives_and_readings_are_those_of_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within rounding: both look at the same weights, which 12 steps have hardly driven apart."""
    chosen, of = task("digits"), members("relu(x)", SWISH)
    names = ("sparsity", "noise", "robustness")
    both = []
    for engine in (True, False):
        if not engine:
            monkeypatch.setattr("evaluators.training.train.not_native", lambda *_: "off")
        both.append(
            train(chosen, "search", of, Schedule(12, (), RATES), measured=measured_objectives(names), readings=True)
        )
    for one, other in zip(*both, strict=True):
        assert one.measured.keys() == other.measured.keys() and one.readings.keys() == other.readings.keys()
        assert one.measured == pytest.approx(other.measured, rel=1e-3, abs=1e-5)
        for name in one.readings:
            torch.testing.assert_close(
                torch.tensor(one.readings[name]), torch.tensor(other.readings[name]), rtol=1e-3, atol=2e-2
            )


def test_a_cohort_names_rejects_and_drops_as_with_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    request = CohortRequest(
        ("exp(exp(x))", "sin(3*x)", "c*elu(x); c=0.5"), ("digits",), 1, 2, 40, (10, 20), (1e-4, 1e-3, 1e-2),
        drop_worst_rate=True,
    )  # fmt: skip
    native = ran(request)
    monkeypatch.setattr("evaluators.training.train.not_native", lambda *_: "off")
    torchs = ran(replace(request))
    assert [row["reason"] for row in native["candidates"]] == [row["reason"] for row in torchs["candidates"]]


def test_own_products_and_those_of_a_blas_agree() -> None:
    """The engine's own product stands in where no BLAS is found."""
    found_ = library(True)
    assert found_ is not None
    chosen, of = Family("mlp-norm-residual"), members(SWISH, "gelu(x)")
    expected = own(chosen, of, 10, DOUBLE).advance(10)
    stack = own(chosen, of, 10, DOUBLE)
    found_.use_gemm(None)
    try:
        others = stack.advance(10)
    finally:
        from evaluators.native.blas import blas

        found_.use_gemm(ctypes.c_void_p(blas(True).address))
    torch.testing.assert_close(others, expected, rtol=1e-9, atol=1e-9)


def test_families_that_are_chains_are_all_tested() -> None:
    chains = {name for name in FAMILIES if found(Family(name), "search", current=False).chain is not None}
    assert chains == set(CHAINED)


def test_a_cohort_counts_what_torch_trains() -> None:
    found_ = ran(CohortRequest(("silu(x)", "x*bessel_i0e(x)"), ("digits", "digits-cnn"), 1, 1, 2, rates=(1e-3,)))
    counts = found_["by_torch"]
    assert sum(counts.values()) == 3
    assert any(name.startswith("digits: ") and "bessel_i0e" in name for name in counts)
    assert [count for name, count in counts.items() if name.startswith("digits-cnn: its network has")] == [2]


def test_after_an_error_no_slice_is_begun() -> None:
    """An interrupt goes the same way."""
    begun: list[int] = []

    def slow(number: int) -> None:
        begun.append(number)
        time.sleep(0.02)

    def fails() -> None:
        raise MemoryError

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with pytest.raises(MemoryError):
            _all_done([fails, *(partial(slow, number) for number in range(100))])
    finally:
        torch.set_num_threads(before)
    assert len(begun) < 100
