"""Checks of the kernels, run by name in a process of their own, on a GPU or in Triton's interpreter."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.gpu import Launches, launched
from evaluators.gpu import formulas
from evaluators.gpu.tables import FILES, Part, table
from evaluators.machine.backend import Backend
from evaluators.tasks import task
from evaluators.tasks.optimisers import SGD, Adam, AdamW, Optimiser
from evaluators.training.member import CohortMember, Schedule
from evaluators.training.optimiser import StackedOptimiser, stacked
from evaluators.training.stacking.kernel_shares import KernelOnce
from evaluators.training.stacking.layout import Layout, Share
from evaluators.training.stacking.pointwise_shares import Stacked, StackedOnce, apply, stacked_once
from evaluators.training.stacking.stack import Stack
from primitives.equivalence.builtin import as_builtin
from primitives.expression.expression import Expression
from primitives.expression.parsing import parse
from primitives.lowering.bytecode.opcodes import ARITIES, OPCODES
from primitives.lowering.bytecode.program import WORDS, Bytecode
from primitives.operators.axes import Axes
from tests.evaluators_tests.families import FAMILIES, Family
from tests.evaluators_tests.gpu_interpreter import DEVICE, switch
from tests.primitives_tests.contract import FACTOR, GROUPS, differences, functions, names, points
from tests.primitives_tests.test_bytecode import one

FORMULAS = (
    *("relu(x)", "x*sigmoid(beta*x); beta=1.0", "bessel_i0e(a*x)*x; a=1.0:channel", "gelu(x)", "3.5"),
    *("a*tanh(x)+b*x**2; a=0.5, b=1.0:channel", "max(c*x,sin(x)); c=0.2:channel", "x"),
)
SPECIAL = (0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.0, 30.0, -80.0, 1e-6, -1e-30, 1e20, torch.inf, -torch.inf, torch.nan)


def noise(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    drawn = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (2 * drawn).to(dtype).to(DEVICE)


def layout(texts: Sequence[str], slices: int = 2) -> Layout:
    """Each formula on slices of its own, the second one on one more than the first, and so on."""
    shares, start = [], 0
    for number, text in enumerate(texts):
        shares.append(Share(parse(text), start, start + slices + number % 2, 1.0 + number / 10))
        start = shares[-1].stop
    return Layout(tuple(shares), tuple(tuple(p.name for p in share.expression.parameters) for share in shares))


def values(of: Layout, channels: int, dtype: torch.dtype, *, together: bool) -> list[Tensor]:
    """Parameters of all shares: views of one tensor, as stacks have them, or not."""
    shapes = [
        (share.slices, channels) if p.per == "channel" else (share.slices,)
        for share in of.shares
        for p in share.expression.parameters
    ]
    flat = noise(sum(torch.Size(shape).numel() for shape in shapes) + 3, seed=7, dtype=dtype)[3:]
    parts = flat.split([torch.Size(shape).numel() for shape in shapes])
    views = [part.view(shape).detach() for part, shape in zip(parts, shapes, strict=True)]
    return [(each if together else each.clone()).requires_grad_() for each in views]


def gradients(function: type[torch.autograd.Function], of: Layout, axes: Axes, *inputs: Tensor) -> list[Tensor]:
    """Outputs, and the gradients of a weighted sum of them by all inputs."""
    result = apply(function, of, axes, *inputs)
    weights = noise(*result.shape, seed=4).to(result.dtype)
    return [result.detach(), *torch.autograd.grad((result * weights).sum(), inputs)]


# --- operators ---


def of_one(op: str) -> Bytecode:
    """A program of one instruction over x and two parameters."""
    operands = [0, 1, 2][: ARITIES[op]]
    words = [OPCODES[op], 3, *operands, *[0] * (WORDS - 2 - len(operands))]
    code = torch.tensor(words, dtype=torch.int32).numpy().tobytes()
    return Bytecode(code, (), ("b", "c"), (3,), 4)


def check_every_operator() -> None:
    """All opcodes in one launch, a slice each; numbers, zeros, infinities and NaN in all combinations."""
    for dtype, tolerance in ((torch.float32, 2e-6), (torch.float64, 1e-14)):
        columns = zip(*product(SPECIAL, SPECIAL, (1.5, -0.5)), strict=True)
        a, b, c = (torch.tensor(column, dtype=dtype) for column in columns)
        parts = [Part(of_one(op), number, number + 1, 1.0, 2) for number, op in enumerate(OPCODES)]
        x = a.expand(len(parts), 1, -1).contiguous().to(DEVICE)
        own = [value[None].contiguous().to(DEVICE) for _ in parts for value in (b, c)]
        found = torch.empty_like(x)
        formulas.values(table(parts, len(parts), x.device), Axes(-1), x, formulas.parameters(own, x), found)
        for op, row in zip(OPCODES, found.cpu(), strict=True):
            # a slope's second input is an output: products of three large numbers are infinite in one order alone
            some = b.abs() <= 3 if op.endswith("_slope") else torch.ones_like(b, dtype=torch.bool)
            got, expected = row[0, some], one(op, a, b, c).to(dtype)[some]
            assert torch.allclose(got, expected, rtol=tolerance, atol=1e-37, equal_nan=True), (op, dtype)


def check_signed_zeros_among_constants() -> None:
    code = torch.tensor([OPCODES["reciprocal"], 3, 1, 0, 0, OPCODES["reciprocal"], 4, 2, 0, 0], dtype=torch.int32)
    part = Part(Bytecode(code.numpy().tobytes(), (-0.0, 0.0), (), (3, 4), 5), 0, 1, 1.0, 0)
    x = noise(1, 3)
    value, slope = torch.empty_like(x), torch.empty_like(x)
    given, programs = formulas.parameters([], x), table([part], 1, x.device)
    formulas.values_and_slopes(programs, Axes(None), x, given, (value, slope, x.new_empty(0, 3)))
    assert value.tolist() == [[-torch.inf] * 3]
    assert slope.tolist() == [[torch.inf] * 3]


def check_the_catalogue_sample() -> None:
    wrong_numbers([f for group in GROUPS if group != "gates" for f in functions(group)[::24]])


def check_the_whole_catalogue() -> None:
    wrong_numbers([f for group in GROUPS if group != "gates" for f in functions(group)])


def wrong_numbers(known: Sequence[Expression]) -> None:
    """Values and slopes at the points of the contract: a channel for each point, so that sums are slopes."""
    wrong, computed = [], 0
    for f in map(as_builtin, known):
        x = points(f).float()[None].to(DEVICE).requires_grad_()
        own = [torch.full_like(x, p.initial, requires_grad=True) for p in f.parameters]
        of = Layout((Share(f, 0, 1, FACTOR),), (tuple(p.name for p in f.parameters),))
        value = apply(KernelOnce, of, Axes(-1), x[:, None], *own)
        slopes = torch.autograd.grad(value, [x, *own], torch.ones_like(value))
        columns = [each.detach().flatten().cpu() for each in (value, *slopes)]
        wrong += differences(f, dict(zip(["value", *names(f)], columns, strict=True)), torch.float32)
        computed += 1
    assert computed == len(known)
    assert not wrong, "\n".join(wrong[:20])


# --- formulas ---

TYPES = {torch.float32: 2e-6, torch.float64: 1e-13, torch.bfloat16: 2e-2, torch.float16: 3e-3}
PLACES = (((7, 5), -1), ((3, 5, 4, 3), -3), ((601,), None), ((2, 33, 9), -1), ((1, 40, 7), -2))


def check_values_slopes_and_sums() -> None:
    """Against torch in float64: several shares, odd sizes, channels anywhere, parameters together or apart."""
    cases = [(place, torch.float32, True) for place in PLACES] + [(PLACES[1], dtype, False) for dtype in TYPES]
    for (shape, dim), dtype, together in cases:
        tolerance, of = TYPES[dtype], layout(FORMULAS, 1)
        x = noise(of.shares[-1].stop, *shape, seed=5, dtype=dtype).requires_grad_()
        kind = dtype if dtype == torch.float64 else torch.float32
        own = values(of, 1 if dim is None else x.shape[dim], kind, together=together)
        found = gradients(KernelOnce, of, Axes(dim), x, *own)
        expected = gradients(
            StackedOnce, of, Axes(dim), *(each.detach().double().requires_grad_() for each in (x, *own))
        )
        for a, b, given in zip(found, expected, (x, x, *own), strict=True):
            assert a.shape == given.shape
            assert a.dtype == given.dtype
            scale = float(b.abs().max())
            torch.testing.assert_close(a.double(), b, rtol=20 * tolerance, atol=20 * tolerance * scale)


def check_values_alone() -> None:
    of = layout(FORMULAS)
    x = noise(of.shares[-1].stop, 9, 5)
    own = values(of, 5, torch.float32, together=True)
    with torch.no_grad():
        switch(True)
        found = apply(Stacked, of, Axes(-1), x, *own)
        switch(False)
        expected = apply(Stacked, of, Axes(-1), x, *own)
    switch(True)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def check_second_derivatives_are_right() -> None:
    of = layout(FORMULAS[:2])
    x = noise(of.shares[-1].stop, 7).requires_grad_()
    own = values(of, 1, torch.float32, together=True)

    def second() -> tuple[Tensor, ...]:
        slope = torch.autograd.grad(apply(Stacked, of, Axes(None), x, *own).sum(), x, create_graph=True)[0]
        return torch.autograd.grad(slope.square().sum(), [x, *own])

    switch(True)
    found = second()
    switch(False)
    expected = second()
    switch(True)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def check_bits_do_not_depend_on_company() -> None:
    of = layout(FORMULAS, 1)
    x = noise(of.shares[-1].stop, 4, 300, seed=5).requires_grad_()
    own = values(of, 300, torch.float32, together=True)
    weights = noise(*x.shape, seed=4)
    result = apply(KernelOnce, of, Axes(-1), x, *own)
    together = torch.autograd.grad(result, [x, *own], weights)
    place = 1
    for number, share in enumerate(of.shares):
        count, here = len(of.names[number]), slice(share.start, share.stop)
        mine = [value.detach().clone().requires_grad_() for value in own[place - 1 : place - 1 + count]]
        lone = x[here].detach().clone().requires_grad_()
        alone = apply(KernelOnce, of.alone(number), Axes(-1), lone, *mine)
        slopes = torch.autograd.grad(alone, [lone, *mine], weights[here])
        assert torch.equal(alone, result[here])
        assert torch.equal(slopes[0], together[0][here])
        for a, b in zip(slopes[1:], together[place : place + count], strict=True):
            assert torch.equal(a, b)
        place += count


def check_more_registers_than_a_kernel_has_are_torchs() -> None:
    of = layout(["*".join(f"(2+sin({k}.5*x))" for k in range(36)), "tanh(x)"])
    x = noise(of.shares[-1].stop, 7).requires_grad_()
    assert kernel_shares_without_program(of, len(x)) == [True, False]
    for a, b in zip(gradients(KernelOnce, of, Axes(None), x), gradients(StackedOnce, of, Axes(None), x), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def kernel_shares_without_program(of: Layout, slices: int) -> list[bool]:
    from evaluators.training.stacking import kernel_shares

    programs, parts = kernel_shares._table(of, slices, torch.device(DEVICE), once=True)
    assert programs.file in FILES
    return [part.code is None for part in parts]


def check_what_is_usable() -> None:
    from evaluators.gpu.usable import has_kernels

    x = noise(4, 6)
    assert has_kernels(x)
    assert stacked_once(x) is KernelOnce
    assert not has_kernels(x.T)
    assert not has_kernels(x[:0])
    assert not has_kernels(x.to(torch.int32))
    switch(False)
    assert stacked_once(x) is StackedOnce
    switch(True)


@contextmanager
def launches() -> Iterator[list[int]]:
    """Launches within the block, of torch's kernels and of ours."""
    from triton.runtime import jit
    from triton.runtime.interpreter import InterpretedFunction

    kind = InterpretedFunction if DEVICE == "cpu" else jit.JITFunction
    own, whole = 0, kind.run

    def run(self: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal own
        own += 1
        with torch.utils._python_dispatch._disable_current_modes():
            return whole(self, *args, **kwargs)

    kind.run, found = run, [0]
    try:
        with Launches() as calls:
            yield found
    finally:
        kind.run = whole
    found[0] = calls.count + own


def launched_by(function: type[torch.autograd.Function], texts: Sequence[str]) -> int:
    """By a slot, forward and backward."""
    of = layout(texts, 1)
    x = noise(of.shares[-1].stop, 3, 5).requires_grad_()
    own = values(of, 5, torch.float32, together=True)
    upstream = noise(*x.shape, seed=4)
    gradients(function, of, Axes(-1), x, *own)  # tables go to the device once
    with launches() as found:
        torch.autograd.grad(apply(function, of, Axes(-1), x, *own), [x, *own], upstream)
    return found[0]


def check_launches_do_not_depend_on_the_number_of_shares() -> None:
    few = [text for text in FORMULAS if "bessel" not in text]
    counts = [launched_by(KernelOnce, few * times) for times in (1, 2)]
    assert counts == [3, 3], counts  # formulas, gradient times slope, sums
    by_torch = [launched_by(StackedOnce, few * times) for times in (1, 2)]
    assert by_torch[1] > 1.9 * by_torch[0] > 40, by_torch


def check_launches_of_a_step_do_not_depend_on_the_number_of_candidates() -> None:
    for name, most in (("digits", 50), ("digits-cnn", 60)):
        few, more = (launched(task(name), candidates, kernels=True) for candidates in (7, 12))
        assert few == more <= most, (few, more)
        assert launched(task(name), 12, kernels=False) > 3 * few


# --- optimisers ---

SETTINGS: tuple[Optimiser, ...] = (
    *(Adam(), Adam(betas=(0.4, 0.95), eps=1e-4, weight_decay=0.1), AdamW(weight_decay=0.1)),
    *(SGD(), SGD(momentum=0.0, weight_decay=0.1), SGD(momentum=0.8, nesterov=True)),
)
SHAPES = ((5, 33, 40), (5, 45), (5,), (12,), (0,))


def descended(settings: Optimiser, dtype: torch.dtype, *, rows: slice = slice(None)) -> tuple[StackedOptimiser, Any]:
    """Tensors and moments after steps, of which some rows are dropped on the way."""

    def drawn(seed: int) -> list[Tensor]:
        return [noise(*shape, seed=seed, dtype=dtype)[rows].clone() for shape in SHAPES]

    tensors = drawn(1)
    rates = [noise(shape[0], seed=2, dtype=dtype).abs()[rows] / 20 for shape in SHAPES]
    own = stacked(settings, tensors, rates, own=2)
    for step in range(6):
        given = drawn(10 + step)
        given[0] = given[0].transpose(1, 2).contiguous().transpose(1, 2)  # as products of matrices leave them
        given = [each[: len(tensor)] for each, tensor in zip(given, tensors, strict=True)]
        given[1][0] = torch.nan if step == 2 and rows == slice(None) else 0.5
        own.step(tensors, given, 1.0 - step / 10)
        if step == 3:
            picks = [torch.arange(len(tensor) - (len(tensor) > 3), device=DEVICE) for tensor in tensors]
            tensors = [tensor[pick] for tensor, pick in zip(tensors, picks, strict=True)]
            own.keep(picks)
    return own, [*tensors, *(each for row in own.state for each in row)]


def check_optimisers_are_torchs() -> None:
    for settings, dtype in product(SETTINGS, (torch.float32, torch.float64)):
        switch(True)
        own, found = descended(settings, dtype)
        assert own.fused is not None
        switch(False)
        other, expected = descended(settings, dtype)
        assert other.fused is None
        for a, b in zip(found, expected, strict=True):
            torch.testing.assert_close(
                a, b, rtol=30 * torch.finfo(dtype).eps, atol=30 * torch.finfo(dtype).eps, equal_nan=True
            )
        assert found[1][0].isnan().all()
        assert not found[1][1:].isnan().any()
    switch(True)


def check_a_step_is_one_launch() -> None:
    for count in (1, 7):
        tensors = [noise(5, 30) for _ in range(count)]
        own = stacked(Adam(), tensors, [noise(5).abs()] * count)
        given = [noise(5, 30, seed=9) for _ in range(count)]
        own.step(tensors, given)
        with launches() as found:
            own.step(tensors, given)
        assert found[0] <= 3, found  # the kernel, and the step's numbers


# --- stacks ---


TEXTS = ("x*sigmoid(beta*x); beta=1.0:channel", "max(x,c*x); c=0.25", "bessel_i0e(x)*x", "tanh(x)")


def trained(family: str, backend: Backend, texts: Sequence[str]) -> tuple[Tensor, Tensor, Tensor, bool]:
    """Losses of five steps, of two more of those that stay, and those of validation; is the optimiser the kernel's."""
    chosen = Family(family, optimiser=AdamW(weight_decay=0.1), clip=0.5)
    members = [CohortMember(parse(text), (1,)) for text in texts]
    stack = Stack(chosen, "search", members, Schedule(7, (), (3e-3,)), backend=backend)
    losses = stack.advance(5)
    stack.keep(range(len(texts) - 1))
    more = stack.advance(7)
    return losses, more, stack.loss("validation"), stack.optimiser.fused is not None


def trains_as_by_torch(family: str, backend: Backend, tolerance: float, texts: Sequence[str]) -> None:
    switch(True)
    *found, fused = trained(family, backend, texts)
    switch(False)
    *expected, other = trained(family, backend, texts)
    switch(True)
    assert fused
    assert not other
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


def check_a_stack_of_rows_trains_as_by_torch() -> None:
    trains_as_by_torch("mlp-norm", Backend(device=DEVICE), 1e-4, TEXTS)


def check_every_family_trains_as_by_torch() -> None:
    """In float64; in two of them a candidate is a layer with statistics beside one that has kernels."""
    backend = Backend(device=DEVICE, dtype=torch.float64)
    for family in FAMILIES:
        trains_as_by_torch(family, backend, 1e-10, (TEXTS[0], "tanh(x)"))
    for family in ("cnn", "mlp"):
        trains_as_by_torch(family, backend, 1e-10, (TEXTS[0], "x-mean_c(x)"))


def check_autocast() -> None:
    """Formulas work in the type of their input, bfloat16 behind a product; a bias would make it float32 again."""
    seen, whole = [], formulas.values_and_slopes

    def watched(table: Any, axes: Axes, x: Tensor, *rest: Any) -> None:
        seen.append(x.dtype)
        whole(table, axes, x, *rest)

    layers = [nn.Linear(12, 8, bias=False), nn.ReLU(), nn.Linear(8, 5, bias=False)]
    FAMILIES["no-bias"] = (lambda: nn.Sequential(*layers), (12,))
    formulas.values_and_slopes = watched  # type: ignore[assignment]
    mixed = trained("no-bias", Backend(device=DEVICE, autocast=torch.bfloat16), TEXTS)[0]
    formulas.values_and_slopes = whole
    assert set(seen) == {torch.bfloat16}, set(seen)
    switch(False)
    torch.testing.assert_close(mixed, trained("no-bias", Backend(device=DEVICE), TEXTS)[0], rtol=0.05, atol=0.05)
    switch(True)


if __name__ == "__main__":
    switch(True)
    chosen: list[Callable[[], None]] = [globals()[name] for name in sys.argv[1:]]
    for check in chosen:
        check()
    print(len(chosen), "checks")
