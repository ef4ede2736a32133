"""What a network's forward passes call: modules at some places, and functions that are activations."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial, wraps
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from evaluators.places.channels import Channels, Following, row_of
from evaluators.places.flows import Flows, Made
from evaluators.tasks.base import Inputs
from evaluators.tasks.examples import mapped, tensors
from evaluators.training.calling import call, without_fast_path
from evaluators.training.randomness import begin_step, own_random_numbers
from primitives.layers.call_kinds import HALVES, ROW, dim_of, inputs_of, is_activation, kind_of_call

#: What does the same as an activation and is not followed: ``x.clamp(min=0)`` may be a bound of something else.
_ALIASES = frozenset(
    (torch.clamp, torch.clip, torch.maximum, torch.clamp_min, Tensor.clamp, Tensor.clamp_, Tensor.clamp_min)
)

_Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a function that a candidate may take the place of.

    Args:
        around: the modules that are in their forward passes then; the last one, the owner, makes the call.
        kind: as :func:`primitives.layers.call_places.kind_of_call` names it.
        number: which of that kind it is in the owner's forward pass, from 1.
        shape: of its input.
        channels: of its input.
        line: the file and line that it is written in.
    """

    around: tuple[nn.Module, ...]
    kind: str
    number: int
    shape: _Shape
    channels: Channels
    line: tuple[str, int]

    @property
    def owner(self) -> nn.Module:
        """The module whose forward pass makes it."""
        return self.around[-1]


@dataclass(slots=True)
class Probe:
    """Looks at a module at one of its places.

    Args:
        module: that stands there meanwhile, a copy that shares the parts of the network's.
        following: asked for the channels.
        shapes: of the inputs.
        channels: of the inputs.
        floating: they are floating point numbers.
        counts: how many inputs there were at a time; 0 where some were given by name.
        keeps_shape: the output has the shape of the first input.
    """

    module: nn.Module
    following: Following
    shapes: list[_Shape] = field(default_factory=list)
    channels: list[Channels] = field(default_factory=list)
    floating: bool = True
    counts: set[int] = field(default_factory=set)
    keeps_shape: bool = True

    @property
    def alone(self) -> bool:
        """There was one input at a time."""
        return self.counts <= {1}

    def look(self, args: tuple[Any, ...], kwargs: Mapping[str, object]) -> None:
        """Before a forward pass of the module."""
        inputs = [*args, *kwargs.values()]
        self.counts.add(len(inputs) if not kwargs or len(inputs) == 1 else 0)
        if inputs and isinstance(inputs[0], Tensor):
            self.shapes.append(tuple(inputs[0].shape))
            self.channels.append(self.following.seen(inputs[0]))
            self.floating &= inputs[0].is_floating_point()

    def returned(self, output: object) -> None:
        """After it."""
        self.keeps_shape &= isinstance(output, Tensor) and tuple(output.shape) == self.shapes[-1]


@dataclass(slots=True)
class Watched:
    """What was seen.

    Args:
        calls: of functions, in their order.
        counts: for each module, how many calls of each kind each of its forward passes made.
        aliases: modules with the functions that they call, which may be activations and are not followed.
        flows: where outputs go; of modules that stand for others under their own names.
    """

    calls: list[Call] = field(default_factory=list)
    counts: dict[nn.Module, list[dict[str, int]]] = field(default_factory=lambda: defaultdict(list))
    aliases: list[tuple[nn.Module, str]] = field(default_factory=list)
    flows: Flows = field(default_factory=Flows)

    def renamed(self, originals: Mapping[nn.Module, nn.Module]) -> Watched:
        """The same with modules that stand for others named by these."""
        renamed = Watched(flows=self.flows)
        renamed.aliases = [(originals.get(module, module), name) for module, name in self.aliases]
        for each in self.calls:
            around = tuple(originals.get(module, module) for module in each.around)
            renamed.calls.append(replace(each, around=around))
        for module, counts in self.counts.items():
            renamed.counts[originals.get(module, module)] += counts
        return renamed


class _Watch(TorchFunctionMode):
    """Fills in a :class:`Watched`, with the modules that are in their forward passes as a stack.

    A module that is made in a forward pass is not among the network's: what it calls is its maker's.
    """

    def __init__(self, seen: Watched, following: Following) -> None:
        self.seen, self.following = seen, following
        self.stack: list[tuple[nn.Module, dict[str, int]]] = []
        self.places: list[nn.Module] = []

    def within(self, module: nn.Module, probe: Probe | None) -> Callable[..., Any]:
        """The module's ``forward``, watched. Hooks are outside of it, as they are where calls are led to children."""
        forward = module.forward

        @wraps(forward)
        def watched(*args: Any, **kwargs: Any) -> Any:
            inputs = [*args, *kwargs.values()]
            if probe is not None:
                probe.look(args, kwargs)
                self.seen.flows.called(module, inputs[0] if inputs else None)
                self.places.append(module)
            self.stack.append((module, {}))
            try:
                output = forward(*args, **kwargs)
            finally:
                self.seen.counts[module].append(self.stack.pop()[1])
                if probe is not None:
                    self.places.pop()
            if probe is not None and probe.shapes:
                probe.returned(output)
            self.seen.flows.left(module, output)
            return output

        return watched

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        kind = kind_of_call(function, args, kwargs)
        made = self._noted(kind, args, kwargs) if kind and self.stack else None
        if function in _ALIASES and self.stack:
            self.seen.aliases.append((self.stack[-1][0], function.__name__))
        result = function(*args, **kwargs)
        name = str(getattr(function, "__name__", "a function"))
        by = self.places[0] if self.places else made or name
        self.seen.flows.taken(function, [*args, *kwargs.values()], by, result, made)
        return result

    def _noted(self, kind: str, args: tuple[Any, ...], kwargs: Mapping[str, object]) -> Made:
        """Put a call down, before it is made."""
        numbers = self.stack[-1][1]
        numbers[kind] = numbers.get(kind, 0) + 1
        around = tuple(module for module, _ in self.stack)
        made = Made(around[-1], kind, numbers[kind])
        x = args[0] if args else kwargs["input"]
        self.seen.flows.called(made, x)
        if not is_activation(kind) and kind not in (ROW, HALVES):
            return made
        x = inputs_of(kind, args, kwargs)[0]
        channels = row_of(x.shape, dim_of(args, kwargs)) if kind == ROW else self.following.seen(x)
        self.seen.calls.append(Call(around, kind, numbers[kind], tuple(x.shape), channels, _line()))
        return made


