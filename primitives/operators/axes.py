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


#: Index sets of statistics, over examples (n), channels (c), positions (p), or the channels of a group (g).
INDEX_SETS = ("np", "cp", "p", "gp", "c")
PER_GROUP = 16

_BITS = {"n": 1, "c": 2, "g": 2, "p": 4}
#: All axes of an input, as a mask.
ALL_AXES = 7


def mask(letters: str) -> int:
    """Axes as bits: 1 for examples, 2 for channels, 4 for positions. A group of channels counts as channels."""
    return sum({_BITS[letter] for letter in letters})


def letters_of(axes: int) -> str:
    """The letters of a mask, in the order n, c, p."""
    return "".join(letter for letter in "ncp" if axes & _BITS[letter])


def lost(axes: int, letters: str) -> int:
    """The axes that remain of some when a statistic is taken over letters; groups of channels remain."""
    return axes & ~mask(letters.replace("g", ""))


@dataclass(frozen=True, slots=True)
class Axes:
    """What the dimensions of a tensor are, counted from the last one: what is put in front of them moves none.

    Args:
        channels: the dimension of channels; None: there is none, and what is per channel is one for all.
        dims: the dimensions of an input, of which the first are the examples; 0 where no statistic asks for it.
        per_group: a group of channels has at most so many; EvoNorm has 16 in small networks (arXiv 2004.02967).
    """

    channels: int | None = None
    dims: int = 0
    per_group: int = PER_GROUP

    def shaped(self, value: Tensor) -> Tensor:
        """A value per channel, (..., C), with a dimension of one for each that a tensor has behind its channels.

        Without channels C is one, and its dimension goes.
        """
        behind = () if self.channels is None else (value.shape[-1], *[1] * (-1 - self.channels))
        return value.reshape((*value.shape[:-1], *behind))

    def over(self, letters: str) -> list[int]:
        """The dimensions of some axes other than groups: positions are all that are neither examples nor channels."""
        examples = -self.dims
        named = {"n": [examples], "c": [] if self.channels is None else [self.channels]}
        named["p"] = [dim for dim in range(examples + 1, 0) if dim != self.channels]
        return [dim for letter in letters for dim in named[letter]]

    def group(self, channels: int) -> int:
        """The channels of a group: the largest divisor of their number that is at most ``per_group``."""
        return max(size for size in range(1, min(channels, self.per_group) + 1) if channels % size == 0)

    def picked(self, statistic: Tensor, *, per_channel: bool) -> Tensor:
        """Of a statistic over all but channels, as wide as its input, (..., C), or (...,) unless ``per_channel``."""
        kept = self.channels if per_channel else None
        return statistic[(..., *[slice(None) if dim == kept else 0 for dim in range(-self.dims, 0)])]


def usual_axes(dims: int) -> Axes:
    """The axes of an input of which nothing else is known: channels in dimension 1, as for ``nn.PReLU``."""
    return Axes(1 - dims if dims > 1 else None, dims)


def axes_of(shape: tuple[int, ...], channels: int | None, channel_dim: int | None) -> Axes:
    """The axes of an input, by :func:`channel_axis`; dimension 1 holds channels where nothing is said of them.

    Raises:
        ValueError: it has another number of channels, or either of two dimensions could be theirs.
    """
    usual = usual_axes(len(shape))
    if channel_dim is None and (channels or 1) == 1:
        return usual
    dim = channel_dim if channel_dim is None or channel_dim < 0 else channel_dim - len(shape)
    if channels == 1 or channels is None:
        return Axes(dim, len(shape))
    return Axes(channel_axis(shape, channels, channel_dim), len(shape))
