"""A network in which each layer sees the outputs of all before it (Huang et al. 2017, DenseNet, arXiv 1608.06993)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from evaluators.networks.published.parts import Parts, drawn


class DenseLayer(nn.Module):
    """Norm, activation and convolution, beside the input.

    Args:
        parts: the modules of these dimensions.
        inputs: channels.
        growth: channels that are added.
    """

    def __init__(self, parts: Parts, inputs: int, growth: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(*parts.norm_relu(inputs), parts.conv(inputs, growth, 3))

    def forward(self, x: Tensor) -> Tensor:
        """Shape (batch, inputs, ...) to (batch, inputs + growth, ...)."""
        return torch.cat([x, self.branch(x)], dim=1)


def densenet(dimensions: int, channels: int, width: int, depth: int, outputs: int) -> nn.Sequential:
    """A small DenseNet; inputs of shape (batch, channels, length) or (batch, channels, height, width).

    Half of the layers stand before a transition, which halves channels and positions, half behind it.

    Args:
        dimensions: behind the channels, 1 or 2.
        channels: of an input.
        width: channels that each layer adds; the first convolution has twice as many.
        depth: number of layers, each with one activation; the transition and the end have one more each.
        outputs: size of an output.
    """
    parts = Parts(dimensions)
    inner = 2 * width
    blocks: list[nn.Module] = [parts.conv(channels, inner, 3)]
    for level in range(depth):
        if level == (depth + 1) // 2:
            blocks += [*parts.norm_relu(inner), parts.conv(inner, inner // 2, 1), parts.halved()]
            inner //= 2
        blocks.append(DenseLayer(parts, inner, width))
        inner += width
    return drawn(nn.Sequential(*blocks, *parts.norm_relu(inner), *parts.head(inner, outputs)))
