"""Kinds of activations: which modules are some, and which a candidate takes the place of where nobody has said."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.modules import activation

from evaluators.places.watching import as_it_was
from evaluators.training.randomness import own_random_numbers
from primitives.layers.call_kinds import RECTIFYING

#: torch's activations whose outputs depend on more than one element of the input.
NOT_ELEMENTWISE = (nn.GLU, nn.LogSoftmax, nn.MultiheadAttention, nn.Softmax, nn.Softmax2d, nn.Softmin)
_ELEMENTWISE = tuple(
    kind for kind in (getattr(activation, name) for name in activation.__all__) if kind not in NOT_ELEMENTWISE
)


def family_name(kind: str) -> str:
    """A kind's name as it is in the sets: ``leaky_relu_`` is ``leakyrelu``."""
    return kind.replace("_", "").lower()


#: The kinds that a candidate takes the place of by default, and those that it takes where there is none of these.
#: Others are taken by name only: sigmoid and softplus are gates and scales more often than activations.
RECTIFIERS = frozenset(map(family_name, RECTIFYING)) | {"swish"}
BOUNDED = frozenset({"tanh", "hardtanh", "softsign"})


def kind_of_module(module: nn.Module, calls: Iterable[str] = ()) -> str:
    """The kind of a module that is an activation: by its class's name, else by what it calls; "" for others.

    Args:
        module: an activation, such as timm's ``GELUTanh`` or ``nn.GELU``, both ``"gelu"``.
        calls: kinds of the functions that its forward pass calls.
    """
    text = family_name(type(module).__name__)
    for family in (RECTIFIERS, BOUNDED):
        if within := [kind for kind in family if kind in text]:
            return max(within, key=len)
    kinds = {family_name(kind) for kind in calls}
    return next(iter(sorted(kinds & RECTIFIERS) or sorted(kinds & BOUNDED)), "")


def may_be_activation(module: nn.Module) -> bool:
    """True for torch's elementwise activations, and for others' modules without parts that have no parameters or are
    named as an activation is; whether these are elementwise shows in :func:`is_elementwise`.
    """
    if isinstance(module, _ELEMENTWISE):
        return True
    if type(module).__module__.startswith("torch."):
        return False
    plain = not any(True for _ in module.parameters()) or kind_of_module(module) != ""
    return plain and not any(True for _ in module.children())


@torch.no_grad()
def is_elementwise(module: nn.Module, shape: tuple[int, ...]) -> bool:
    """True if each element of a module's output depends on the element of its input at that place alone.

    The module is called twice, in eval mode, on numbers of that shape and its parameters' type; in the second call half
    of them, drawn, are others. One that fails is not elementwise. The module stays as it was.
    """
    if isinstance(module, _ELEMENTWISE):
        return True
    if isinstance(module, NOT_ELEMENTWISE):
        return False
    like = next(module.parameters(), torch.empty(()))
    x = torch.linspace(-2.0, 2.0, math.prod(shape), dtype=like.dtype, device=like.device).view(shape)
    drawn = torch.randperm(x.numel(), generator=torch.Generator("cpu").manual_seed(0), device="cpu")
    changed = (drawn % 2 == 0).view(shape).to(x.device)
    try:
        with own_random_numbers(), as_it_was(module):
            module.eval()
            first, second = (module(each) for each in (x.clone(), torch.where(changed, x * 0.5 + 1.0, x)))
    except Exception:
        return False
    if not isinstance(first, Tensor) or first.shape != x.shape:
        return False
    return torch.equal(first[~changed].nan_to_num(), second[~changed].nan_to_num())
