"""Activation act_9_20.

    f(x) =     (max(0,x)+tanh(tanh(x)))*w+shift; w=1:channel, shift=0:channel
    factor:    1.0 (the functions below compute the factor times f)
"""

import torch
from torch import nn

__all__ = ["GAIN", "act_9_20", "act_9_20_plain", "Act920", "replace"]

#: 1/sqrt(E act_9_20(z)^2) for a standard normal z: layers behind it keep the scale of their inputs if their weights
#: have the standard deviation GAIN/sqrt(fan_in)
GAIN = 0.8862609644534294


def _value(x, w, shift):
    """The formula, in the dtype of x."""
    w = w.to(x.dtype)
    shift = shift.to(x.dtype)
    t1 = torch.maximum(_as_tensor(0.0, x), x) + torch.tanh(torch.tanh(x))
    return (t1 * w) + shift


def _slopes(x, w, shift):
    """Its derivatives by each argument."""
    w = w.to(x.dtype)
    shift = shift.to(x.dtype)
    t1 = torch.where(0.0 > x, _as_tensor(0.0, x), _as_tensor(1.0, x))
    t2 = torch.tanh(x)
    t3 = torch.tanh(t2)
    t4 = w * (t1 + ((1.0 - (t3 * t3)) * (1.0 - (t2 * t2))))
    return (t4, torch.maximum(_as_tensor(0.0, x), x) + t3, 1.0)


class _Act920Function(torch.autograd.Function):
    """The formula with a gradient that keeps only the inputs and can be differentiated again."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x, w, shift):
        return _without_autocast(_value, x, w, shift)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, gradient):
        inputs = ctx.saved_tensors
        slopes = _without_autocast(_slopes, *inputs)
        return tuple(_reduced(gradient * slope, value) for slope, value in zip(slopes, inputs))


def act_9_20(x: torch.Tensor, w: torch.Tensor | float = 1.0, shift: torch.Tensor | float = 0.0, inplace: bool = False, channel_dim=None) -> torch.Tensor:
    """Value at x, elementwise, in the dtype of x; parameters broadcast with x.

    A parameter per channel of shape (channels,) meets dimension ``channel_dim`` of x, by default dimension 1, or the
    last one where that alone has so many entries.

    Where a graph is compiled or exported this is the plain form. With ``inplace`` the result is written into x,
    unless a gradient is recorded: the gradient needs x.
    """
    w = _per_channel(w, x, channel_dim)
    shift = _per_channel(shift, x, channel_dim)
    if torch.compiler.is_compiling() or torch.compiler.is_exporting():
        result = act_9_20_plain(x, w, shift, channel_dim=channel_dim)
    else:
        result = _Act920Function.apply(x, _as_tensor(w, x), _as_tensor(shift, x))
    return x.copy_(result) if inplace and not result.requires_grad else result


def act_9_20_plain(x: torch.Tensor, w: torch.Tensor | float = 1.0, shift: torch.Tensor | float = 0.0, channel_dim=None) -> torch.Tensor:
    """The same value from ordinary operators: for tracing and for forward-mode derivatives."""
    w = _per_channel(w, x, channel_dim)
    shift = _per_channel(shift, x, channel_dim)
    return _without_autocast(_value, x, _as_tensor(w, x), _as_tensor(shift, x))


class Act920(nn.Module):
    """Module form of ``act_9_20``.

    Args:
        channels: their number; 1: one value for all.
        inplace: write the result into the input where no gradient is recorded.
        device: of the parameters.
        dtype: of the parameters.
        channel_dim: dimension of channels in the input, as torch counts: 1 in (N, C, ...), -1 where they come last. By
            default it is dimension 1, as for nn.PReLU, or the last one where that alone has so many entries.

    A parameter that is one for the layer has the shape (1,), one per channel (channels,).
    Set ``plain`` to True to use the plain form always.
    """

    plain = False

    def __init__(
        self, channels: int | None = None, inplace: bool = False, device=None, dtype=None, channel_dim=None
    ) -> None:
        super().__init__()
        if channels is None or channels < 1:
            raise ValueError(f"parameters per channel need the number of channels, got {channels}")
        self.channels, self.channel_dim = channels, channel_dim
        self.inplace = inplace
        self.w = nn.Parameter(torch.empty(channels, device=device, dtype=dtype))
        self.shift = nn.Parameter(torch.empty(channels, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the parameters to their initial values."""
        nn.init.constant_(self.w, 1.0)
        nn.init.constant_(self.shift, 0.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.plain:
            return act_9_20_plain(x, self.w, self.shift, channel_dim=self.channel_dim)
        return act_9_20(x, self.w, self.shift, inplace=self.inplace, channel_dim=self.channel_dim)

    def extra_repr(self) -> str:
        return f"channels={self.channels}, inplace={self.inplace}"


def replace(model: nn.Module, old_type, new_factory) -> int:
    """Put ``new_factory()`` in the place of every submodule of a type; return the number of places.

    ``replace(model, nn.ReLU, lambda: Act920(64))`` is an example. A module that is used in several places is replaced
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
            new = new_factory()
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


def _as_tensor(value, x):
    """A number as a tensor like x, without dimensions."""
    return value if isinstance(value, torch.Tensor) else torch.full((), value, dtype=x.dtype, device=x.device)


def _per_channel(parameter, x, channel_dim):
    """A parameter of shape (channels,) in the shape that meets x; numbers and others broadcast as they are."""
    if getattr(parameter, "ndim", 0) != 1:
        return parameter
    axis = _channel_axis(x.shape, parameter.shape[0], channel_dim)
    return parameter.reshape(() if axis is None else (-1, *[1] * (-1 - axis)))


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
