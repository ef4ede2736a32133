"""Two makings of a network compared: what a stack holds once for all its models must not differ between them."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from types import FunctionType, MethodType, ModuleType

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.weight_norm import WeightNorm

from evaluators.errors import TaskError
from evaluators.tasks.base import Task
from evaluators.training.initialisation import initial_network

_INTERNAL = frozenset(vars(nn.Module()))


@dataclass(frozen=True, slots=True)
class _Difference:
    """What is at one place of two networks."""

    path: str
    one: object
    other: object


def check_makings(task: Task) -> None:
    """Refuse a network that differs in anything when it is made twice with one seed.

    Raises:
        TaskError: the message names the place, what differs, and the way out.
    """
    for found in _differences(initial_network(task, 0), initial_network(task, 0), values=True):
        way_out = (
            f", by {apart:.0e} at most: what computes it rounds differently from call to call, as torch.linalg.lstsq "
            "does; compute it another way, or once for each seed"
            if (apart := _rounding(found))
            else f"{_shown(found)}; draw with torch's random numbers, which are seeded for each model"
        )
        raise TaskError(f"task {task.name!r}: network: made twice with one seed, {found.path} differs{way_out}")


def unlike_makings(task: Task) -> str:
    """In what but parameters and buffers a network differs between two seeds, for people; "" if in nothing.

    The models of a stack would share the first one's.
    """
    for found in _differences(initial_network(task, 0), initial_network(task, 1), values=False):
        if isinstance(found.one, Tensor | np.ndarray) and type(found.one) is type(found.other):
            return (
                f"{found.path} is no parameter and no buffer and differs from seed to seed; a stack can hold it if it "
                "is registered (register_buffer)"
            )
        return f"{found.path} differs from seed to seed{_shown(found)}"
    return ""


def _rounding(found: _Difference) -> float:
    """The largest difference of two tensors if it is one of rounding, else 0."""
    one, other = found.one, found.other
    if not (isinstance(one, Tensor) and isinstance(other, Tensor)) or one.shape != other.shape:
        return 0.0
    if not (one.is_floating_point() and one.dtype == other.dtype):
        return 0.0
    apart = float((one - other).detach().abs().max())
    return apart if apart < 1e-5 * float(other.detach().abs().max()) else 0.0


def _shown(found: _Difference) -> str:
    """Numbers, text and types; tensors say nothing in a line."""
    if isinstance(found.one, Tensor | np.ndarray) and type(found.one) is type(found.other):
        return ""
    return f" ({_short(found.one)}, then {_short(found.other)})"


def _short(value: object) -> str:
    return repr(value)[:40] if value is None or isinstance(value, int | float | str) else f"a {type(value).__name__}"


def _differences(one: nn.Module, other: nn.Module, *, values: bool) -> Iterator[_Difference]:
    """Where two networks differ: in types, names, numbers, text and tensors, in all that their modules hold.

    Args:
        one, other: of one task.
        values: compare the values of parameters and buffers; else shapes, types, and whether they are trained.
    """
    registered = set() if values else {id(tensor) for tensor in (*one.parameters(), *one.buffers())}
    seen: set[int] = set()
    waiting: list[_Difference] = [_Difference("", one, other)]
    while waiting:
        pair = waiting.pop()
        a, b = pair.one, pair.other
        if a is b or id(a) in seen:
            continue
        if _kind(a) != _kind(b):
            yield pair
        elif isinstance(a, Tensor) and isinstance(b, Tensor):
            if not (_alike(a, b) and (id(a) in registered or _same(a, b))):
                yield pair
        elif isinstance(a, int | float | complex | str | bytes | np.ndarray):
            if not np.array_equal(np.asarray(a), np.asarray(b), equal_nan=isinstance(a, float)):
                yield pair
        else:
            seen.add(id(a))
            mine, others = _parts(a), _parts(b)
            if mine.keys() != others.keys():
                yield _Difference(pair.path or "the network", len(mine), len(others))
            rows = [(name, part) for name, part in mine.items() if name in others]
            waiting += [_Difference(f"{pair.path}.{n}".lstrip("."), part, others[n]) for n, part in reversed(rows)]


def _kind(value: object) -> str:
    """A type's name: parametrised modules have a class each. Of a function the place of its code."""
    if isinstance(value, FunctionType):
        return f"{value.__code__.co_filename}:{value.__code__.co_firstlineno}"
    return f"{type(value).__module__}.{type(value).__qualname__}"


def _alike(a: Tensor, b: Tensor) -> bool:
    return (a.shape, a.dtype, a.requires_grad) == (b.shape, b.dtype, b.requires_grad)


def _same(a: Tensor, b: Tensor) -> bool:
    """Equal, and NaN where the other is."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    return torch.equal(a, b) or bool(((a == b) | ((a != a) & (b != b))).all())


def _parts(value: object) -> dict[str, object]:
    """What a value holds, by name; nothing of what is the same for all, such as a type or a Python module."""
    match value:
        case nn.Module():
            recomputed = {h.name for h in value._forward_pre_hooks.values() if isinstance(h, WeightNorm)}
            plain = {name: part for name, part in vars(value).items() if name not in _INTERNAL | recomputed}
            return {**plain, **value._parameters, **value._buffers, **value._modules}
        case list() | tuple():
            return {str(number): part for number, part in enumerate(value)}
        case dict():
            return {str(name): part for name, part in value.items()}
        case functools.partial():
            return {"func": value.func, "args": value.args, "keywords": value.keywords}
        case MethodType():
            return {"self": value.__self__, "func": value.__func__}
        case FunctionType():
            cells = zip(value.__code__.co_freevars, value.__closure__ or (), strict=True)
            return {name: cell.cell_contents for name, cell in cells}
        case type() | ModuleType():
            return {}
    return dict(getattr(value, "__dict__", {}))
