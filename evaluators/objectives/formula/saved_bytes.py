"""Saved bytes: what a layer keeps in memory for its backward pass."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from evaluators.objectives.formula.base import FormulaObjective
from primitives.expression.expression import Expression
from primitives.layers.norm_activation import layer_of
from primitives.lowering.torch.packed import packed_steps

_SHAPE = (16, 64, 4, 4)  # as many elements as 256 x 64


def saved_bytes(expression: Expression) -> float:
    """Bytes that a layer keeps for its backward pass, per element of a float32 input of 16 x 64 x 4 x 4.

    The fused layer of a function of one number keeps the input, or the output, 4; each parameter adds 4 / 16,384, one
    per channel 64 times as much. A gate keeps both inputs. A layer with statistics keeps what torch's operators do. Of
    ``layers(...)`` it is the mean of its functions. A pair whose derivative has k constant levels is exported to torch
    in a packed form, too, which keeps ceil(log2 k) bits: see :func:`primitives.lowering.torch.packed.packed_source`.
    """
    return sum(map(_of_one, expression.parts)) / len(expression.parts)


def _of_one(function: Expression) -> float:
    steps = packed_steps(function)
    if steps is not None:
        return steps.bits / 8
    layer = layer_of(function, channels=_SHAPE[1], channel_dim=1, device="cpu")
    saved: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()  # an expanded tensor is as small as what it was
        saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    inputs = [
        torch.linspace(-3.0, 3.0, math.prod(_SHAPE), device="cpu").view(_SHAPE).requires_grad_() for _ in range(2)
    ]
    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        layer(*inputs[: len(function.inputs | {"x"})])
    return sum(saved.values()) / inputs[0].numel()


class SavedBytes(FormulaObjective):
    """:func:`saved_bytes` of the candidate."""

    name = "saved_bytes"
    unit = "bytes"
    direction = "minimize"
    formula = "bytes kept for the backward pass / elements; ceil(log2 k)/8 for a pair of k slopes"
    source = "Novikov et al. 2022, arXiv:2202.00441"

    def of(self, expression: Expression) -> float:
        return saved_bytes(expression)
