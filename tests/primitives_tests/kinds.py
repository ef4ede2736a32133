"""Functions with statistics, and inputs for them: what targets that have them must reproduce."""

from __future__ import annotations

import torch
from torch import Tensor

from primitives.expression.expression import Expression
from primitives.expression.parsing import parse
from primitives.layers.norm_activation import NormActivation

S0 = "x*sigmoid(v*x)/std_gp(x)*w+b; v=1:channel, w=1:channel, b=0:channel"
B0 = "x/max(std_np(x),v*x+std_p(x))*w+b; v=1:channel, w=1:channel, b=0:channel"
BATCH_NORM = "relu((x-mean_np(x))/std_np(x)*w+b); w=1:channel, b=0:channel"
SOFTMAX = "exp(x-max_c(x))/sum_c(exp(x-max_c(x)))"
RMS = "x/rms_c(x)"
TEXTS = (
    *(S0, B0, BATCH_NORM, SOFTMAX, RMS),
    "sigmoid(x/std_np(x))*z-mean_cp(z)*b+sum_c(b*b); b=0.7:channel",
    "var_np(max_gp(x))+max_cp(x)-rms_gp(a)*x+std_np(mean_c(x))*a; a=0.5:channel",
    "x*k/(1+abs(mean_np(x)))+var_p(x); k=2",
    "x-mean_np(mean_p(x))+0*sum_np(x)",
    "paired(relu(x),relu(x+0.1))/std_cp(x)",
)
FUNCTIONS = tuple(parse(text) for text in TEXTS)
RUNNING = tuple(parse(text) for text in (B0, BATCH_NORM, *TEXTS[5:9]))
SHAPES = ((4, 24, 3, 2), (5, 6), (3, 20, 4))  # groups of 12, 6 and 10 channels


def inputs(f: Expression, shape: tuple[int, ...], dtype: torch.dtype = torch.float64) -> list[Tensor]:
    """One or two normal inputs whose channels have means and spreads of their own."""
    generator = torch.Generator().manual_seed(3)
    spread = torch.linspace(0.5, 2.0, shape[1], dtype=torch.float64).view(-1, *[1] * (len(shape) - 2))
    drawn = [torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(1 + ("z" in f.inputs))]
    return [((each + 0.3) * spread).to(dtype) for each in drawn]


def layer(f: Expression, channels: int, **options: float | None) -> NormActivation:
    """The layer that stands as reference, float64, with parameters that differ from channel to channel."""
    made = NormActivation(f, channels, dtype=torch.float64, **options)  # type: ignore[arg-type]
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.linspace(0.1, 0.6, len(parameter), dtype=torch.float64))
    return made
