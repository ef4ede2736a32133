"""What it costs that each candidate of a stack has a call of its own.

An activation slot with K candidates, all with one formula, on K x 6 slices of batch x width values, forward and
backward, against the same operators applied once to the whole stack: the layout with one candidate that owns all
slices. One thread, rounds interleaved, the smallest time of all rounds counts.
"""

from __future__ import annotations

import argparse
import time

import torch

from evaluators.training.stacking.activation_slot import ActivationSlot
from evaluators.training.stacking.layout import Layout, Share
from primitives.expression.parsing import parse

FORMULAS = ("relu(x)", "gelu(x)", "x*sigmoid(1.1*x)", "max(x,sin(x))", "x*atan(x)+sin(x)*erf(x)")
SLICES = 6  # of a candidate: 2 seeds, 3 learning rates
SHAPES = ((11, 64, 64), (22, 64, 32), (11, 128, 64))  # candidates, batch, width of the layer


def activation_of(text: str, candidates: int, slices: int) -> ActivationSlot:
    shares = tuple(Share(parse(text), slices * n, slices * (n + 1)) for n in range(candidates))
    return ActivationSlot(Layout(shares, ((),) * candidates))


def milliseconds(activation: ActivationSlot, x: torch.Tensor, gradient: torch.Tensor, calls: int) -> float:
    markers = torch.zeros(len(x))

    def apply(marker: torch.Tensor, part: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = torch.func.functional_call(activation, {"marker": marker}, (part,))
        return result

    started = time.perf_counter()
    for _ in range(calls):
        torch.autograd.grad(torch.func.vmap(apply)(markers, x), x, gradient)
    return (time.perf_counter() - started) / calls * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = max(5, parser.parse_args().rounds)
    torch.set_num_threads(1)
    print(f"{'formula':<26}{'candidates':>11}{'batch':>7}{'width':>7}{'apart ms':>10}{'once ms':>9}{'ratio':>7}")
    for candidates, batch, width in SHAPES:
        for text in FORMULAS:
            x = torch.randn(candidates * SLICES, batch, width).requires_grad_()
            gradient = torch.randn_like(x)
            sides = activation_of(text, candidates, SLICES), activation_of(text, 1, candidates * SLICES)
            times = [[milliseconds(side, x, gradient, 10) for side in sides] for _ in range(rounds)]
            apart, once = (min(column) for column in zip(*times, strict=True))
            print(f"{text:<26}{candidates:>11}{batch:>7}{width:>7}{apart:>10.2f}{once:>9.2f}{apart / once:>7.2f}")


if __name__ == "__main__":
    main()
