"""``Activation``, forward and backward, against torch's built-in activations and against ordinary operators.

Each formula runs on 1,000,000 normals in float32 in one thread, in turn with a built-in of its kind and with the same
formula from ordinary torch operators (``plain=True``), so that slow moments of the machine hit all three. The smallest
time of all repetitions counts. ``--compiled`` does the same under ``torch.compile``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evaluators.objectives import saved_bytes
from primitives import Activation, parse

ELEMENTS = 1_000_000
Function = Callable[[Tensor], Tensor]

#: formula and the built-in of its kind; from gelu(x) on they equal a built-in and are lowered to it
FORMULAS: list[tuple[str, Function]] = [
    ("x*sigmoid(1.1*x)", F.silu),
    ("x*sigmoid(beta*x); beta=1.1", F.silu),
    ("0.5*x*(1+erf(0.6*x))", F.gelu),
    ("x*tanh(softplus(0.9*x))", F.mish),
    ("softplus(1.3*x)-0.5", F.softplus),
    ("where(x>0,x,0.7*expm1(x))", F.elu),
    ("max(x,0.1*x)", F.leaky_relu),
    ("max(x,sin(x))", F.gelu),
    ("x*exp(-exp(-x))", F.gelu),
    ("sigmoid(relu(x))*gelu(x)", F.gelu),
    ("x*atan(x)+sin(x)*erf(x)", F.gelu),
    ("silu(silu(x)+gelu(x))+gelu(x)", F.gelu),
    ("abs(x)*sigmoid(x)-0.1*x*x/(1+abs(x))", F.gelu),
    ("0.5*x*(1+erf(x/sqrt(2)))", F.gelu),
    ("x*sigmoid(x)", F.silu),
    ("max(x,0)", F.relu),
]


def milliseconds(function: Function, module: nn.Module | None, x: Tensor, gradient: Tensor) -> float:
    """Time of a forward and a backward pass, the mean of two."""
    wanted = [x, *(module.parameters() if module else ())]
    started = time.perf_counter()
    for _ in range(2):
        torch.autograd.grad(function(x), wanted, gradient)
    return (time.perf_counter() - started) / 2 * 1000


def measure(text: str, reference: Function, repetitions: int, *, compiled: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(ELEMENTS, generator=generator).requires_grad_()
    gradient = torch.randn(ELEMENTS, generator=generator)
    fused, plain = Activation(parse(text)), Activation(parse(text), plain=True)
    functions: list[tuple[Function, nn.Module | None]] = [(fused, fused), (plain, plain), (reference, None)]
    if compiled:
        torch.compiler.reset()  # it compiles one method eight times at most
        functions = [(torch.compile(function), module) for function, module in functions]
    times: list[list[float]] = []
    for _ in range(repetitions + 1):
        times.append([milliseconds(function, module, x, gradient) for function, module in functions])
    ours, naive, built_in = (min(column) for column in zip(*times[1:], strict=True))
    bytes_kept = "" if compiled else f"{saved_bytes(fused.expression):>8.1f}"
    print(f"{text:<40}{ours:>9.2f}{built_in:>9.2f}{ours / built_in:>9.2f}{naive / ours:>9.2f}{bytes_kept}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=15)
    parser.add_argument("--compiled", action="store_true", help="under torch.compile; needs a C++ compiler")
    given = parser.parse_args()
    torch.set_num_threads(1)
    heads = ("ms", "built-in", "ratio", "naive/", *(() if given.compiled else ("bytes",)))
    print(f"{'formula':<40}{heads[0]:>9}{heads[1]:>9}{heads[2]:>9}{heads[3]:>9}{''.join(f'{h:>8}' for h in heads[4:])}")
    for text, reference in FORMULAS:
        measure(text, reference, given.repetitions, compiled=given.compiled)


if __name__ == "__main__":
    main()
