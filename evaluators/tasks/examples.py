"""Examples: what a task's data is as tensors, whatever it came as, one example a row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import (  # private, but what torch.func itself is made of; alive since 1.8
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
    """

    inputs: Inputs
    targets: Inputs

    def __len__(self) -> int:
        return len(tensors(self.targets)[0])

    def mapped(self, function: Callable[[Tensor], Tensor]) -> Examples:
        """With a function applied to every tensor."""
        return Examples(mapped(function, self.inputs), mapped(function, self.targets))

    def rows(self, index: Tensor | slice) -> Examples:
        """Some of the examples, in the shape of the index."""
        return self.mapped(lambda tensor: tensor[index])


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
    """The examples of a part. A ``Dataset`` is read once a task, all at once.

    Raises:
        TaskError: what came is neither a pair of tensors, tuples or dicts of tensors, nor a dataset of a length; or
            inputs and targets differ in length. The message names what came and what to do.
    """
    known = _read.setdefault(task, {})
    if part in known:
        return known[part]
    data: Any = task.data(part)
    if isinstance(data, Dataset):
        known[part] = _checked(task, _of_dataset(task, data))
        return known[part]
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise TaskError(
            f"task {task.name!r}: data: expected a pair, inputs and targets, or a Dataset, got {_kind(data)}"
        )
    return _checked(task, (data[0], data[1]))


def _of_dataset(task: Task, data: Dataset[Any]) -> tuple[Any, Any]:
    """Inputs and targets of a dataset of pairs."""
    if isinstance(data, IterableDataset) or not callable(getattr(data, "__len__", None)):
        raise TaskError(
            f"task {task.name!r}: data: {type(data).__name__} has no length; expected a Dataset with one, which is "
            "read once, or write a LoopTask, whose loop reads what it needs"
        )
    if isinstance(data, TensorDataset) and len(data.tensors) == 2:
        return data.tensors[0], data.tensors[1]
    pairs = [data[number] for number in range(len(data))]  # type: ignore[arg-type]
    if not pairs or not isinstance(pairs[0], tuple | list) or len(pairs[0]) < 2:
        raise TaskError(
            f"task {task.name!r}: data: expected a Dataset of pairs, input and target, but item 0 is "
            f"{_kind(pairs[0]) if pairs else 'missing: it is empty'}"
        )
    *inputs, targets = default_collate([tuple(pair) for pair in pairs])
    return (inputs[0] if len(inputs) == 1 else tuple(inputs)), targets


def _checked(task: Task, data: tuple[Any, Any]) -> Examples:
    inputs, targets = (_form(task, name, value) for name, value in zip(("inputs", "targets"), data, strict=True))
    lengths = [len(tensor) for tensor in (*tensors(inputs), *tensors(targets))]
    if len(set(lengths)) != 1:
        raise TaskError(
            f"task {task.name!r}: data: expected a target for each of {lengths[0]} inputs, got {lengths[-1]}"
            if len(lengths) == 2
            else f"task {task.name!r}: data: expected tensors of one length, one example a row, got lengths {lengths}"
        )
    return Examples(inputs, targets)


def _form(task: Task, name: str, value: Any) -> Inputs:
    """A value in one of the forms that are allowed; a list is a tuple, any mapping a dict."""
    place = f"task {task.name!r}: data: {name}"
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
