"""Residual networks for small images and signals, as He et al. 2016 train them on CIFAR (arXiv:1512.03385).

BatchNorm stays in the network, behind each convolution; the activation follows it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

_KINDS: dict[int, tuple[type[nn.Conv1d | nn.Conv2d], type[nn.Module], type[nn.Module]]] = {
    1: (nn.Conv1d, nn.BatchNorm1d, nn.AdaptiveAvgPool1d),
    2: (nn.Conv2d, nn.BatchNorm2d, nn.AdaptiveAvgPool2d),
}
STAGES = 3


class Block(nn.Module):
    """Two convolutions of 3, each with a BatchNorm, added to the input; an activation between and one behind the sum.

    The shortcut has no parameters, option A of the paper: where the block halves the image it takes every second
    pixel, and channels that the input lacks are zeros.

    Args:
        inputs: channels of the input.
        width: channels of the output, at least as many.
        stride: of the first convolution.
        dimensions: of the image, 1 or 2.
    """

    def __init__(self, inputs: int, width: int, stride: int, dimensions: int) -> None:
        super().__init__()
        self.first = convolution(inputs, width, stride, dimensions)
        self.between = nn.ReLU()
        self.second = convolution(width, width, 1, dimensions)
        self.behind = nn.ReLU()
        self.stride, self.more = stride, width - inputs

    def forward(self, x: Tensor) -> Tensor:
        """Shape (batch, width, ...) for inputs of shape (batch, inputs, ...)."""
        branch = self.second(self.between(self.first(x)))
        result: Tensor = self.behind(branch + self._shortcut(x))
        return result

    def _shortcut(self, x: Tensor) -> Tensor:
        if self.stride > 1:
            kept = slice(None, None, self.stride)
            x = x[:, :, kept] if x.dim() == 3 else x[:, :, kept, kept]
        if not self.more:
            return x
        zeros = torch.zeros_like(x[:, :1]).expand(-1, self.more, *x.shape[2:])
        return torch.cat([x, zeros], dim=1)


def convolution(inputs: int, width: int, stride: int, dimensions: int) -> nn.Sequential:
    """A convolution of 3 without bias, padded by 1, with normals of variance 2 / fan-out, and a BatchNorm."""
    conv, norm, _ = _KINDS[dimensions]
    layer = conv(inputs, width, 3, stride=stride, padding=1, bias=False)
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    return nn.Sequential(layer, norm(width))


def resnet(channels: int, width: int, blocks: int, outputs: int, *, dimensions: int = 2) -> nn.Sequential:
    """A convolution, three stages of blocks, the mean over the image, a linear layer: 6 blocks + 2 layers.

    Each stage after the first halves the image and doubles the channels. With 3 channels, 3 blocks of 16 channels and
    10 outputs it is ResNet-20, 269,722 parameters.

    Its weights are made for ReLU: convolutions as in :func:`convolution` (He et al. 2015, arXiv:1502.01852), the last
    layer with normals of variance 1 / fan-in and no bias at first.

    Args:
        channels: of an example, of shape (channels, height, width) or, in one dimension, (channels, length).
        width: channels of the first stage.
        blocks: of a stage, each with two activations; one more follows the first convolution.
        outputs: size of an output.
        dimensions: of the image, 1 or 2.
    """
    pool = _KINDS[dimensions][2]
    layers: list[nn.Module] = [convolution(channels, width, 1, dimensions), nn.ReLU()]
    inputs = width
    for stage in range(STAGES):
        wide = width * 2**stage
        for number in range(blocks):
            layers.append(Block(inputs, wide, 2 if stage and not number else 1, dimensions))
            inputs = wide
    last = nn.Linear(inputs, outputs)
    nn.init.normal_(last.weight, std=inputs**-0.5)
    nn.init.zeros_(last.bias)
    return nn.Sequential(*layers, pool(1), nn.Flatten(), last)
