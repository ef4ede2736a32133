"""Which members the native engine trains; torch trains the others, candidate by candidate."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import torch

from evaluators.machine.backend import Backend
from evaluators.native.library import library
from evaluators.places.each_place import LEARNED, in_each_place
from evaluators.tasks.base import Part, Task
from evaluators.training.chains.chain import Chain, Kind
from evaluators.training.chains.chains import found
from evaluators.training.chains.formulas import code_of
from evaluators.training.chains.native_stack import NativeStack
from evaluators.training.stacking.stackable import difference
from primitives.equivalence.builtin import as_builtin
from primitives.errors import LoweringError
from primitives.expression.expression import Expression, at_place

_verdicts: WeakKeyDictionary[Task, dict[bool, str]] = WeakKeyDictionary()


def not_native(task: Task, part: Part, expression: Expression | None, backend: Backend) -> str:
    """Why the native engine does not train a function on a task, for people; "" if it does.

    A network that is no shipped one is trained for three steps by the engine and one model at a time, in float64; its
    numbers must agree to 1e-9.

    Args:
        task: whose network and loss are looked at, once.
        part: of the data.
        expression: the function; None for the network as it stands.
        backend: device and types.

    Raises:
        EvaluationError: the variable that turns the engine off has another value.
    """
    if backend.device != "cpu" or backend.autocast or backend.dtype not in (torch.float32, torch.float64):
        return "the engine trains on the CPU, in float32 or float64"
    if library(backend.dtype == torch.float64) is None:
        return "there is no engine here"
    own = found(task, part, current=expression is None, backend=backend)
    if own.chain is None:
        return own.reason
    if expression is not None and (why := _unwritten(own.chain, expression)):
        return why
    return _verdict(task, part, current=expression is None)


def _unwritten(chain: Chain, expression: Expression) -> str:
    """What keeps a candidate from being bytecode in each place."""
    places = [step.slot for step in chain.steps if step.kind == Kind.ACTIVATION and step.slot is not None]
    try:
        for place in dict.fromkeys(places):
            code_of(as_builtin(at_place(expression, place, chain.places)))
    except LoweringError as error:
        return str(error)
    return ""


def _verdict(task: Task, part: Part, *, current: bool) -> str:
    """What the engine does otherwise than one model at a time, for a network of a user's."""
    if type(task).__module__.startswith("evaluators.tasks."):
        return ""
    known = _verdicts.setdefault(task, {})
    if current not in known:
        tried = None if current else in_each_place(task, LEARNED, part)
        known[current] = difference(task, part, tried, NativeStack)
    return known[current]
