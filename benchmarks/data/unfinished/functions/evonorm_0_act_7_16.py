"""Normalisation-activation layer act_7_16.

    f(x) =     max(0,x)/rms_np(max(0,x))*w+shift; w=1:channel, shift=0:channel
    factor:    1.0 (the functions below compute the factor times f)

Letters behind a statistic are what it is taken over: n examples, c channels, p positions, g the channels of a group.
"""

import warnings

import torch
from torch import nn

__all__ = ["GAIN", "act_7_16", "Act716", "replace"]

#: 1/sqrt of the mean square of act_7_16 at standard normal inputs: layers behind it keep the scale of their inputs if
#: their weights have the standard deviation GAIN/sqrt(fan_in)
GAIN = 1.0000100245438066


def _training(x, w, shift, axes):
    """The formula, and the statistics over examples of which a layer keeps moving averages."""
    t1 = torch.maximum(_as_tensor(0.0, x), x)
    t2 = axes.mean(t1 ** 2.0, "np")
    return ((t1 / torch.sqrt(t2 + (1e-05))) * w) + shift, (t2,)


def _inference(x, w, shift, running1, axes):
    """The formula with numbers in the place of the statistics over examples."""
    t1 = torch.maximum(_as_tensor(0.0, x), x) / torch.sqrt(running1 + (1e-05))
    return (t1 * w) + shift, ()


def act_7_16(x: torch.Tensor, w: torch.Tensor | float = 1.0, shift: torch.Tensor | float = 0.0, channel_dim=None, per_group: int = 16) -> torch.Tensor:
    """Value at x by the statistics of this batch, in the dtype of x, with torch's derivatives.

    x has the shape (examples, channels, ...), or has its channels in dimension ``channel_dim``; parameters of shape
    (channels,) meet them. A group has as many channels as the largest divisor of their number that is at most
    ``per_group``. Types below float32 are computed in float32, under autocast too.
    """
    channels = max((len(p) for p in (w, shift, ) if isinstance(p, torch.Tensor) and p.ndim == 1), default=None)
    return _computed(_training, x, channels, channel_dim, per_group, w, shift)[0]


def _computed(form, x, channels, channel_dim, per_group, *values):
    """A form at x, in float32 at least: the value in the dtype of x, then the statistics."""
    axes, wide = _Axes(x, channels, channel_dim, per_group), torch.promote_types(x.dtype, torch.float32)
    given = [axes.shaped(_as_tensor(value, x).to(wide)) for value in values]
    value, statistics = _without_autocast(form, x.to(wide), *given, axes)
    return value.to(x.dtype), statistics


