"""Saved bytes: what a layer keeps in memory for its backward pass."""

from __future__ import annotations

import torch
from torch import Tensor

from evaluators.objectives.formula import FormulaObjective
from primitives.expression.expression import Expression
from primitives.layers.activation import Activation
from primitives.lowering.torch.packed import packed_steps

_EXAMPLES, _CHANNELS = 256, 64


def saved_bytes(expression: Expression) -> float:
    """Bytes that a layer keeps for its backward pass, per element of a float32 input of 256 x 64.

    In the fused layer the input or the output takes 4; each parameter 4 / 16,384, one per channel 64 times as much. A
    pair whose derivative has k constant levels is exported to torch in a packed form, too, which keeps ceil(log2 k)
    bits: see :func:`primitives.lowering.torch.packed.packed_source`.
    """
    steps = packed_steps(expression)
    if steps is not None:
        return steps.bits / 8
    layer = Activation(expression, channels=_CHANNELS, device="cpu")
    saved: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        saved[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
        return tensor

    x = torch.linspace(-3.0, 3.0, _EXAMPLES * _CHANNELS, device="cpu").view(_EXAMPLES, _CHANNELS).requires_grad_()
    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        layer(x)
    return sum(saved.values()) / x.numel()


class SavedBytes(FormulaObjective):
    """:func:`saved_bytes` of the candidate."""

    name = "saved_bytes"
    unit = "bytes"
    direction = "minimize"
    formula = "bytes kept for the backward pass / elements; ceil(log2 k)/8 for a pair of k slopes"
    source = "Novikov et al. 2022, arXiv:2202.00441"

    def of(self, expression: Expression) -> float:
        return saved_bytes(expression)
