"""Small transformers: a decoder, tokens in, logits of each next token out, and a classifier of patches."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from evaluators.networks.residual import Residual


class Attention(nn.Module):
    """Self-attention over tokens, shape (batch, tokens, width).

    Plain products and softmax: ``scaled_dot_product_attention`` has no batching rule on a CPU. The projections have
    no bias: the softmax does not feel that of the keys, and Adam would walk on its rounding noise.

    Args:
        width: of a token.
        heads: a divisor of ``width``.
        causal: a token sees itself and those before it, else all.
    """

    def __init__(self, width: int, heads: int, *, causal: bool = True) -> None:
        super().__init__()
        self.heads, self.causal = heads, causal
        self.inner = nn.Linear(width, 3 * width, bias=False)
        self.outer = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Attended features, in the shape of ``x``."""
        query, key, value = self.inner(x).unflatten(-1, (3, self.heads, -1)).unbind(-3)
        query, key, value = (part.transpose(-3, -2) for part in (query, key, value))  # batch, head, token, feature
        scores = (query * key.shape[-1] ** -0.5) @ key.transpose(-2, -1)
        if self.causal:
            future = torch.ones(scores.shape[-2:], dtype=torch.bool, device=x.device).triu(1)
            scores = scores.masked_fill(future, float("-inf"))
        mixed = scores.softmax(dim=-1) @ value
        result: Tensor = self.outer(mixed.transpose(-3, -2).flatten(-2))
        return result


class GatedLayer(nn.Module):
    """Feed-forward layer with a gate, ``down(relu(gate(x)) * up(x))`` (Shazeer 2020), in the shape of ``x``.

    Args:
        width: of a token.
        hidden: units of the gate.
    """

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.gate, self.up, self.down = nn.Linear(width, hidden), nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.activation = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """The layer of tokens of shape (..., width)."""
        result: Tensor = self.down(self.activation(self.gate(x)) * self.up(x))
        return result


class Transformer(nn.Module):
    """Pre-norm transformer; inputs are tokens, shape (batch, tokens), outputs logits, (batch, tokens, vocabulary).

    Args:
        width: of the residual stream; the activation works at four times it.
        depth: number of blocks, each attention and a layer with one activation.
        heads: of attention, a divisor of ``width``.
        context: largest number of tokens of an example.
        vocabulary: number of tokens there are; 256 for bytes.
        gated: layers have a gate, at 8/3 of the width, which is as many weights (Shazeer 2020).
    """

    def __init__(
        self, width: int, depth: int, heads: int, context: int, vocabulary: int = 256, *, gated: bool = False
    ) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.positions = nn.Embedding(context, width)
        layer = _gated_layer if gated else _layer
        blocks = (block for _ in range(depth) for block in (_attention(width, heads), layer(width)))
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, vocabulary))

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits for token numbers of shape (batch, length)."""
        places = torch.arange(tokens.shape[-1], device=tokens.device)
        result: Tensor = self.head(self.blocks(self.tokens(tokens) + self.positions(places)))
        return result


class PatchTransformer(nn.Module):
    """Pre-norm transformer over patches (Dosovitskiy et al. 2021), shape (batch, patches, inputs), to (batch, outputs).

    The head reads the mean over the patches, not a class token: one parameter and one place less.

    Args:
        patches: of an example.
        inputs: numbers of a patch.
        width: of the residual stream; the activation works at four times it.
        depth: number of blocks, each attention and a layer with one activation.
        heads: of attention, a divisor of ``width``.
        outputs: size of an output.
    """

    def __init__(self, patches: int, inputs: int, width: int, depth: int, heads: int, outputs: int) -> None:
        super().__init__()
        self.patches = nn.Linear(inputs, width)
        self.positions = nn.Embedding(patches, width)
        pairs = ((_attention(width, heads, causal=False), _layer(width)) for _ in range(depth))
        self.blocks = nn.Sequential(*(block for pair in pairs for block in pair))
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Outputs for patches ``x``, shape (batch, outputs)."""
        places = torch.arange(x.shape[-2], device=x.device)
        result: Tensor = self.head(self.blocks(self.patches(x) + self.positions(places)).mean(dim=-2))
        return result


def _attention(width: int, heads: int, *, causal: bool = True) -> Residual:
    return Residual(nn.Sequential(nn.LayerNorm(width), Attention(width, heads, causal=causal)))


def _layer(width: int) -> Residual:
    inner, outer = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
    return Residual(nn.Sequential(nn.LayerNorm(width), inner, nn.ReLU(), outer))


def _gated_layer(width: int) -> Residual:
    return Residual(nn.Sequential(nn.LayerNorm(width), GatedLayer(width, 8 * width // 3)))
