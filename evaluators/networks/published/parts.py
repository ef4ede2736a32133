"""What the published networks are made of, in one dimension for signals or in two for images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True, slots=True)
class Parts:
    """The modules for inputs of shape (batch, channels, ...) with so many dimensions behind the channels.

    Args:
        dimensions: 1 or 2.
    """

    dimensions: int

    def conv(
        self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1, bias: bool = False
    ) -> nn.Module:
        """A convolution that keeps the size, but for its stride; without a bias, as a norm follows it."""
        kind = (nn.Conv1d, nn.Conv2d)[self.dimensions - 1]
        return kind(inputs, outputs, kernel, stride=stride, padding=kernel // 2, groups=groups, bias=bias)

    def norm_relu(self, channels: int) -> list[nn.Module]:
        """BatchNorm and ReLU, a place of a candidate."""
        kind = (nn.BatchNorm1d, nn.BatchNorm2d)[self.dimensions - 1]
        return [kind(channels), nn.ReLU()]

    def mean(self) -> nn.Module:
        """The mean over all positions, which keeps its dimensions."""
        return (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d)[self.dimensions - 1](1)

    def halved(self) -> nn.Module:
        """The mean over two neighbours, or four; a lone position stays."""
        return (nn.AvgPool1d, nn.AvgPool2d)[self.dimensions - 1](2, ceil_mode=True)

    def head(self, channels: int, outputs: int) -> list[nn.Module]:
        """The mean over all positions and a linear layer."""
        return [self.mean(), nn.Flatten(), nn.Linear(channels, outputs)]


def stages(depth: int, width: int) -> Iterator[tuple[int, int]]:
    """Channels and stride of each block: the second half has twice the channels and half of the positions."""
    first = (depth + 1) // 2
    for level in range(depth):
        yield (width if level < first else 2 * width), (2 if level == first else 1)


def drawn(network: nn.Sequential) -> nn.Sequential:
    """A network with the weights of its publications: of convolutions normals of variance 2 / fan in, biases 0.

    He et al. 2015 (arXiv 1502.01852). The linear layer's are normals of deviation 0.01, as in MobileNetV2.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv1d | nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.01)
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)
    return network
