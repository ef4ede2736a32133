"""A site: one place for a candidate in a network."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from evaluators.places.channels import Channels
from evaluators.tasks.place import PlaceKind
from primitives.layers.call_places import Standing, lead_calls
from primitives.layers.called import make_called
from primitives.layers.factors import Halved, Swapped
from primitives.layers.in_place import InPlace, works_in_place


@dataclass(frozen=True, slots=True)
class Product:
    """The product of an activation's output with something else, which a gate takes the place of.

    Args:
        owner: the module whose ``forward`` multiplies.
        attribute: the call's name there, such as ``mul#1``.
        second: the activation's output is the second factor.
    """

    owner: nn.Module
    attribute: str
    second: bool


@dataclass(frozen=True, slots=True)
class Norm:
    """The norm that feeds a layer's place, and goes with it.

    Args:
        parent: the module that holds it.
        attribute: its name there.
        path: its name in the network.
        module: the norm.
    """

    parent: nn.Module
    attribute: str
    path: str
    module: nn.Module


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
        place_kind: what the candidate is there.
        product: of a gate that is no module, and no call, of two inputs.
        norm: that a layer takes the place of, too.
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
    place_kind: PlaceKind = "pointwise"
    product: Product | None = None
    norm: Norm | None = None

    @property
    def inplace(self) -> bool:
        """True if what stands there writes into its input, and so does what is put there."""
        return self.kind.endswith("_") if self.module is None else works_in_place(self.module)

    @property
    def what(self) -> str:
        """For people: the class of the module, or the call."""
        return f"call of {self.kind}" if self.module is None else type(self.module).__name__

    def put(self, module: nn.Module) -> None:
        """Put a module there. In a gate's place it is called with x and z, whatever form they come in."""
        if self.norm is not None:
            setattr(self.norm.parent, self.norm.attribute, nn.Identity())
        if self.product is not None:
            self._put(nn.Identity())
            setattr(self.product.owner, self.product.attribute, Swapped(module) if self.product.second else module)
            return
        if isinstance(self.module, nn.GLU):
            module = Halved(module, self.module.dim)
        self._put(InPlace(module) if self.inplace else module)

    def _put(self, there: nn.Module) -> None:
        """Put a module where the activation stands, as it is."""
        if self.module is not None:
            _hand_on_hooks(self.module, there)
            if self.among_calls:
                lead_calls(there, {})
        setattr(self.parent, self.attribute, there)
        make_called(self.parent, [there])

    def put_pair(self, factor: nn.Module, product: nn.Module) -> None:
        """Put modules where a gate's activation stands and where its output is multiplied, as they are."""
        assert self.product is not None
        self._put(factor)
        setattr(self.product.owner, self.product.attribute, product)

    def put_plain(self, there: nn.Module) -> None:
        """Put a module where the activation stands, that is called as the activation is."""
        if self.norm is not None:
            setattr(self.norm.parent, self.norm.attribute, nn.Identity())
        self._put(InPlace(there) if self.inplace and not isinstance(there, Standing) else there)

    def restore(self) -> None:
        """Make the network what it was before a module was put there."""
        if self.norm is not None:
            setattr(self.norm.parent, self.norm.attribute, self.norm.module)
        if self.product is not None:
            delattr(self.product.owner, self.product.attribute)
        if self.module is None:
            delattr(self.parent, self.attribute)
        else:
            setattr(self.parent, self.attribute, self.module)

    def standing(self) -> nn.Module:
        """What stands there, as a module, for hooks: of a gate's product its factors, and what it gives."""
        if self.product is not None:
            setattr(self.product.owner, self.product.attribute, product := Standing())
            return product
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
