"""Examples: what a task's data is as tensors, whatever it came as, one example a row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import (  # private, but what torch.func itself is made of; alive since 1.8
    tree_flatten,
    tree_leaves,
    tree_map,
    tree_map_only,
)
from torch.utils.data import Dataset, IterableDataset, TensorDataset, default_collate

from evaluators.errors import TaskError
from evaluators.tasks.base import Inputs, Part, Task


@dataclass(frozen=True, slots=True)
class Examples:
    """Inputs and targets, first dimension the examples.

    Args:
        inputs: a tensor, or a tuple or dict of tensors.
        targets: the same.
        held_out: so many at the end are a set of their own, which validates and tests; 0: a share of all does.
    """

    inputs: Inputs
    targets: Inputs
    held_out: int = 0

    def __len__(self) -> int:
        return len(tensors(self.targets)[0])

    def mapped(self, function: Callable[[Tensor], Tensor]) -> Examples:
        """With a function applied to every tensor."""
        return Examples(mapped(function, self.inputs), mapped(function, self.targets), self.held_out)

    def rows(self, index: Tensor | slice) -> Examples:
        """Some of the examples, in the shape of the index; all are alike there."""
        return replace(self.mapped(lambda tensor: tensor[index]), held_out=0)


def mapped(function: Callable[[Tensor], Tensor], values: Any) -> Any:
    """What a network takes or returns, a tensor or a nest of tensors, with a function applied to every tensor."""
    return function(values) if isinstance(values, Tensor) else tree_map_only(Tensor, function, values)


def joined(parts: Sequence[Any], dim: int = 0) -> Any:
    """What a network returned for several batches as if they had been one; ``dim`` is that of the examples."""
    return tree_map(lambda *of_parts: torch.cat(of_parts, dim=dim), *parts)


def tensors(values: Any) -> list[Tensor]:
    """The tensors of what a network takes or returns, in order."""
    return [leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor)]


_read: WeakKeyDictionary[Task, dict[str, Examples]] = WeakKeyDictionary()


def examples_of(task: Task, part: Part) -> Examples:
    """The examples of a part, those that are held out as a set of their own at the end.

    A ``Dataset`` is read once a task, all at once.

    Raises:
        TaskError: what came is neither a pair of tensors, tuples or dicts of tensors, nor a dataset of a length; or
            inputs and targets differ in length; or what is held out has another form. The message names what came and
            what to do.
    """
    known = _read.setdefault(task, {})
    if part in known:
        return known[part]
    data, held_out = task.data(part), task.held_out(part)
    found = _pair(task, "data", data)
    if held_out is not None:
        found = _appended(task, found, _pair(task, "held_out", held_out))
    if isinstance(data, Dataset) or isinstance(held_out, Dataset):
        known[part] = found
    return found


def _pair(task: Task, method: str, data: object) -> Examples:
    """What ``data`` or ``held_out`` gave."""
    place = f"task {task.name!r}: {method}"
    if isinstance(data, Dataset):
        return _checked(place, _of_dataset(place, data))
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise TaskError(f"{place}: expected a pair, inputs and targets, or a Dataset, got {_kind(data)}")
    return _checked(place, (data[0], data[1]))


def _appended(task: Task, train: Examples, held_out: Examples) -> Examples:
    """Both as one, those that are held out last."""
    if not len(held_out):
        raise TaskError(f"task {task.name!r}: held_out: expected at least one example, or None for a share of data")
    for name in ("inputs", "targets"):
        one, other = (_forms(getattr(each, name)) for each in (train, held_out))
        if one != other:
            raise TaskError(
                f"task {task.name!r}: held_out: {name}: expected the form of data's, {_said(one)}, got {_said(other)}"
            )
    inputs, targets = (joined([getattr(each, name) for each in (train, held_out)]) for name in ("inputs", "targets"))
    return Examples(inputs, targets, held_out=len(held_out))


def _forms(values: Inputs) -> tuple[object, list[str]]:
    """How tensors lie, and the dtype and shape of an example in each."""
    leaves, spec = tree_flatten(values)
    return spec, [f"{leaf.dtype} of shape (n{''.join(f', {size}' for size in leaf.shape[1:])})" for leaf in leaves]


def _said(forms: tuple[object, list[str]]) -> str:
    return ", ".join(forms[1])


def _of_dataset(place: str, data: Dataset[Any]) -> tuple[Any, Any]:
    """Inputs and targets of a dataset of pairs."""
    if isinstance(data, IterableDataset) or not callable(getattr(data, "__len__", None)):
        raise TaskError(
            f"{place}: {type(data).__name__} has no length; expected a Dataset with one, which is "
            "read once, or write a LoopTask, whose loop reads what it needs"
        )
    if isinstance(data, TensorDataset) and len(data.tensors) == 2:
        return data.tensors[0], data.tensors[1]
    pairs = [data[number] for number in range(len(data))]  # type: ignore[arg-type]
    if not pairs or not isinstance(pairs[0], tuple | list) or len(pairs[0]) < 2:
        raise TaskError(
            f"{place}: expected a Dataset of pairs, input and target, but item 0 is "
            f"{_kind(pairs[0]) if pairs else 'missing: it is empty'}"
        )
    *inputs, targets = default_collate([tuple(pair) for pair in pairs])
    return (inputs[0] if len(inputs) == 1 else tuple(inputs)), targets


def _checked(place: str, data: tuple[Any, Any]) -> Examples:
    inputs, targets = _form(f"{place}: inputs", data[0]), _form(f"{place}: targets", data[1])
    lengths = [len(tensor) for tensor in (*tensors(inputs), *tensors(targets))]
    if len(set(lengths)) != 1:
        raise TaskError(
            f"{place}: expected a target for each of {lengths[0]} inputs, got {lengths[-1]}"
            if len(lengths) == 2
            else f"{place}: expected tensors of one length, one example a row, got lengths {lengths}"
        )
    return Examples(inputs, targets)


def _form(place: str, value: Any) -> Inputs:
    """A value in one of the forms that are allowed; a list is a tuple, any mapping a dict."""
    if not isinstance(value, Tensor | tuple | list | np.ndarray) and callable(getattr(value, "keys", None)):
        of_names = {str(key): _tensor(f"{place}[{key!r}]", value[key]) for key in value.keys()}  # noqa: SIM118
        return _filled(place, of_names)
    if isinstance(value, tuple | list):
        return _filled(place, tuple(_tensor(f"{place}[{number}]", part) for number, part in enumerate(value)))
    return _tensor(place, value)


def _tensor(place: str, value: Any) -> Tensor:
    if isinstance(value, np.ndarray):
        raise TaskError(f"{place}: expected a tensor, got a numpy array; torch.from_numpy(array) makes one of it")
    if not isinstance(value, Tensor):
        raise TaskError(f"{place}: expected a tensor, or a tuple or dict of tensors, got {_kind(value)}")
    if value.dim() == 0:
        raise TaskError(f"{place}: expected one example a row, got a single number")
    return value


def _filled(place: str, parts: Inputs) -> Inputs:
    if not len(parts):
        raise TaskError(f"{place}: expected at least one tensor, got an empty {type(parts).__name__}")
    return parts


def _kind(value: object) -> str:
    """A value's type, for a message; of a tuple its length, too."""
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    return f"a {type(value).__name__}"


def digestible_rows(examples: Examples) -> Iterator[bytes]:
    """Of each example its bytes, inputs and targets."""
    parts = [t.detach().cpu().contiguous() for t in (*tensors(examples.inputs), *tensors(examples.targets))]
    for row in range(len(examples)):
        yield b"".join(part[row].reshape(-1).view(torch.uint8).numpy().tobytes() for part in parts)
