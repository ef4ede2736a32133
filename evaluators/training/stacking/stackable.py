"""Whether a network can be stacked: a stack is used only where it equalled one model at a time."""

from __future__ import annotations

import re
import traceback
import warnings
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from evaluators.machine.backend import CPU, Backend
from evaluators.places.each_place import LEARNED, in_each_place
from evaluators.tasks.base import BLOCK, Part, Task
from evaluators.tasks.checks.hooks import hooked
from evaluators.tasks.checks.makings import unlike_makings
from evaluators.tasks.checks.settings import has_current
from evaluators.tasks.loop_task import LoopTask
from evaluators.training.initialisation import initial_network
from evaluators.training.member import CohortMember, Schedule
from evaluators.training.plain import PlainModel
from evaluators.training.stacking.stack import Stack
from primitives.expression.expression import Expression
from primitives.user_file import blame_on

SEEDS, STEPS = (0, 1), 3


@dataclass(frozen=True, slots=True)
class _Precision:
    """In which type both are trained, and how far numbers may differ, relatively."""

    backend: Backend
    tolerance: float


_DOUBLE, _SINGLE = _Precision(Backend(dtype=torch.float64), 1e-9), _Precision(CPU, 1e-4)

#: What torch asks whoever reads its messages to do; nothing of it helps here.
_PLEAS = re.compile(r"[.,]? *(We don't support that|(If said operator.*)?[Pp]lease (file|try)).*")
#: Whose lines say nothing about a network.
_OURS = (str(Path(torch.__file__).parent), str(Path(__file__).parents[2]))

_verdicts: WeakKeyDictionary[Task, str] = WeakKeyDictionary()


def unstackable(task: Task, part: Part = "search") -> str:
    """What keeps the task's network from being stacked, for people; "" if nothing does.

    A stack of two seeds and one model at a time take three steps and are evaluated, with a candidate and, where that is
    the reference, as the network stands, in float64, or in float32 where the network knows that alone. All numbers must
    agree. An exception is not the only sign: tensors in
    plain attributes, structure that is drawn, buffers that are bound anew and Python's random numbers give other
    numbers in silence. Shipped tasks are known to agree; tests show it.

    Raises:
        TaskError, or whatever the network raises: it does not train one model at a time either.
    """
    if isinstance(task, LoopTask):
        return "it has a loop of its own"
    if type(task).__module__.startswith("evaluators.tasks."):
        return ""
    if task not in _verdicts:
        tried = [in_each_place(task, LEARNED, part), *([None] if has_current(task) else [])]
        differences = (difference(task, part, expression) for expression in tried)
        seen = unlike_makings(task) or hooked(initial_network(task, 0))
        _verdicts[task] = seen or next(filter(None, differences), "")
    return _verdicts[task]


def difference(task: Task, part: Part, expression: Expression | None, kind: type[Stack] = Stack) -> str:
    """What a stack of a kind does otherwise than one model at a time, for people; "" if nothing.

    Raises:
        Whatever the network raises when it is trained alone.
    """
    rate = min(task.learning_rates)
    try:
        precision, plain = _DOUBLE, _plain(task, part, rate, expression, backend=_DOUBLE.backend)
    except Exception:  # the network may insist on float32
        precision, plain = _SINGLE, _plain(task, part, rate, expression, backend=_SINGLE.backend)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*performance drop.*")
            stacked = _stacked(kind, task, part, rate, expression, backend=precision.backend)
    except Exception as error:
        return _said(error, task)
    for what, one, other in zip(("training loss", "evaluation"), stacked, plain, strict=True):
        gap = (one - other).abs() > precision.tolerance * other.abs().clamp_min(precision.tolerance)
        if one.shape != other.shape or bool((gap | (one.isnan() != other.isnan())).any()):
            return f"in a stack its {what} differs from that of one model alone"
    return ""


def _said(error: Exception, task: Task) -> str:
    """The first line of what stopped a stack, with a line of the task's file, or else of the network's package."""
    text = blame_on(error, task).partition("\n")[0]
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith(_OURS)]
    if frames and text.startswith(type(error).__name__):
        text = f"{frames[-1].filename}, line {frames[-1].lineno}: {text}"
    return _PLEAS.sub("", text)[:300].rstrip(" .")


def _plain(
    task: Task, part: Part, rate: float, expression: Expression | None, *, backend: Backend
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Losses of the steps, and of the first validation examples, seed by seed."""
    models = [PlainModel(task, part, expression, seed=seed, rate=rate, steps=STEPS, backend=backend) for seed in SEEDS]
    losses = torch.tensor([model.advance(STEPS) for model in models], dtype=torch.float64, device="cpu").T
    with torch.no_grad():
        rows = [model.losses(model.split.validation[:BLOCK]) for model in models]
    return losses, torch.stack(rows).double()


def _stacked(
    kind: type[Stack], task: Task, part: Part, rate: float, expression: Expression | None, *, backend: Backend
) -> tuple[Tensor, Tensor]:  # fmt: skip
    member = CohortMember(expression, SEEDS)
    stack = kind(task, part, [member], Schedule(STEPS, (), (rate,)), backend=backend)
    losses = stack.advance(STEPS).double()
    with torch.no_grad():
        return losses, stack.losses(stack.splits.validation[stack.seed][:, :BLOCK]).double()