class Act716(nn.Module):
    """Layer form of ``act_7_16``, as nn.BatchNorm2d is one.

    In training statistics over examples are those of the batch, and moving averages of them are kept in buffers; in
    evaluation the averages stand for them. Statistics are those of one process: nothing is reduced between processes,
    and a warning says so.

    Args:
        channels: their number.
        apply_act: False: a scale and a shift per channel alone, as in the EvoNorm layers of timm.
        channel_dim: dimension of channels in the input, as torch counts: 1 in (N, C, ...), -1 where they come last. By
            default it is dimension 1, or the last one where that alone has so many entries.
        momentum: of the moving averages; None: the mean of all batches since they were reset.
        track_running_stats: keep moving averages; without, evaluation takes the statistics of the batch.
        per_group: a group of channels has at most so many.
        device: of parameters and buffers.
        dtype: of parameters and buffers.

    Other keyword arguments are ignored, so that the class can stand where timm makes a norm-act layer. A parameter that
    is one for the layer has the shape (1,), one per channel (channels,).
    """

    def __init__(
        self,
        channels: int | None = None,
        apply_act: bool = True,
        *,
        channel_dim: int | None = None,
        momentum: float | None = 0.1,
        track_running_stats: bool = True,
        per_group: int = 16,
        device=None,
        dtype=None,
        **_,
    ) -> None:
        super().__init__()
        if channels is None and (True or not apply_act):
            raise ValueError("expected the number of channels: a parameter or a running statistic is per channel")
        self.channels, self.channel_dim, self.per_group = channels, channel_dim, per_group
        self.apply_act, self.momentum = apply_act, momentum
        self.track_running_stats = track_running_stats and apply_act and True
        made = {"device": device, "dtype": dtype}
        if not apply_act:
            self.weight, self.bias = (nn.Parameter(torch.empty(channels, **made)) for _ in range(2))
            self.reset_parameters()
            return
        self.w = nn.Parameter(torch.empty(channels, **made))
        self.shift = nn.Parameter(torch.empty(channels, **made))
        if self.track_running_stats:
            self.register_buffer("running1", torch.empty(channels, **made))
            self.register_buffer("num_batches_tracked", torch.zeros((), dtype=torch.int64, device=device))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the parameters to their initial values, and begin the moving averages anew."""
        if not self.apply_act:
            nn.init.ones_(self.weight)
            nn.init.zeros_(self.bias)
            return
        nn.init.constant_(self.w, 1.0)
        nn.init.constant_(self.shift, 0.0)
        self.reset_running_stats()

    def reset_running_stats(self) -> None:
        """Begin the moving averages anew."""
        if self.track_running_stats:
            self.running1.fill_(0.0)
            self.num_batches_tracked.zero_()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        given = (x, self.channels, self.channel_dim, self.per_group)
        if not self.apply_act:
            return _computed(_affine, *given, self.weight, self.bias)[0]
        if self.track_running_stats and not self.training:
            return _computed(_inference, *given, self.w, self.shift, self.running1)[0]
        value, statistics = _computed(_training, *given, self.w, self.shift)
        if self.track_running_stats:
            _warn_of_processes()
            self._follow(statistics)
        return value

    @torch.no_grad()
    def _follow(self, statistics) -> None:
        """Move the averages towards the statistics of a batch."""
        self.num_batches_tracked.add_(1)
        share = 1.0 / self.num_batches_tracked.double() if self.momentum is None else self.momentum
        for average, statistic in zip((self.running1,), statistics):
            average.add_(share * (statistic.detach().to(average.dtype).reshape(average.shape) - average))

    def extra_repr(self) -> str:
        return f"channels={self.channels}, momentum={self.momentum}, track_running_stats={self.track_running_stats}"


def _affine(x, weight, bias, axes):
    return x * weight + bias, ()


def replace(model: nn.Module, old_type, new_factory) -> int:
    """Put ``new_factory(channels)`` in the place of every submodule of a type; return the number of places.

    ``replace(model, nn.BatchNorm2d, Act716)`` is an example. Channels are those of a
    normalisation layer; where a module of another type stood the factory is called without. Activations behind the
    layers go by ``replace(model, nn.ReLU, nn.Identity)``. A module that is used in several places is replaced
    by one new module in all of them. The model itself is not replaced.

    Where ``inplace=True`` stood, the new module's result overwrites its input, with a gradient, too. torch's
    transformer layers compute ReLU or GELU in eval mode, or in copies, whatever their module; they are made to call it.
    A function in an attribute, as from ``activation="relu"``, is no module: it stays, with a warning.
    """
    places = [
        (parent, name, child)
        for parent in model.modules()
        for name, child in parent._modules.items()
        if isinstance(child, old_type)
    ]
    made = {}
    for child in model.modules():  # in this order
        if child is not model and isinstance(child, old_type):
            new = new_factory(*_channels_of(child))
            made[child] = (_InPlace(new) if getattr(child, "inplace", False) is True else new).train(child.training)
    for parent, name, child in places:
        parent.register_module(name, made[child])
    _make_called(model, set(made.values()))
    _warn_of_functions(model, old_type)
    return len(places)


class _InPlace(nn.Module):
    """Writes the result of a module into its input; with a gradient, which needs the input, by way of a copy."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: torch.Tensor, *others: torch.Tensor) -> torch.Tensor:
        return x.copy_(self.module(x.clone() if torch.is_grad_enabled() else x, *others))


def _make_called(model, modules):
    for layer in model.modules():
        if modules.isdisjoint(layer.modules()):
            continue
        for flag in ("activation_relu_or_gelu", "use_nested_tensor"):  # the fused paths of eval mode
            if getattr(layer, flag, 0):
                setattr(layer, flag, 0)
        if isinstance(layer, nn.TransformerDecoderLayer) and "activation" in layer._modules:
            vars(layer)["activation"] = layer._modules["activation"]  # copies get torch's relu otherwise


def _warn_of_functions(model, old_type):
    import warnings

    types = old_type if isinstance(old_type, tuple) else (old_type,)
    kinds = {kind.__name__.lower(): kind.__name__ for kind in types}
    for path, module in model.named_modules():
        for name, value in vars(module).items():
            kind = kinds.get(str(getattr(value, "__name__", "")).replace("_", "").lower())
            if kind is not None and callable(value):
                place = f"{path}.{name}" if path else name
                text = f"not replaced: {place} is a function; make it a module first, {name}=nn.{kind}()"
                warnings.warn(text, stacklevel=3)


