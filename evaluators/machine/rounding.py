"""How a machine rounds: a digest that two machines share where they give a training the same bits."""

from __future__ import annotations

import hashlib

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from evaluators.machine.timing import one_thread

SIZES = (10, 32, 64, 132)  # inner sizes of the shipped networks' products: kernels change with them
FUNCTIONS = (torch.exp, torch.log1p, torch.tanh, torch.erf, torch.sin, torch.sigmoid, torch.rsqrt, F.gelu, F.softplus)


@torch.no_grad()
def rounding() -> str:
    """Sixteen hexadecimal digits of the bits of matrix products, convolutions, sums and functions in float32.

    The capability that torch names is not enough: its matrix library also looks at the processor's maker and at
    variables such as ``MKL_CBWR``. Equal digits on one version of torch are strong evidence of equal bits, no proof:
    kernels for other sizes are not tried. Takes about 5 ms, on one thread of the CPU.
    """
    rng = np.random.Generator(np.random.PCG64(0))  # torch's own normals are rounded by the machine, too
    with one_thread(), torch.device("cpu"):
        tensors = [*_products(rng), *_elementwise(rng)]
        digest = hashlib.sha256(b"".join(tensor.contiguous().numpy().tobytes() for tensor in tensors))
    return digest.hexdigest()[:16]


def _normal(rng: np.random.Generator, *shape: int) -> Tensor:
    return torch.from_numpy(rng.standard_normal(shape, dtype=np.float32))


def _products(rng: np.random.Generator) -> list[Tensor]:
    dense = [_normal(rng, 64, size) @ _normal(rng, size, 64) for size in SIZES]
    stacked = [torch.bmm(_normal(rng, 12, 64, size), _normal(rng, 12, size, 10)) for size in SIZES]
    return [*dense, *stacked, F.conv2d(_normal(rng, 8, 4, 8, 8), _normal(rng, 8, 4, 3, 3), padding=1)]


def _elementwise(rng: np.random.Generator) -> list[Tensor]:
    x = _normal(rng, 64, 63)
    return [*(function(x.abs() + 0.1) for function in FUNCTIONS), x.softmax(dim=1), x.sum(dim=0), x.square().mean()]
