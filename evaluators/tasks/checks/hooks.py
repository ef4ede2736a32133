"""Hooks on gradients, which a stack does not call."""

from __future__ import annotations

from torch import nn

_OF_MODULES = ("_backward_hooks", "_backward_pre_hooks")
_OF_PARAMETERS = ("_backward_hooks", "_post_accumulate_grad_hooks")


def hooked(network: nn.Module) -> str:
    """What of a network has a hook on its gradients, for people; "" if nothing.

    The numbers need not show it: a hook that clamps does nothing until a gradient is large.
    """
    named = [(name or "the network", each, _OF_MODULES) for name, each in network.named_modules()]
    named += [(name, each, _OF_PARAMETERS) for name, each in network.named_parameters()]
    found = (name for name, each, kinds in named if any(getattr(each, kind, None) for kind in kinds))
    name = next(found, "")
    return f"{name} has a hook on its gradients, which a stack does not call" if name else ""
