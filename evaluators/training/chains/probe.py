"""What tells two engines apart, besides operators and products: steps of a training on fixed data."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterator

import torch
from torch import Tensor

from evaluators.seeds import torch_generator
from evaluators.tasks.optimisers import AdamW
from evaluators.training.chains.calls import calls, scratch
from evaluators.training.chains.chain import Chain, Kind, Step
from evaluators.training.chains.formulas import code_of
from evaluators.training.chains.losses import Loss
from evaluators.training.chains.structures import (
    DataStructure,
    Formula,
    SliceStructure,
    Tensors,
    chain_structure,
    optimiser_structure,
)
from primitives.expression.parsing import parse

BATCH, STEPS = 32, 3
#: Inputs, hidden units, classes; odd ones, so that loops have tails.
SIZES = (13, 45, 10)


def trainings(double: bool) -> Iterator[bytes]:
    """Losses and weights of three steps: a linear layer, an activation with a parameter, a norm, a sum, and a head."""
    dtype = torch.float64 if double else torch.float32
    generator = torch_generator(0, "probe of the engine")
    inputs, hidden, classes = SIZES

    def drawn(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, device="cpu", dtype=torch.float64).to(dtype).div_(4.0)

    tensors = [drawn(hidden, inputs), drawn(hidden), drawn(hidden), drawn(hidden), drawn(classes, hidden), drawn(1)]
    moments = [[torch.zeros_like(tensor) for tensor in tensors] for _ in range(2)]
    chain = chain_structure(_CHAIN, [_SWISH], _TENSORS, Loss())
    own = SliceStructure(*(_addresses(row) for row in (tensors, *moments)), 1e-2)
    examples = drawn(BATCH, inputs)
    labels = torch.arange(BATCH, device="cpu") % classes
    order = torch.arange(BATCH, device="cpu").repeat(STEPS)
    data = DataStructure(examples.data_ptr(), labels.data_ptr(), order.data_ptr(), BATCH)
    optimiser = optimiser_structure(AdamW(weight_decay=0.1), [1.0] * STEPS, clip=1.0, accumulate=1)
    losses = torch.zeros(STEPS, dtype=dtype, device="cpu")
    trainer = calls(dtype)
    memory = scratch(trainer.scratch(chain, BATCH, True))
    trainer.train(chain, own, optimiser, data, 0, STEPS, losses.data_ptr(), memory)
    if not math.isfinite(float(losses.sum())):
        raise AssertionError("the engine's probe has no finite losses")
    yield losses.numpy().tobytes()
    yield from (tensor.numpy().tobytes() for tensor in tensors)


def _addresses(tensors: list[Tensor]) -> ctypes.Array[ctypes.c_void_p]:
    return (ctypes.c_void_p * len(tensors))(*(tensor.data_ptr() for tensor in tensors))


_INPUTS, _HIDDEN, _CLASSES = SIZES
_CHAIN = Chain(
    steps=(
        Step(kind=Kind.LINEAR, source=0, target=1, weight="w", bias="b", inputs=_INPUTS, outputs=_HIDDEN),
        Step(kind=Kind.ACTIVATION, source=1, target=2, slot=0),
        Step(kind=Kind.NORM, source=2, target=3, weight="g", bias="c", epsilon=1e-5, inputs=_HIDDEN, outputs=_HIDDEN),
        Step(kind=Kind.SUM, source=3, target=4, other=1, scale=0.5),
        Step(kind=Kind.LINEAR, source=4, target=5, weight="h", inputs=_HIDDEN, outputs=_CLASSES),
    ),
    sizes=(_INPUTS, *[_HIDDEN] * 4, _CLASSES),
    output=5,
    shape=(_CLASSES,),
    places=1,
)
_SWISH = Formula(code_of(parse("x*sigmoid(beta*x); beta=1.0")), (5,), (False,), _HIDDEN)
_TENSORS = Tensors(
    numbers={name: number for number, name in enumerate("wbgch")},
    sizes=(_HIDDEN * _INPUTS, _HIDDEN, _HIDDEN, _HIDDEN, _CLASSES * _HIDDEN, 1),
    trained=(True,) * 6,
    decays=(0.1,) * 5 + (0.0,),
)
