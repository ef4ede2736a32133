"""A site: one place for a candidate in a network."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from evaluators.places.channels import Channels
from primitives.layers.call_places import Standing, lead_calls
from primitives.layers.called import make_called
from primitives.layers.in_place import InPlace, works_in_place


@dataclass(frozen=True, slots=True)
class Site:
    """A module, or a call of a function, that is an activation.

    Args:
        parent: the module that holds it, or whose ``forward`` makes the call.
        attribute: its name there; of a call its kind and number, such as ``relu#2``, or ``relu#all``.
        path: its name in the network.
        kind: such as ``"gelu"``; "" if it is not known.
        module: what stands there; None for a call.
        shapes: of its inputs, each once; there are none if it is never used.
        inputs: their channels.
        elementwise: false for a module of which one output depends on several elements of the input.
        among_calls: candidates take the places of calls, so what a module here calls must be kept from them.
    """

    parent: nn.Module
    attribute: str
    path: str
    kind: str
    module: nn.Module | None
    shapes: tuple[tuple[int, ...], ...]
    inputs: Channels
    elementwise: bool = True
    among_calls: bool = False

    @property
    def inplace(self) -> bool:
        """True if what stands there writes into its input, and so does what is put there."""
        return self.kind.endswith("_") if self.module is None else works_in_place(self.module)

    @property
    def what(self) -> str:
        """For people: the class of the module, or the call."""
        return f"call of {self.kind}" if self.module is None else type(self.module).__name__

    def put(self, module: nn.Module) -> None:
        """Put a module there."""
        there = InPlace(module) if self.inplace else module
        if self.module is not None:
            _hand_on_hooks(self.module, there)
            if self.among_calls:
                lead_calls(there, {})
        setattr(self.parent, self.attribute, there)
        make_called(self.parent, [there])

    def standing(self) -> nn.Module:
        """What stands there, as a module, for hooks."""
        if self.module is not None:
            return self.module
        setattr(self.parent, self.attribute, standing := Standing())
        return standing


#: Where torch keeps what a user has registered on a module, to be called with it.
_HOOKS = (
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
)


def _hand_on_hooks(old: nn.Module, new: nn.Module) -> None:
    """Give what takes a module's place the hooks that are registered on it."""
    for name in _HOOKS:
        getattr(new, name).update(getattr(old, name))
