"""Calls of functions as places: ``F.relu(x)`` in a module's ``forward`` becomes the call of a child of that module.

The class of the module whose ``forward`` makes the calls is swapped for a subclass whose ``forward`` runs under a
``TorchFunctionMode`` of its own, and what takes the place of a call is a real child, such as ``relu#2`` for the second
ReLU of the forward pass, or ``mul#1`` for the first product, where that is a gate. So state dicts, copies,
compilation, export and checkpointed submodules work as they did. A mode around a whole model would lose the calls that
checkpointing repeats in the backward pass.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from primitives.errors import ExpressionError
from primitives.layers.call_kinds import PRODUCT, Function, inputs_of, is_activation, kind_of_call

#: Of which place a child is that stands for all calls of its kind in a forward pass.
ALL = "all"


class Standing(nn.Module):
    """In a call's place, the call itself: for hooks, which look at inputs and outputs."""

    def forward(
        self,
        x: Tensor,
        function: Function | None = None,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> Tensor:
        """The call as it was written; ``x`` is the input among its arguments.

        Raises:
            ExpressionError: there is no call; a module calls its children one after the other, and this is one now.
        """
        if function is None:
            raise ExpressionError(
                "a module that calls all its children, as nn.Sequential does, calls an activation's function, too; "
                "make that call a module, such as nn.ReLU(), in a module around it"
            )
        result: Tensor = function(*args, **(kwargs or {}))
        return result


class _Calls(TorchFunctionMode):
    """Leads the calls that one module makes in one forward pass to its children."""

    def __init__(self, owner: nn.Module) -> None:
        self.owner = owner
        self.numbers: dict[str, int] = {}

    def __torch_function__(
        self, function: Function, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, object] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        kind = kind_of_call(function, args, kwargs)
        if not kind:
            return function(*args, **kwargs)
        led = is_activation(kind) or kind in vars(self.owner).get("calls_seen", ())
        child = self._child(kind) if led else None
        # what is computed here is no call of the modules around this one, which have modes, too
        with torch._C.DisableTorchFunction():
            if child is None:
                return function(*args, **kwargs)
            inputs = inputs_of(kind, args, kwargs)
            return child(inputs[0], function, args, kwargs) if isinstance(child, Standing) else child(*inputs)

    def check_products(self) -> None:
        """Refuse another number of products than was seen: with fewer of them another one would be a place's.

        Raises:
            ExpressionError: the message names the module's class.
        """
        seen = vars(self.owner).get("calls_seen", {})
        for kind in (PRODUCT, f"{PRODUCT}_"):
            if kind in seen and self.numbers.get(kind, 0) != seen[kind]:
                raise ExpressionError(
                    f"{type(self.owner).__name__}: expected {seen[kind]} products in a forward pass, as when its "
                    f"places were found, got {self.numbers.get(kind, 0)}; give the gate's product a module around it"
                )

    def _child(self, kind: str) -> nn.Module | None:
        """What takes the place of the next call of that kind."""
        number = self.numbers[kind] = self.numbers.get(kind, 0) + 1
        children = self.owner._modules
        most = vars(self.owner).get("calls_seen", {}).get(kind, number)
        if (child := children.get(f"{kind}#{ALL}")) is not None or number <= most:
            return children.get(f"{kind}#{number}") if child is None else child
        raise ExpressionError(
            f"{type(self.owner).__name__}: expected {most} calls of {kind} in a forward pass, as when its places were "
            f"found, got {number}; give each call a module of its own"
        )


_LED: dict[type[nn.Module], type[nn.Module]] = {}


def _led(kind: type[nn.Module]) -> type[nn.Module]:
    """The subclass of a class whose forward passes lead calls to children, one for each class."""
    if kind not in _LED:
        _LED[kind] = _subclass(kind)
    return _LED[kind]


def _subclass(kind: type[nn.Module]) -> type[nn.Module]:
    """The subclass whose forward passes lead calls to children; its name is that of the class."""

    def forward(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        calls = _Calls(self)
        with calls:
            result = kind.forward(self, *args, **kwargs)
        calls.check_products()
        return result

    def reduced(self: nn.Module, protocol: Any) -> Any:
        return _blank, (kind,), self.__getstate__()

    def copied(self: nn.Module, memo: dict[int, Any]) -> nn.Module:
        blank = memo[id(self)] = _blank(kind)
        vars(blank).update(copy.deepcopy(vars(self), memo))
        return blank

    names: dict[str, object] = {name: getattr(kind, name) for name in ("__module__", "__qualname__", "__doc__")}
    if hasattr(kind, "__deepcopy__"):  # one of the class's own may make the module anew, without what is placed there
        names["__deepcopy__"] = copied
    names |= {"forward": forward, "__reduce_ex__": reduced, "leads_calls": True}
    return type(kind.__name__, (kind,), names)


def _blank(kind: type[nn.Module]) -> nn.Module:
    """What a copy or an unpickled module begins as."""
    blank: nn.Module = _led(kind).__new__(_led(kind))
    return blank


def leads_calls(module: nn.Module) -> bool:
    """True for a module whose calls go to its children."""
    return bool(getattr(type(module), "leads_calls", False))  # a module may hand on the attributes of one within it


def can_lead(module: nn.Module) -> bool:
    """True for a module whose ``forward`` is its class's, in Python."""
    return "forward" not in vars(module) and not isinstance(module, torch.jit.ScriptModule | torch.fx.GraphModule)


def lead_calls(module: nn.Module, seen: Mapping[str, int]) -> None:
    """Make the calls of activations that a module's ``forward`` makes go to its children of their names.

    The second call of ``F.relu`` in a forward pass goes to the child ``relu#2``, or to ``relu#all`` if there is one;
    without either it stays what it is. What children of the module call is not the module's: lead their calls, too.

    Args:
        module: made by a class with a ``forward`` in Python; its class becomes a subclass.
        seen: by kind, how many calls a forward pass makes. More are an error where there is no ``#all``: a call that
            stays what it is where another is replaced would be wrong in silence. Calls that are no activations, such
            as products, are led where their kind is among these.

    Raises:
        ExpressionError: the module's ``forward`` is not its class's; on call: there are more calls than were seen, or
            another number of products.
    """
    if not can_lead(module):
        raise ExpressionError(
            f"{type(module).__name__}: its forward is not that of its class, so its calls of {', '.join(seen)} cannot "
            "be replaced; make them modules"
        )
    if not leads_calls(module):
        module.__class__ = _led(type(module))
    vars(module)["calls_seen"] = dict(seen)
