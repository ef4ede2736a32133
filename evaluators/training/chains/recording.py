"""Recording: a network is called once, and what reaches torch's kernels says whether it is a chain.

It does not matter how the network is written: modules, functions and products of matrices come down to the same few
kernels. Two batches of other sizes must give the same chain, so that nothing of an example reaches another.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from evaluators.machine.light_mode import LightMode
from evaluators.training.chains.chain import Chain, Kind, NotAChain, Step
from evaluators.training.chains.functions import function_of
from evaluators.training.stacking.activation_slot import ActivationSlot

_VIEWS = {"view", "_unsafe_view", "_reshape_alias", "unsqueeze", "squeeze", "alias", "clone", "contiguous"}


@dataclass(frozen=True, slots=True)
class _Weight:
    """A parameter, as it is or transposed."""

    name: str
    is_turned: bool = False


class _Input:
    """The inputs, or something that torch makes of them before any parameter comes in."""


_INPUT = _Input()
_What = int | _Weight | _Input


class _Recorder(LightMode):
    """Notes the steps of a call.

    Attributes:
        steps: so far.
        sizes: of the values so far; value 0 is what the first parameter meets.
        first: the tensor of value 0.
    """

    def __init__(self, network: nn.Module, inputs: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.batch, self.dtype = len(inputs), inputs.dtype
        self.steps: list[Step] = []
        self.sizes: list[int] = []
        self.first: Tensor | None = None
        self._known: dict[int, _What] = {}
        self._kept: list[Tensor] = []  # so that no other tensor gets the number of one that is gone
        self._know(inputs, _INPUT)
        for name, parameter in network.named_parameters():
            if parameter.dtype == self.dtype:  # the engine has one type
                self._know(parameter, _Weight(name))

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name, kwargs = func.overloadpacket.__name__, kwargs or {}
        noted = name.rstrip("_")
        old = self._known.get(id(args[0])) if noted != name and args else None
        output = func(*args, **kwargs)
        tensors = [each for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor)]
        known = [self._known.get(id(each)) for each in tensors]
        if name == "empty_like" or not any(each is not None for each in known):  # of a slot's output; of constants
            return output
        if self.first is not None and (old is _INPUT or old == 0):
            raise NotAChain(f"{name}, which writes over its inputs")
        if not any(isinstance(each, int | _Weight) for each in known):
            for each in tree_leaves(output):
                if isinstance(each, Tensor):
                    self._know(each, _INPUT)
            return output
        if None in known:
            raise NotAChain(f"{noted} with a tensor that is no parameter")
        result = output[0] if isinstance(output, tuple) else output
        self._note(noted, args, kwargs, result)
        if isinstance(old, int):
            self._renew(old, result)
        return output

    def number(self, tensor: object) -> int | None:
        """The number of the value that a tensor holds, if it holds one; what is made of inputs becomes value 0."""
        found = self._known.get(id(tensor))
        if isinstance(tensor, Tensor) and found is _INPUT and self.first is None:
            self.first = tensor
            return self._value(tensor)
        return found if isinstance(found, int) else None

    def slot(self, number: int, x: Tensor) -> Tensor:
        """Note the place of the candidate; returns a tensor for its output."""
        source = self._source(x)
        self._whole(x)
        output = torch.empty_like(x)
        self._step(Kind.ACTIVATION, source, output, slot=number)
        return output

    def _know(self, tensor: Tensor, what: _What) -> None:
        self._known[id(tensor)] = what
        self._kept.append(tensor)

    def _value(self, tensor: Tensor) -> int:
        self._whole(tensor)
        self.sizes.append(tensor.numel() // self.batch)
        self._know(tensor, len(self.sizes) - 1)
        return len(self.sizes) - 1

    def _whole(self, tensor: Tensor) -> None:
        if not tensor.is_contiguous() or tensor.numel() % self.batch:
            raise NotAChain("values in another order than example after example")
        if tensor.dtype != self.dtype:
            raise NotAChain(f"values in {str(tensor.dtype).removeprefix('torch.')}")

    def _renew(self, old: int, tensor: Tensor) -> None:
        """A value was written over: whoever shares its memory holds the new one."""
        memory, new = tensor.untyped_storage().data_ptr(), self._known[id(tensor)]
        for each in self._kept:
            if self._known[id(each)] == old and each.untyped_storage().data_ptr() == memory:
                self._known[id(each)] = new

    def _source(self, tensor: Tensor) -> int:
        number = self.number(tensor)
        if number is None:
            raise NotAChain("a parameter, or something else of its inputs, where a value was expected")
        return number

    def _step(self, kind: Kind, source: int, output: Tensor, **settings: Any) -> None:
        self.steps.append(Step(kind=kind, source=source, target=self._value(output), **settings))

    def _rows(self, tensor: Tensor, width: int) -> int:
        rows = tensor.numel() // width
        if rows % self.batch:
            raise NotAChain("rows that are made of several examples")
        return rows // self.batch

    def _note(self, name: str, args: Sequence[Any], kwargs: Any, output: Tensor) -> None:
        first = self._known.get(id(args[0])) if args else None
        if name in {"t", "transpose", "permute"} and isinstance(first, _Weight) and output.dim() == 2:
            swaps = (output.shape, output.stride()) != (args[0].shape, args[0].stride())
            self._know(output, _Weight(first.name, first.is_turned != swaps))
        elif name in _VIEWS and isinstance(first, int | _Weight):
            self._look(first, args[0], output)
        elif name == "copy" and isinstance(known := self._known[id(args[1])], int) and args[0].shape == args[1].shape:
            self._know(output, known)
        elif name in {"mm", "addmm"} and not kwargs:
            self._product(name, args, output)
        elif name == "native_layer_norm":
            self._norm(args, output)
        elif name == "add" and len(args) == 2 and isinstance(args[1], Tensor):
            self._add(args, output, **kwargs)
        elif isinstance(first, int) and (function := function_of(name, args[1:], kwargs)):
            self._step(Kind.ACTIVATION, first, output, function=function)
        else:
            raise NotAChain(name)

    def _look(self, what: int | _Weight, before: Tensor, after: Tensor) -> None:
        """Another view of the same numbers in the same order."""
        if before.numel() != after.numel() or not after.is_contiguous():
            raise NotAChain("values in another order than example after example")
        if isinstance(what, _Weight) and before.shape != after.shape:
            raise NotAChain("a parameter in another shape")
        self._know(after, what)

    def _product(self, name: str, args: Sequence[Any], output: Tensor) -> None:
        *bias, x, w = args
        weight, added = self._known[id(w)], self._known[id(bias[0])] if bias else _Weight("")
        if (
            not isinstance(weight, _Weight)
            or not isinstance(added, _Weight)
            or (bias and bias[0].shape != output.shape[1:])
        ):
            raise NotAChain(f"{name} of other things than a value and parameters")
        self._step(
            Kind.LINEAR, self._source(x), output, weight=weight.name, bias=added.name,
            is_turned=not weight.is_turned, rows=self._rows(x, x.shape[-1]), inputs=x.shape[-1],
            outputs=output.shape[-1],
        )  # fmt: skip

    def _norm(self, args: Sequence[Any], output: Tensor) -> None:
        x, shape, *scales, epsilon = args
        known = [_Weight("") if each is None else self._known[id(each)] for each in scales]
        if not all(isinstance(each, _Weight) and not each.is_turned for each in known):
            raise NotAChain("native_layer_norm by values")
        width = math.prod(shape)
        weight, bias = (each.name for each in known if isinstance(each, _Weight))
        self._step(
            Kind.NORM, self._source(x), output, weight=weight, bias=bias, rows=self._rows(x, width), inputs=width,
            outputs=width, epsilon=float(epsilon),
        )  # fmt: skip

    def _add(self, args: Sequence[Any], output: Tensor, alpha: float = 1.0) -> None:
        pair = [self._known[id(each)] for each in args]
        if not any(isinstance(each, _Weight) for each in pair) and args[0].shape == args[1].shape:
            first, second = (self._source(each) for each in args)
            self._step(Kind.SUM, first, output, other=second, scale=float(alpha))
            return
        x, bias = args if isinstance(pair[1], _Weight) else args[::-1]
        added = self._known[id(bias)]
        if not isinstance(added, _Weight) or bias.shape != x.shape[-1:] or alpha != 1:
            raise NotAChain("add of other shapes")
        width = x.shape[-1]
        self._step(
            Kind.BIAS, self._source(x), output, bias=added.name, rows=self._rows(x, width), inputs=width, outputs=width
        )


@contextmanager
def instead(slots: Sequence[ActivationSlot], forwards: Iterable[Callable[..., Tensor]]) -> Iterator[None]:
    """A context in which the places of the candidate do something else."""
    for slot, forward in zip(slots, forwards, strict=False):
        slot.forward = forward  # type: ignore[method-assign]
    try:
        yield
    finally:
        for slot in slots:
            del slot.forward


def _note_of(recorder: _Recorder, number: int) -> Callable[..., Tensor]:
    def note(x: Tensor, z: Tensor | None = None) -> Tensor:
        if z is not None:
            raise NotAChain("a place of two inputs")
        return recorder.slot(number, x)

    return note


def _state(network: nn.Module) -> list[object]:
    """What a network may count its calls in: buffers, told by their versions, and plain attributes."""
    buffers = [(id(buffer), buffer._version) for buffer in network.buffers()]
    plain = [(key, v) for m in network.modules() for key, v in vars(m).items() if isinstance(v, int | float | str)]
    return [buffers, plain]


@torch.no_grad()
def recorded(
    network: nn.Module, call: Callable[[Tensor], object], inputs: Tensor, slots: Sequence[ActivationSlot]
) -> tuple[Chain, Tensor]:
    """The chain that a network is, and what its first step takes: the inputs, or what torch makes of them.

    Args:
        network: whose parameters are looked for; in the mode that it is trained in.
        call: of inputs, gives what goes to the loss.
        inputs: of some examples, shape (examples, ...).
        slots: the places of the candidate.

    Raises:
        NotAChain: it does something else.
    """
    inputs = inputs.clone(memory_format=torch.contiguous_format)  # a network may write into them
    recorder, before = _Recorder(network, inputs), _state(network)
    with instead(slots, map(partial(_note_of, recorder), count())), recorder:
        output = call(inputs)
    if _state(network) != before:
        raise NotAChain("a state that its calls change")
    number = recorder.number(output)
    if not isinstance(output, Tensor) or number is None or output.shape[:1] != inputs.shape[:1]:
        raise NotAChain("an output that is made of something else")
    assert recorder.first is not None
    chain = Chain(tuple(recorder.steps), tuple(recorder.sizes), number, tuple(output.shape[1:]), len(slots))
    return chain, recorder.first.flatten(1)