def _line() -> tuple[str, int]:
    """Where the code stands that calls a function of torch's."""
    frame = sys._getframe(3)
    while frame.f_back is not None and f"{torch.__name__}/" in frame.f_code.co_filename:
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno


def watched(network: nn.Module, x: Inputs, probes: Sequence[Probe], following: Following) -> Watched:
    """What a network calls, in eval mode without gradients, and in train mode with them.

    Where one line makes several calls of one kind, which a loop over the input may do, smaller inputs are tried, too.
    Modes, buffers and global random numbers stay as they were.

    Args:
        network: any.
        x: inputs for it.
        probes: look at modules of it meanwhile.
        following: the channels.
    """
    seen = Watched()
    with undisturbed(network):
        begin_step(0, "places")
        with torch.no_grad():
            _pass(network.eval(), x, seen, following, probes)
        with torch.enable_grad():
            _pass(network.train(), x, seen, following, probes)
        if _repeats(seen):
            with torch.no_grad():
                for shorter in _shorter(x):
                    _pass_if_possible(network.eval(), shorter, seen)
    return seen


@contextmanager
def undisturbed(network: nn.Module) -> Iterator[None]:
    """A context for calls that leave no trace, and go through what a network computes as it is written."""
    with own_random_numbers(), as_it_was(network), without_fast_path(), _uncompiled():
        yield


def _uncompiled() -> AbstractContextManager[object]:
    """A context in which what a network has compiled itself runs as it is written, where modes see it."""
    return torch.compiler.set_stance("force_eager") if "torch._dynamo" in sys.modules else nullcontext()


def _pass(network: nn.Module, x: Inputs, seen: Watched, following: Following, probes: Sequence[Probe] = ()) -> None:
    watch, looks = _Watch(seen, following), {probe.module: probe for probe in probes}
    modules = [module for module in network.modules() if not isinstance(module, torch.jit.ScriptModule)]
    own = [vars(module).get("forward") for module in modules]
    try:
        for module in modules:
            vars(module)["forward"] = watch.within(module, looks.get(module))
        with following, watch:
            call(network, mapped(torch.clone, x))  # an activation may write into its input
    finally:
        for module, forward in zip(modules, own, strict=True):
            vars(module).pop("forward", None)
            if forward is not None:
                vars(module)["forward"] = forward


def _pass_if_possible(network: nn.Module, x: Inputs, seen: Watched) -> None:
    """Count calls for an input that the network may not take."""
    try:
        _pass(network, x, tried := Watched(), Following())
    except Exception:
        return
    for module, counts in tried.counts.items():
        seen.counts[module] += counts


def _repeats(seen: Watched) -> bool:
    """True if one line makes several calls of one kind in one forward pass."""
    of_lines: Mapping[Any, set[int]] = defaultdict(set)
    for each in seen.calls:
        of_lines[each.owner, each.kind, each.line].add(each.number)
    return any(len(numbers) > 1 for numbers in of_lines.values())


def _shorter(x: Inputs) -> Iterator[Inputs]:
    """Inputs that are half as long in one dimension, be it that of the examples."""
    shape = max((tensor.shape for tensor in tensors(x)), key=len)
    for dim in range(len(shape)):
        size = shape[dim]
        if size > 1:
            yield mapped(partial(_halved, dim, size), x)


def _halved(dim: int, size: int, tensor: Tensor) -> Tensor:
    """The first half in one dimension, where a tensor has that size in it."""
    return tensor.narrow(dim, 0, size // 2) if tensor.dim() > dim and tensor.shape[dim] == size else tensor


@contextmanager
def as_it_was(network: nn.Module) -> Iterator[None]:
    """A context after which modes, buffers and parameters of a network are what they were."""
    modes = [(module, module.training) for module in network.modules()]
    tensors = [
        (held, name, tensor, tensor.detach().clone())
        for module in network.modules()
        for held in (module._buffers, module._parameters)
        for name, tensor in held.items()
        if tensor is not None
    ]
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
        with torch.no_grad():
            for held, name, tensor, value in tensors:
                tensor.copy_(value)
                held[name] = tensor  # type: ignore[assignment]  # it may have been bound anew
