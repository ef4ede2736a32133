"""Networks of inverted bottlenecks with depthwise convolutions: MobileNetV2, and EfficientNet, which also squeezes.

Sandler et al. 2018 (arXiv 1801.04381); Tan and Le 2019 (arXiv 1905.11946). The published blocks end in a BatchNorm
without an activation. It is left out here, so that no norm of the network's own stands beside the candidates: behind a
last convolution with a bias it is what EvoNorm's authors put there, a scale and a shift for each channel.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from evaluators.networks.published.parts import Parts, drawn, stages

EXPANSION = 4  # the published one is 6, of networks with more channels
SQUEEZED = 4  # a block's inputs by the channels of its squeeze


class Excitation(nn.Module):
    """Squeeze and excitation (Hu et al. 2018, arXiv 1709.01507): each channel times a number from 0 to 1.

    Args:
        parts: the modules of these dimensions.
        channels: of the input.
        squeezed: within, with SiLU, which no candidate takes the place of.
    """

    def __init__(self, parts: Parts, channels: int, squeezed: int) -> None:
        super().__init__()
        inner, outer = parts.conv(channels, squeezed, 1, bias=True), parts.conv(squeezed, channels, 1, bias=True)
        self.factors = nn.Sequential(parts.mean(), inner, nn.SiLU(), outer, nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        """In the shape of ``x``."""
        result: Tensor = x * self.factors(x)
        return result


class InvertedBottleneck(nn.Module):
    """Channels are expanded, each is convolved alone, and they are projected; added to the input if the shape stays.

    Args:
        parts: the modules of these dimensions.
        inputs, outputs: channels.
        stride: of the depthwise convolution.
        kernel: likewise.
        squeezes: squeeze and excitation before the projection.
    """

    def __init__(
        self, parts: Parts, inputs: int, outputs: int, *, stride: int, kernel: int, squeezes: bool
    ) -> None:  # fmt: skip
        super().__init__()
        wide = EXPANSION * inputs
        self.branch = nn.Sequential(
            parts.conv(inputs, wide, 1),
            *parts.norm_relu(wide),
            parts.conv(wide, wide, kernel, stride=stride, groups=wide),
            *parts.norm_relu(wide),
            *([Excitation(parts, wide, max(1, inputs // SQUEEZED))] if squeezes else []),
            parts.conv(wide, outputs, 1, bias=True),
        )
        self.adds = inputs == outputs and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        """Shape (batch, inputs, ...) to (batch, outputs, ...), the positions divided by the stride."""
        result: Tensor = x + self.branch(x) if self.adds else self.branch(x)
        return result


def mobilenet(dimensions: int, channels: int, width: int, depth: int, outputs: int) -> nn.Sequential:
    """A small MobileNetV2; inputs of shape (batch, channels, length) or (batch, channels, height, width).

    Args:
        dimensions: behind the channels, 1 or 2.
        channels: of an input.
        width: channels between the first half of the blocks; within them there are four times as many.
        depth: number of blocks, each with two activations; one stands before and one behind them.
        outputs: size of an output.
    """
    return _inverted(Parts(dimensions), channels, width, depth, outputs, kernels=(3,), squeezes=False)


def efficientnet(dimensions: int, channels: int, width: int, depth: int, outputs: int) -> nn.Sequential:
    """A small EfficientNet: as :func:`mobilenet`, with squeeze and excitation, and kernels of 3 and 5 in turn."""
    return _inverted(Parts(dimensions), channels, width, depth, outputs, kernels=(3, 5), squeezes=True)


def _inverted(
    parts: Parts, channels: int, width: int, depth: int, outputs: int, *, kernels: Sequence[int], squeezes: bool
) -> nn.Sequential:
    blocks: list[nn.Module] = [parts.conv(channels, width, 3), *parts.norm_relu(width)]
    inner = width
    for level, (wide, stride) in enumerate(stages(depth, width)):
        kernel = kernels[level % len(kernels)]
        blocks.append(InvertedBottleneck(parts, inner, wide, stride=stride, kernel=kernel, squeezes=squeezes))
        inner = wide
    last = EXPANSION * inner
    blocks += [parts.conv(inner, last, 1), *parts.norm_relu(last)]
    return drawn(nn.Sequential(*blocks, *parts.head(last, outputs)))
