"""A residual network whose branches begin with the norm and the activation (He et al. 2016, arXiv 1603.05027)."""

from __future__ import annotations

from torch import Tensor, nn

from evaluators.networks.published.parts import Parts, drawn, stages


class Block(nn.Module):
    """Norm, activation, convolution, twice, added to the input.

    Where the shape changes, the input goes through a convolution of 1 behind the first activation.

    Args:
        parts: the modules of these dimensions.
        inputs, outputs: channels.
        stride: of the first convolution.
    """

    def __init__(self, parts: Parts, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.active = nn.Sequential(*parts.norm_relu(inputs))
        first, second = parts.conv(inputs, outputs, 3, stride=stride), parts.conv(outputs, outputs, 3)
        self.branch = nn.Sequential(first, *parts.norm_relu(outputs), second)
        same = inputs == outputs and stride == 1
        self.shortcut = None if same else parts.conv(inputs, outputs, 1, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        """Shape (batch, inputs, ...) to (batch, outputs, ...), the positions divided by the stride."""
        active = self.active(x)
        kept = x if self.shortcut is None else self.shortcut(active)
        result: Tensor = kept + self.branch(active)
        return result


def preresnet(dimensions: int, channels: int, width: int, depth: int, outputs: int) -> nn.Sequential:
    """A pre-activation residual network; inputs of shape (batch, channels, length) or (batch, channels, height, width).

    Args:
        dimensions: behind the channels, 1 or 2.
        channels: of an input.
        width: channels of the first half of the blocks.
        depth: number of blocks, each with two activations; one more stands behind them.
        outputs: size of an output.
    """
    parts = Parts(dimensions)
    blocks: list[nn.Module] = [parts.conv(channels, width, 3)]
    inner = width
    for wide, stride in stages(depth, width):
        blocks.append(Block(parts, inner, wide, stride))
        inner = wide
    return drawn(nn.Sequential(*blocks, *parts.norm_relu(inner), *parts.head(inner, outputs)))
