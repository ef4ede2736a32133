"""Convolutional networks from an image to an image."""

from __future__ import annotations

from torch import nn


def denoiser(channels: int, width: int, depth: int) -> nn.Sequential:
    """Convolutions of 3x3 that keep the size (Zhang et al. 2017, DnCNN, without BatchNorm).

    Args:
        channels: of the image, shape (batch, channels, height, width), and of the output.
        width: channels within.
        depth: number of activations; there is one convolution more.
    """
    layers: list[nn.Module] = []
    inner = channels
    for _ in range(depth):
        layers += [nn.Conv2d(inner, width, 3, padding=1), nn.ReLU()]
        inner = width
    return nn.Sequential(*layers, nn.Conv2d(inner, channels, 3, padding=1))
