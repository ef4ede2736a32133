"""What differs between two networks of one task, in all that their modules hold."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from types import FunctionType, MethodType, ModuleType

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.weight_norm import WeightNorm

_INTERNAL = frozenset(vars(nn.Module()))


@dataclass(frozen=True, slots=True)
class Difference:
    """What is at one place of two networks."""

    path: str
    one: object
    other: object


def differences(one: nn.Module, other: nn.Module, *, values: bool) -> Iterator[Difference]:
    """Where two networks differ: in types, names, numbers, text and tensors, in all that their modules hold.

    Args:
        one, other: of one task.
        values: compare the values of parameters and buffers; else shapes, types, and whether they are trained.
    """
    registered = set() if values else {id(tensor) for tensor in (*one.parameters(), *one.buffers())}
    seen: set[int] = set()
    waiting: list[Difference] = [Difference("", one, other)]
    while waiting:
        pair = waiting.pop()
        a, b = pair.one, pair.other
        if a is b or id(a) in seen:
            continue
        if _kind(a) != _kind(b):
            yield pair
        elif isinstance(a, Tensor) and isinstance(b, Tensor):
            if not (alike(a, b) and (id(a) in registered or _same(a, b))):
                yield pair
        elif isinstance(a, int | float | complex | str | bytes | np.ndarray):
            if not np.array_equal(np.asarray(a), np.asarray(b), equal_nan=isinstance(a, float)):
                yield pair
        else:
            seen.add(id(a))
            mine, others = _parts(a), _parts(b)
            if mine.keys() != others.keys():
                yield Difference(pair.path or "the network", len(mine), len(others))
            rows = [(name, part) for name, part in mine.items() if name in others]
            waiting += [Difference(f"{pair.path}.{n}".lstrip("."), part, others[n]) for n, part in reversed(rows)]


def recomputed(module: nn.Module) -> set[str]:
    """Attributes that hooks of torch's own compute before each call, from parameters and buffers."""
    hooks = module._forward_pre_hooks.values()
    found = {hook.name for hook in hooks if isinstance(hook, WeightNorm)}
    found |= {hook._tensor_name for hook in hooks if isinstance(hook, BasePruningMethod)}
    return {*found, "_flat_weights"} if found and isinstance(module, nn.RNNBase) else found


def _kind(value: object) -> str:
    """A type's name: parametrised modules have a class each. Of a function the place of its code."""
    if isinstance(value, FunctionType):
        return f"{value.__code__.co_filename}:{value.__code__.co_firstlineno}"
    return f"{type(value).__module__}.{type(value).__qualname__}"


def alike(a: Tensor, b: Tensor) -> bool:
    """Equal in shape and type, and both trained or neither."""
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
            plain = {name: part for name, part in vars(value).items() if name not in _INTERNAL | recomputed(value)}
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
