"""Small convolutional networks.

No BatchNorm: its running statistics are buffers, and those are one for all slices of a stack.
"""

from __future__ import annotations

from torch import nn


def cnn(channels: int, width: int, depth: int, outputs: int, *, groups: int = 0) -> nn.Sequential:
    """Convolutions of 3x3, mean over the image, a linear layer; inputs of shape (batch, channels, height, width).

    Args:
        channels: of the image.
        width: channels of the first convolution; each further one halves the image and doubles the channels.
        depth: number of convolutions, each with one activation.
        outputs: size of an output.
        groups: of a GroupNorm before each activation; 0 for none.
    """
    layers: list[nn.Module] = []
    for level in range(depth):
        wide = width * 2**level
        norm = [nn.GroupNorm(groups, wide)] if groups else []
        layers += [nn.Conv2d(channels, wide, 3, stride=2 if level else 1, padding=1), *norm, nn.ReLU()]
        channels = wide
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, outputs))


def signal_cnn(length: int, width: int, depth: int, outputs: int) -> nn.Sequential:
    """Convolutions of stride 2, flattened, and a linear layer; inputs of shape (batch, 1, length).

    With 40 numbers, 3 layers of 25 channels and 10 outputs it is ``ConvBase`` of Greydanus & Kobak 2024, 5,210
    parameters: the first kernel has 5 numbers, further ones have 3, each with a padding of 1.

    Args:
        length: of the signal.
        width: channels of each convolution.
        depth: number of convolutions, each with one activation.
        outputs: size of an output.
    """
    layers: list[nn.Module] = []
    for level in range(depth):
        kernel = 3 if level else 5
        layers += [nn.Conv1d(width if level else 1, width, kernel, stride=2, padding=1), nn.ReLU()]
        length = (length + 2 - kernel) // 2 + 1
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(width * length, outputs))
