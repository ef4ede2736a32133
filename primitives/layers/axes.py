"""Which dimension of an input holds its channels: the one rule, of layers, of stacks and of exported code."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


# Exported modules hold the text of this function: it uses nothing but its arguments.
def channel_axis(shape: tuple[int, ...], channels: int, channel_dim: int | None = None) -> int | None:
    """The dimension of channels, counted from the last one, -1; None where one value is for all.

    It is ``channel_dim``, which counts as torch does. Without one it is dimension 1, as for ``nn.PReLU``, or the last
    one where that alone has so many entries. Three dimensions where both have are refused: they may be (examples,
    channels, length) or (examples, tokens, channels).
    """
    if channels == 1:
        return None
    size = len(shape)
    first, last = (-1, -1) if size < 2 else (1 - size, -1)
    if channel_dim is not None:
        first = last = channel_dim - size if channel_dim >= 0 else channel_dim
    if -size <= first < 0 and shape[first] == channels:
        if size == 3 and first != last and shape[last] == channels:
            text = f"dimension 1 and the last one of shape {tuple(shape)} both have {channels} entries"
            raise ValueError(f"{text}; give channel_dim=1 or channel_dim=-1")
        return first
    if -size <= last < 0 and shape[last] == channels:
        return last
    own = "the last dimension" if first == last else "dimension 1 or the last one"
    place = own if channel_dim is None else f"dimension {channel_dim}"
    raise ValueError(f"expected {channels} channels in {place}, got shape {tuple(shape)}")


@dataclass(frozen=True, slots=True)
class Axes:
    """What the dimensions of a tensor are, counted from the last one: what is put in front of them moves none.

    Args:
        channels: the dimension of channels; None: there is none, and what is per channel is one for all.
    """

    channels: int | None = None

    def shaped(self, value: Tensor) -> Tensor:
        """A value per channel, (..., C), with a dimension of one for each that a tensor has behind its channels.

        Without channels C is one, and its dimension goes.
        """
        behind = () if self.channels is None else (value.shape[-1], *[1] * (-1 - self.channels))
        return value.reshape((*value.shape[:-1], *behind))
