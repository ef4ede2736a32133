"""The width of a stack that trains fastest here: narrow stacks pay for calls, wide ones leave the cache."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import cycle, islice

import torch

from evaluators.machine.backend import CPU, Backend
from evaluators.places.each_place import LEARNED, PLAIN, in_each_place, kinds_of
from evaluators.tasks.base import Task
from evaluators.training.member import CohortMember, Schedule
from evaluators.training.stacking.stack import Stack
from evaluators.training.stacking.stackable import unstackable
from primitives.expression.expression import Expression
from primitives.expression.parsing import parse

WIDTHS = (12, 36, 66, 132, 264)
WIDTHS_CUDA = (66, 264, 1056, 4224)  # a GPU that is not full waits for calls
FORMULAS = ("relu(x)", "gelu(x)", "x*sigmoid(beta*x); beta=1.0:channel", "max(x,tanh(x))", "log1p(x**2)", "x*atan(x)")
SEEDS = (0, 1)
WARM_UP, TIMED, LAST = 2, 3, 100  # steps before the clock starts, at least under it, and in all


_found: dict[tuple[str, int, Backend], int] = {}


def fastest_width(task: Task, backend: Backend) -> int:
    """The width that :func:`probe_width` finds in 3 s, once a process for each task, batch size and backend."""
    key = task.name, task.batch_size, backend
    if key not in _found:
        _found[key] = probe_width(task, backend=backend, seconds=3.0)
    return _found[key]


def probe_width(task: Task, *, backend: Backend = CPU, widths: Sequence[int] = (), seconds: float = 10.0) -> int:
    """Time stacks of several widths for some steps each.

    Args:
        task: what is to be trained.
        backend: device and types.
        widths: numbers of slices to try, from the narrowest on; by default ``WIDTHS``, wider ones on a GPU.
        seconds: about the longest time to take; a width that does not fit into what is left, or into the device's
            memory, is not tried.

    Returns:
        The width with the least time for one step of one slice. On a CPU it changes no bit of a result, only speed
        and memory; on a GPU results agree to rounding. For a task that has no stack, the narrowest.
    """
    widths = widths or (WIDTHS if backend.device == "cpu" else WIDTHS_CUDA)
    if unstackable(task):
        return min(widths)
    deadline = time.perf_counter() + seconds
    costs: dict[int, float] = {}
    for number, width in enumerate(sorted(widths)):
        left = deadline - time.perf_counter()
        narrower = max(costs, default=0)
        if narrower and (WARM_UP + TIMED) * costs[narrower] * width > left:
            break
        try:
            costs[width] = _cost(task, width, backend, left / (len(widths) - number))
        except torch.OutOfMemoryError:
            if not costs:
                raise
            break
    return min(costs, key=costs.__getitem__)


def _cost(task: Task, width: int, backend: Backend, seconds: float) -> float:
    """Seconds for one step of one slice: the shortest of some steps, so that other work on the machine matters less."""
    until = time.perf_counter() + seconds
    count = max(1, round(width / (len(SEEDS) * len(task.learning_rates))))
    members = [CohortMember(each, SEEDS) for each in islice(cycle(_formulas(task)), count)]
    stack = Stack(task, "search", members, Schedule(LAST, (), task.learning_rates), backend=backend)
    stack.advance(WARM_UP)
    times: list[float] = []
    while len(times) < TIMED or (time.perf_counter() < until and stack.step < LAST):
        started = time.perf_counter()
        stack.advance(stack.step + 1).sum().item()  # a number is there when the device has finished
        times.append(time.perf_counter() - started)
    return min(times) / stack.width


def _formulas(task: Task) -> list[Expression]:
    """What is timed: functions of one number, or what fits the task's places."""
    if kinds_of(task) == ("pointwise",):
        return [parse(text) for text in FORMULAS]
    return [in_each_place(task, of_kind) for of_kind in (PLAIN, LEARNED)]
