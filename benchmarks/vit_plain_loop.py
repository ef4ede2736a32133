"""A training loop of a timm ViT in plain torch, which imports nothing of this project; see ``vit_settings.py``.

The activation is written out by hand, and stands in the blocks' ``act``. Weights are timm's own.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

#: By the expressions that ``vit_settings.py`` gives actsearch. None: the network as timm makes it, with its GELU.
BY_HAND: dict[str, Callable[[Tensor], Tensor] | None] = {
    "relu(x)": F.relu,
    "gelu(x)": F.gelu,
    "silu(x)": F.silu,
    "x*atan(x)": lambda x: x * torch.atan(x),
    "tanh(x)": torch.tanh,
    "current": None,
}
#: What holds an activation, as ``act``.
ACTIVATIONS = ("blocks.0.mlp", "blocks.1.mlp")


class Function(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def vit() -> nn.Module:
    """A ViT for images of 8x8: 16 patches, 32 dimensions, 2 blocks, 4 heads, 26,442 weights."""
    from timm.models.vision_transformer import VisionTransformer  # only here: whoever has no timm still gets --help

    network: nn.Module = VisionTransformer(
        img_size=8, patch_size=2, in_chans=1, num_classes=10, embed_dim=32, depth=2, num_heads=4
    )
    return network


def trained(
    images: Tensor, labels: Tensor, batches: Tensor, *, name: str, seed: int, rate: float, nudge: float = 0.0
) -> tuple[nn.Module, list[float]]:
    """A network that Adam has trained, and the loss of each step.

    Args:
        images: all of them; the network gets their type.
        labels: of the images.
        batches: indices of each step's images, a row a step.
        name: of the function, see :data:`BY_HAND`.
        seed: of torch, when the network is made.
        rate: of Adam.
        nudge: added to the biases of the last layer at first.
    """
    torch.manual_seed(seed)
    network, function = vit(), BY_HAND[name]
    for path in ACTIVATIONS if function else ():
        network.get_submodule(path).act = Function(function)  # type: ignore[arg-type]
    network.to(images.dtype)
    with torch.no_grad():
        network.get_parameter("head.bias").add_(nudge)
    optimiser = torch.optim.Adam(network.parameters(), lr=rate)
    taken = []
    for index in batches:
        optimiser.zero_grad()
        loss = F.cross_entropy(network(images[index]), labels[index])
        loss.backward()
        optimiser.step()
        taken.append(loss.item())
    return network, taken


@torch.no_grad()
def held_out_loss(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Mean loss in eval mode."""
    network.eval()
    return F.cross_entropy(network(images), labels).item()
