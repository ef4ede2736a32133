"""A place of a network, declared: what the candidate takes the place of, of which kind it is, how its inputs lie."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

from torch import nn

from evaluators.errors import TaskError
from primitives.errors import nearest
from primitives.layers.call_kinds import kind_of_function

#: What is meant by a place: modules of a type, what has a name that fits a pattern, or calls of a function of torch's.
Match = type[nn.Module] | str | Callable[..., Any]
#: What a candidate is there: a function of one number, a layer with statistics, a gate of x and z, or what a row of
#: entries becomes together, as in softmax.
PlaceKind = Literal["pointwise", "layer", "gate", "row"]
PLACE_KINDS: tuple[PlaceKind, ...] = get_args(PlaceKind)


@dataclass(frozen=True, slots=True)
class Place:
    """An entry of ``Task.replaced`` that says more than what is replaced.

    Args:
        match: a type of modules, a pattern of names, or a function of torch's, as an entry alone is.
        channel_dim: the dimension of channels of the inputs, as torch counts: 1 in (N, C, ...), -1 where they come
            last. None: the layers before say it, else it is guessed. A row's is that of its softmax.
        kind: what the candidate is there. ``"pointwise"``: a function f(x), or a layer with statistics. ``"layer"``:
            the same, with controls that normalise. ``"gate"``: f(x, z) takes the place of act(x) * z, whose act is
            matched; or of a module that is called with two inputs; or of GLU, where x is the second half, which goes
            through the sigmoid. ``"row"``: f takes the place of a softmax, whose dimension holds the channels.
        absorbs: of a layer: types of norms. The one that feeds the place, and nothing else, goes with it.

    Raises:
        TaskError: ``match`` is none of these, ``channel_dim`` is no whole number, ``kind`` is unknown, or ``absorbs``
            is no tuple of types of modules or stands at a place that is no layer.
    """

    match: Match
    channel_dim: int | None = None
    kind: PlaceKind = "pointwise"
    absorbs: tuple[type[nn.Module], ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.match, str | type) and not kind_of_function(self.match):
            raise TaskError(
                f"Place: match: expected a type of modules, a pattern of names, or a function, got {self.match!r}"
            )
        if not isinstance(self.channel_dim, int | None):
            raise TaskError(f"Place: channel_dim: expected a whole number, as 1 or -1, got {self.channel_dim!r}")
        if self.kind not in PLACE_KINDS:
            near = nearest(self.kind, PLACE_KINDS) if isinstance(self.kind, str) else ""
            raise TaskError(f"Place: kind: expected one of {', '.join(PLACE_KINDS)}, got {self.kind!r}{near}")
        if not isinstance(self.absorbs, tuple) or not all(_is_module_type(each) for each in self.absorbs):
            raise TaskError(
                f"Place: absorbs: expected a tuple of types of modules, as in (nn.BatchNorm2d,), got {self.absorbs!r}"
            )
        if self.absorbs and self.kind != "layer":
            raise TaskError(
                f'Place: absorbs: expected kind="layer", whose candidate takes the place of the norm, too, got '
                f"{self.kind!r}"
            )


def _is_module_type(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, nn.Module)


def as_place(entry: Match | Place) -> Place:
    """An entry of ``Task.replaced`` as a place; one alone is pointwise."""
    return entry if isinstance(entry, Place) else Place(entry)
