"""Where the outputs of a network's modules and of its calls go: who takes them, and who gives a place its input."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn
from torch.utils.weak import WeakTensorKeyDictionary


@dataclass(frozen=True, slots=True)
class Made:
    """A call of a function: the module that makes it, its kind, and its number in the forward pass."""

    owner: nn.Module
    kind: str
    number: int


#: A module, at one of its places, or a call.
Point = nn.Module | Made


@dataclass(frozen=True, slots=True)
class Use:
    """A function that takes a tensor.

    Args:
        by: the module or call that does; or a function's name, where it is neither a place nor a call that is known.
        position: of the tensor among the arguments.
        shapes: of all tensors among them.
    """

    by: Point | str
    position: int
    shapes: tuple[tuple[int, ...], ...]


@dataclass(slots=True)
class Flows:
    """What was seen of some tensors.

    Args:
        uses: of the outputs of each module and call.
        sources: for each module and call, for each of its calls the modules and calls whose output its input is.
        times: how many outputs of each were seen.
    """

    uses: dict[Point, list[Use]] = field(default_factory=lambda: defaultdict(list))
    sources: dict[Point, list[tuple[Point, ...]]] = field(default_factory=lambda: defaultdict(list))
    times: dict[Point, int] = field(default_factory=lambda: defaultdict(int))
    _made: Any = field(default_factory=WeakTensorKeyDictionary)

    def called(self, by: Point, x: object) -> None:
        """A module or call gets its input."""
        self.sources[by].append(self._origins(x))

    def left(self, module: nn.Module, output: object) -> None:
        """A module has returned; one that hands its input on, such as ``nn.Identity``, is one more origin of it."""
        if isinstance(output, Tensor):
            self._made[output] = (*self._origins(output), module)
            self.times[module] += 1

    def taken(
        self, function: Callable[..., Any], args: Sequence[object], by: Point | str, result: object, made: Made | None
    ) -> None:
        """A function of torch's has taken its arguments and returned."""
        given = list(_tensors(args))
        name = getattr(function, "__name__", "")
        writes = name == "__setitem__" or (name.endswith("_") and not name.startswith("__"))
        makes = any(True for _ in _tensors([result]))
        if (makes or writes) and (writes or not any(result is each for each in given)):
            shapes = tuple(tuple(each.shape) for each in given)
            for position, each in enumerate(given):
                for origin in self._origins(each):
                    self.uses[origin].append(Use(by, position, shapes))
        if writes and given:
            self._made.pop(given[0], None)
        if made is not None and isinstance(result, Tensor):
            self._made[result] = (made,)
            self.times[made] += 1

    def _origins(self, x: object) -> tuple[Point, ...]:
        return self._made.get(x, ()) if isinstance(x, Tensor) else ()


def _tensors(values: Iterable[object]) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from _tensors(value)
