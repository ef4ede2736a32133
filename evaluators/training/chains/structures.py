"""What the trainer of ``engine.c`` takes, field by field; each structure holds what it points to."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Mapping, Sequence
from ctypes import POINTER, c_double, c_int32, c_int64, c_uint8, c_void_p
from dataclasses import dataclass

from evaluators.native.programs import Program, program
from evaluators.tasks.optimisers import SGD, AdamW, Optimiser
from evaluators.training.chains.chain import Chain, Kind, Step
from evaluators.training.chains.losses import Loss
from primitives.lowering.bytecode.program import Bytecode


class StepStructure(ctypes.Structure):
    """``Step``."""

    _fields_ = [
        *((name, c_int32) for name in ("kind", "source", "other", "target", "weight", "bias", "activation", "turned")),
        *((name, c_int64) for name in ("rows", "inputs", "outputs")),
        ("epsilon", c_double),
        ("scale", c_double),
    ]


class ActivationStructure(ctypes.Structure):
    """``Activation``."""

    _fields_ = [
        ("program", Program),
        ("tensors", POINTER(c_int32)),
        ("per_channel", POINTER(c_uint8)),
        ("channels", c_int64),
        ("factor", c_double),
    ]


class ChainStructure(ctypes.Structure):
    """``Chain``."""

    _fields_ = [
        ("steps", POINTER(StepStructure)),
        ("activations", POINTER(ActivationStructure)),
        ("value_sizes", POINTER(c_int64)),
        ("tensor_sizes", POINTER(c_int64)),
        ("needs_gradient", POINTER(c_uint8)),
        ("is_trained", POINTER(c_uint8)),
        ("decays", POINTER(c_double)),
        *((name, c_int32) for name in ("step_count", "value_count", "tensor_count", "output", "loss")),
        ("loss_scale", c_double),
    ]


class OptimiserStructure(ctypes.Structure):
    """``Optimiser``."""

    _fields_ = [
        *((name, c_int32) for name in ("kind", "is_decoupled", "is_nesterov", "accumulate")),
        *((name, c_double) for name in ("beta1", "beta2", "epsilon", "momentum", "clip")),
        ("factors", POINTER(c_double)),
    ]


class SliceStructure(ctypes.Structure):
    """``Slice``: addresses of its tensors and moments."""

    _fields_ = [*((name, POINTER(c_void_p)) for name in ("tensors", "first", "second")), ("rate", c_double)]


class DataStructure(ctypes.Structure):
    """``Data``."""

    _fields_ = [("inputs", c_void_p), ("targets", c_void_p), ("order", c_void_p), ("batch", c_int64)]


@dataclass(frozen=True, slots=True)
class Formula:
    """An activation of a chain.

    Args:
        code: value, slope by x, slopes by the parameters.
        tensors: numbers of the parameters' tensors.
        per_channel: for each parameter, whether it has a value for each channel.
        channels: numbers of a row.
        factor: of the outputs.
    """

    code: Bytecode
    tensors: tuple[int, ...] = ()
    per_channel: tuple[bool, ...] = ()
    channels: int = 1
    factor: float = 1.0


@dataclass(frozen=True, slots=True)
class Tensors:
    """What a slice has: the network's parameters, then those of its candidate.

    Args:
        numbers: by name, of the network's parameters.
        sizes: how many numbers each has.
        trained: whether each is trained.
        decays: weight decay of each.
    """

    numbers: Mapping[str, int]
    sizes: tuple[int, ...]
    trained: tuple[bool, ...]
    decays: tuple[float, ...]


def chain_structure(chain: Chain, formulas: Sequence[Formula], tensors: Tensors, loss: Loss) -> ChainStructure:
    """A chain with the formulas of its activations, in the order of the steps."""
    activations = iter(range(len(formulas)))
    steps = [_step(step, tensors, next(activations) if step.kind == Kind.ACTIVATION else -1) for step in chain.steps]
    return ChainStructure(
        (StepStructure * len(steps))(*steps),
        (ActivationStructure * len(formulas))(*map(_activation, formulas)),
        _array(c_int64, chain.sizes),
        _array(c_int64, tensors.sizes),
        _array(c_uint8, _needs_gradient(chain, formulas, tensors)),
        _array(c_uint8, tensors.trained),
        _array(c_double, tensors.decays),
        len(steps),
        len(chain.sizes),
        len(tensors.sizes),
        chain.output,
        0 if loss.scale is None else 1,
        loss.scale or 0.0,
    )


def optimiser_structure(
    settings: Optimiser, factors: Sequence[float], *, clip: float, accumulate: int
) -> OptimiserStructure:
    """An optimiser with the factors of the rate, step by step from the first; ``clip`` is infinite for none."""
    own = _array(c_double, factors)
    if isinstance(settings, SGD):
        return OptimiserStructure(0, 0, settings.nesterov, accumulate, 0, 0, 0, settings.momentum, clip, own)
    (beta1, beta2), decoupled = settings.betas, isinstance(settings, AdamW)
    return OptimiserStructure(1, decoupled, 0, accumulate, beta1, beta2, settings.eps, 0, clip, own)


def _step(step: Step, tensors: Tensors, activation: int) -> StepStructure:
    weight, bias = (tensors.numbers[name] if name else -1 for name in (step.weight, step.bias))
    return StepStructure(
        step.kind, step.source, step.other, step.target, weight, bias, activation, step.is_turned,
        step.rows, step.inputs, step.outputs, step.epsilon, step.scale,
    )  # fmt: skip


def _activation(formula: Formula) -> ActivationStructure:
    return ActivationStructure(
        program(formula.code), _array(c_int32, formula.tensors), _array(c_uint8, formula.per_channel),
        formula.channels, formula.factor,
    )  # fmt: skip


def _needs_gradient(chain: Chain, formulas: Sequence[Formula], tensors: Tensors) -> list[bool]:
    """Of each value, whether something that is trained comes before it; the output counts always."""
    needs = [False] * len(chain.sizes)
    own = iter(formulas)
    for step in chain.steps:
        numbers = [tensors.numbers[name] for name in (step.weight, step.bias) if name]
        numbers += next(own).tensors if step.kind == Kind.ACTIVATION else ()
        before = [needs[value] for value in (step.source, step.other) if value >= 0]
        needs[step.target] = any(before) or any(tensors.trained[number] for number in numbers)
    needs[chain.output] = True
    return needs


def _array(kind: type, values: Iterable[float]) -> ctypes.Array:  # type: ignore[type-arg]
    rows = list(values)
    found: ctypes.Array = (kind * len(rows))(*rows)  # type: ignore[type-arg,operator]
    return found