def _channels_of(module):
    """The number of channels that a normalisation layer has, if it has one."""
    shape = getattr(module, "normalized_shape", None)
    number = getattr(module, "num_features", getattr(module, "num_channels", shape[-1] if shape else None))
    return () if number is None else (number,)


class _Axes:
    """What the dimensions of an input are, counted from the last one, and statistics over them; all dimensions stay.

    n: examples, the first dimension; c: channels; p: positions, all others; g: the channels of a group, of which there
    are so many as the largest divisor of their number that is at most ``per_group``.
    """

    def __init__(self, x, channels, channel_dim, per_group):
        if x.ndim < 2:
            raise ValueError(f"expected an input (examples, channels, ...), got one of shape {tuple(x.shape)}")
        self.dims, self.per_group = x.ndim, per_group
        if channels is None or channels == 1:
            dim = 1 if channel_dim is None else channel_dim
            self.channels = dim - x.ndim if dim >= 0 else dim
        else:
            self.channels = _channel_axis(tuple(x.shape), channels, channel_dim)

    def shaped(self, value):
        """A value per channel of shape (channels,) in the shape that meets the input; others as they are."""
        if value.ndim != 1:
            return value
        return value.reshape(() if value.shape[0] == 1 else (-1, *[1] * (-1 - self.channels)))

    def mean(self, value, letters):
        return self._reduced(_mean, value, letters, value)

    def var(self, value, letters):
        return self._reduced(_var, value, letters, value * 0.0)

    def sum(self, value, letters):
        return self._reduced(_sum, value, letters, value)

    def max(self, value, letters):
        return self._reduced(_max, value, letters, value)

    def _reduced(self, function, value, letters, otherwise):
        """A statistic of a value; ``otherwise`` where it has none of the dimensions."""
        if "g" in letters and -self.channels <= value.ndim:
            return self._grouped(function, value)
        dims = self._over(letters.replace("g", ""), value)
        return function(value, dims) if dims else otherwise

    def _over(self, letters, value):
        named = {"n": [-self.dims], "c": [self.channels]}
        named["p"] = [dim for dim in range(1 - self.dims, 0) if dim != self.channels]
        return tuple(dim for letter in letters for dim in named[letter] if -dim <= value.ndim)

    def _grouped(self, function, value):
        """The same number for all channels of a group."""
        at = value.ndim + self.channels
        channels = value.shape[at]
        size = max(n for n in range(1, min(channels, self.per_group) + 1) if channels % n == 0)
        split = value.reshape((*value.shape[:at], channels // size, size, *value.shape[at + 1 :]))
        positions = [dim if dim > self.channels else dim - 1 for dim in self._over("p", value)]
        found = function(split, (self.channels, *positions))
        shape = [*found.shape]
        shape[self.channels] = size
        found = torch.broadcast_to(found, tuple(shape))
        return found.reshape((*found.shape[:at], channels, *found.shape[at + 2 :]))


def _mean(value, dims):
    return torch.mean(value, dims, keepdim=True)


def _var(value, dims):
    return torch.var(value, dims, correction=0, keepdim=True)


def _sum(value, dims):
    return torch.sum(value, dims, keepdim=True)


def _max(value, dims):
    return torch.amax(value, dims, keepdim=True)


def _channel_axis(shape: tuple[int, ...], channels: int, channel_dim: int | None = None) -> int | None:
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


def _as_tensor(value, x):
    """A number as a tensor like x, without dimensions."""
    return value if isinstance(value, torch.Tensor) else torch.full((), value, dtype=x.dtype, device=x.device)


def _without_autocast(function, x, *others):
    device = x.device.type
    if device != "meta" and torch.is_autocast_enabled(device):
        with torch.autocast(device, enabled=False):
            return function(x, *others)
    return function(x, *others)


def _reduced(gradient, value):
    """Sum a gradient to the shape of the value that it belongs to."""
    extra = gradient.dim() - value.dim()
    kept = [n == gradient.shape[extra + i] for i, n in enumerate(value.shape)]
    dims = [*range(extra), *(extra + i for i, same in enumerate(kept) if not same)]
    total = gradient.sum(dims, dtype=value.dtype) if dims else gradient.to(value.dtype)
    return total.reshape(value.shape)


_warned = []


def _warn_of_processes():
    """Say once that statistics over examples are those of one process, where several train together."""
    if _warned or torch.compiler.is_compiling() or not torch.distributed.is_available():
        return
    if torch.distributed.is_initialized() and torch.distributed.get_world_size() > 1:
        _warned.append(True)
        warnings.warn("statistics over examples are those of one process; others are not averaged in", stacklevel=3)
