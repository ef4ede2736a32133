"""Kinds of calls that a child of a module can take the place of: activations, products, halves that meet, softmax."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Function = Callable[..., Any]

#: torch's elementwise activations that are functions, by name; first those that are like ReLU.
RECTIFYING = (
    "celu",
    "elu",
    "gelu",
    "hardswish",
    "leaky_relu",
    "mish",
    "prelu",
    "relu",
    "relu6",
    "rrelu",
    "selu",
    "silu",
)
_BOUNDED = ("hardsigmoid", "hardtanh", "logsigmoid", "sigmoid", "sin", "softplus", "softsign", "tanh")
_NAMES = (*RECTIFYING, *_BOUNDED, "hardshrink", "softshrink", "tanhshrink", "threshold")

#: Of two inputs: a product; the halves of one tensor, of which the second goes through a sigmoid.
PRODUCT, HALVES = "mul", "glu"
#: Of one dimension's entries together.
ROW = "softmax"


def _named(names: tuple[str, ...]) -> Iterator[tuple[Function, str]]:
    """Each function with its name; ``torch.relu_`` and ``Tensor.relu_`` have the name ``relu_``."""
    for name in names:
        for home in (F, torch, Tensor):
            for spelled in (name, f"{name}_"):
                if callable(function := getattr(home, spelled, None)):
                    yield function, spelled


def _inplace_at() -> Iterator[tuple[Function, int]]:
    """Where a function takes ``inplace``, counted from its first argument."""
    for name in _NAMES:
        function = getattr(F, name, None)
        if inspect.isfunction(function) and "inplace" in (names := list(inspect.signature(function).parameters)):
            yield function, names.index("inplace")


# plain dicts: torch.compile cannot look into others
_ACTIVATIONS: Mapping[Function, str] = {
    **dict(_named(_NAMES)),
    torch.special.expit: "sigmoid",
    Tensor.arctan: "atan",
}
_OTHERS: Mapping[Function, str] = {
    **dict.fromkeys((torch.mul, torch.multiply, Tensor.mul, Tensor.multiply, operator.mul), PRODUCT),
    **dict.fromkeys((Tensor.mul_, Tensor.multiply_, operator.imul), f"{PRODUCT}_"),
    F.glu: HALVES,
    **dict.fromkeys((F.softmax, torch.softmax, Tensor.softmax, torch.special.softmax), ROW),
}
_INPLACE_AT: Mapping[Function, int] = dict(_inplace_at())


def is_activation(kind: str) -> bool:
    """True for a kind of elementwise activations."""
    return bool(kind) and kind.removesuffix("_") not in (PRODUCT, HALVES, ROW)


def kind_of_call(function: Function, args: tuple[Any, ...], kwargs: Mapping[str, object]) -> str:
    """The kind of a call of a function of torch's, or "".

    All spellings have one name: ``F.relu(x)``, ``torch.relu(x)`` and ``x.relu()`` are ``"relu"``, ``x * z`` is
    ``"mul"``. Calls that write into their input have another one: ``"relu_"``. A call that writes into another tensor,
    or is of whole numbers, has none, and nor has a product with a number.
    """
    kind = _ACTIVATIONS.get(function, "") or _OTHERS.get(function, "")
    if not kind or kwargs.get("out") is not None or not all(map(_is_floating, _given(kind, args, kwargs))):
        return ""
    if (at := _INPLACE_AT.get(function)) and (args[at] if len(args) > at else kwargs.get("inplace", False)):
        return f"{kind}_"
    return kind


def _is_floating(value: object) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point()


def _given(kind: str, args: tuple[Any, ...], kwargs: Mapping[str, object]) -> tuple[Any, ...]:
    """The tensors among the arguments of a call, as they are given."""
    first = args[0] if args else kwargs["input"]
    if kind.removesuffix("_") != PRODUCT:
        return (first,)
    return first, args[1] if len(args) > 1 else kwargs.get("other")


def inputs_of(kind: str, args: tuple[Any, ...], kwargs: Mapping[str, object]) -> tuple[Tensor, ...]:
    """What takes the place of a call is called with: its input, in the type that a softmax computes in; both factors
    of a product; of halves the second, which goes through the sigmoid, and the first.
    """
    given = _given(kind, args, kwargs)
    if kind == HALVES:
        dim = dim_of(args, kwargs)
        first, second = given[0].chunk(2, dim=-1 if dim is None else dim)
        return second, first
    if kind == ROW:
        return (given[0].to(_softmax_type(args, kwargs) or given[0].dtype),)
    return given


def _softmax_type(args: tuple[Any, ...], kwargs: Mapping[str, object]) -> torch.dtype | None:
    """``dtype``, the last argument, whichever spelling it is."""
    last = kwargs.get("dtype", args[-1] if len(args) > 2 else None)
    return last if isinstance(last, torch.dtype) else None


def dim_of(args: tuple[Any, ...], kwargs: Mapping[str, object]) -> int | None:
    """The dimension that a call of softmax or GLU names; None: it names none."""
    dim = args[1] if len(args) > 1 else kwargs.get("dim")
    return dim if isinstance(dim, int) else None


def kind_of_function(function: object) -> str:
    """The kind of calls of a function of torch's, or ""; products have no names of their own."""
    if not callable(function):
        return ""
    kind = _ACTIVATIONS.get(function, "") or _OTHERS.get(function, "")
    return "" if kind.startswith(PRODUCT) else kind
