"""Which dimension of a place's input holds its channels: followed from the layers of a network, else guessed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

from evaluators.errors import TaskError
from evaluators.tasks.place import Place


@dataclass(frozen=True, slots=True)
class Channels:
    """The channels of the inputs of a place.

    Args:
        channels: how many.
        channel_dim: their dimension, counted from the last one, -1.
        known: a layer says so; False: it is a guess.
        differ: the place has inputs of several kinds, for which what is per channel is one for all.
    """

    channels: int
    channel_dim: int
    known: bool
    differ: bool = False


class Following(TorchFunctionMode):
    """While it is entered, notes of each tensor that torch computes which of its dimensions holds channels.

    They begin in the outputs of layers, called as modules or as functions, and are carried by elementwise functions of
    tensors that agree, norms, dropout, pooling, and by what moves dimensions. All other functions lose them.
    """

    def __init__(self) -> None:
        super().__init__()
        self._known: Any = WeakTensorKeyDictionary()

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: Sequence[object] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> Any:
        given = list(_tensors([*args, *(kwargs or {}).values()]))
        known = tuple((tensor, dim) for tensor in given if (dim := self._dim(tensor)) is not None)
        shape = given[0].shape if given else torch.Size()
        result = func(*args, **(kwargs or {}))
        outputs = list(_tensors([result]))
        rule = _RULES.get(getattr(func, "__name__", "").strip("_"), _lost)
        dims = rule(_Call(func, args, kwargs or {}, given, known, shape), outputs) if outputs else []
        for output, dim in zip(outputs, dims, strict=True):
            self._known.pop(output, None)
            if dim is not None and -dim <= output.dim():
                self._known[output] = dim
        return result

    def _dim(self, x: Tensor) -> int | None:
        """What is known of a tensor, unless it was bound to other data since."""
        dim: int | None = self._known.get(x)
        return dim if dim is not None and -dim <= x.dim() else None

    def seen(self, x: Tensor) -> Channels:
        """The channels of an input of a place.

        Where no layer says so they are in dimension 1 of four dimensions and more, else in the last one; a vector has
        none.
        """
        dim = self._dim(x)
        if dim is not None:
            return Channels(x.shape[dim], dim, known=True)
        if x.dim() < 2:
            return Channels(1, -1, known=True)
        guess = 1 - x.dim() if x.dim() > 3 else -1
        return Channels(x.shape[guess], guess, known=x.dim() == 2)  # of two, dimension 1 is the last


def declared(place: Place, dim: int, shape: Sequence[int]) -> Channels:
    """The channels of an input whose dimension of channels a task says.

    Raises:
        TaskError: the input has not that dimension.
    """
    if not -len(shape) <= dim < len(shape):
        said = f"Place({getattr(place.match, '__name__', repr(place.match))}, channel_dim={dim})"
        raise TaskError(f"replaced: {said}: expected a dimension of its input, got one of shape {tuple(shape)}")
    return Channels(shape[dim], dim - len(shape) if dim >= 0 else dim, known=True)


def row_of(shape: Sequence[int], dim: int | None) -> Channels:
    """The entries of a softmax as channels; their dimension is 0 where it names none that the input has."""
    if dim is None or not -len(shape) <= dim < len(shape):
        return Channels(1, 0, known=False)
    return Channels(shape[dim], dim - len(shape) if dim >= 0 else dim, known=True)


def agreed_rows(calls: Sequence[Channels]) -> Channels:
    """The channels of a row's place: the dimension is the same, and the number is 1 where rows differ in length.

    The dimension is 0 where calls differ in it, or name none.
    """
    dims, counts = {call.channel_dim for call in calls}, {call.channels for call in calls}
    dim = dims.pop() if len(dims) == 1 else 0
    return Channels(counts.pop(), dim, known=True) if len(counts) == 1 else Channels(1, dim, known=True, differ=True)


def agreed(calls: Sequence[Channels]) -> Channels:
    """The channels of a place from those of its calls; one for all where these differ, or where there are none."""
    if not calls:
        return Channels(1, -1, known=True)
    first = calls[0]
    if any((call.channels, call.channel_dim) != (first.channels, first.channel_dim) for call in calls):
        return Channels(1, -1, known=True, differ=True)
    return Channels(first.channels, first.channel_dim, known=all(call.known for call in calls))


@dataclass(frozen=True, slots=True)
class _Call:
    """A call of a function of torch: what it was given, and of which of these tensors the channels are known.

    ``shape`` is that of the first tensor before the call, which may change it in place.
    """

    func: Callable[..., Any]
    args: Sequence[object]
    kwargs: Mapping[str, object]
    given: Sequence[Tensor]
    known: Sequence[tuple[Tensor, int]]
    shape: torch.Size


#: The dimensions of the channels of a call's outputs.
_Rule = Callable[[_Call, Sequence[Tensor]], Sequence[int | None]]


def _lost(call: _Call, outputs: Sequence[Tensor]) -> Sequence[int | None]:
    return [None] * len(outputs)


def _layer(dim: int, call: _Call, outputs: Sequence[Tensor]) -> Sequence[int | None]:
    return [dim] * len(outputs)


def _first(call: _Call, outputs: Sequence[Tensor]) -> Sequence[int | None]:
    return [1 - output.dim() for output in outputs]


def _normalised(call: _Call, outputs: Sequence[Tensor]) -> Sequence[int | None]:
    """A norm over the last dimensions: its input's, or the only one that it is over."""
    if call.known:
        return _carried(call, outputs)
    shape = call.kwargs.get("normalized_shape", call.args[1] if len(call.args) > 1 else ())
    return [-1 if isinstance(shape, Sequence) and len(shape) == 1 else None]


def _product(call: _Call, outputs: Sequence[Tensor]) -> Sequence[int | None]:
    """The last dimension of a product, if that of the second factor holds channels, or if this one is a weight."""
    second = call.given[-1]
    of_weight = isinstance(second, Parameter) and second.dim() == 2
    known = any(tensor is second and dim == -1 for tensor, dim in call.known)
    return [-1 if of_weight or known else None for _ in outputs]


def _joined(call: _Call, outputs: Sequence[Tensor]) -> Sequence[int | None]:
    """Where all that are known agree."""
    dims = {dim for _, dim in call.known}
    return [dims.copy().pop() if len(dims) == 1 else None for _ in outputs]


def _carried(call: _Call, outputs: Sequence[Tensor]) -> Sequence[int | None]:
    """The same, where the output has as many channels."""
    sizes = {tensor.shape[dim] for tensor, dim in call.known}
    dims = zip(outputs, _joined(call, outputs), strict=True)
    return [dim if dim is not None and -dim <= o.dim() and o.shape[dim] in sizes else None for o, dim in dims]


def _moved(call: _Call, outputs: Sequence[Tensor]) -> Sequence[int | None]:
    """Where the numbers of the channels go, when they are put through the same function."""
    if not call.known or call.known[0][0] is not call.given[0] or not call.shape.numel():
        return _lost(call, outputs)
    x, dim = call.known[0]
    count = call.shape[dim]
    numbers = torch.arange(count, dtype=torch.float64, device=x.device).view(count, *[1] * (-1 - dim))
    marks = numbers.expand(call.shape).contiguous()
    args = [marks if value is x else value for value in call.args]
    kwargs = {name: marks if value is x else value for name, value in call.kwargs.items()}
    try:
        dims = [_varying(moved) for moved in _tensors([call.func(*args, **kwargs)])]
    except Exception:  # torch counts in types that not every function takes
        return _lost(call, outputs)
    return dims if len(dims) == len(outputs) else _lost(call, outputs)  # x._base, x.grad


def _varying(marks: Tensor) -> int | None:
    """The dimension along which numbers are all different, if along all others they are the same."""
    for dim in range(-marks.dim(), 0) if marks.numel() else ():
        rows = marks.movedim(dim, 0).reshape(marks.shape[dim], -1)
        if 1 < len(rows) == len(rows[:, 0].unique()) and bool((rows == rows[:, :1]).all()):
            return dim
    return None


def _tensors(values: Iterable[object]) -> Iterator[Tensor]:
    """The tensors among values and within their lists and tuples; nested ones have no shape."""
    for value in values:
        if isinstance(value, Tensor):
            yield from () if value.is_nested else (value,)
        elif isinstance(value, list | tuple):
            yield from _tensors(value)


_ARITHMETIC = "add sub mul div truediv floordiv pow mod"
_ELEMENTWISE = """
subtract multiply divide true_divide floor_divide remainder fmod addcmul addcdiv lerp where maximum minimum clamp
clamp_min clamp_max clip masked_fill gt ge lt le eq ne greater less logical_and logical_or logical_not and or invert
isnan isfinite neg negative pos positive abs sign floor ceil round trunc frac exp exp2 expm1 log log2 log10 log1p sqrt
rsqrt square reciprocal sin cos tan asin acos atan atan2 arctan sinh cosh tanh asinh acosh atanh sigmoid logit erf erfc
sinc nan_to_num relu relu6 leaky_relu prelu rrelu elu selu celu gelu silu mish hardswish hardtanh hardsigmoid
hardshrink softshrink tanhshrink softplus softsign log_sigmoid logsigmoid threshold softmax log_softmax softmin
normalize dropout dropout1d dropout2d dropout3d alpha_dropout feature_dropout feature_alpha_dropout clone contiguous
detach to type type_as float double half bfloat16 cpu cuda requires_grad copy zeros_like ones_like rand_like randn_like
"""
_POOLS = "avg_pool max_pool lp_pool adaptive_avg_pool adaptive_max_pool"
_POSITIONS = "interpolate upsample pad cumsum local_response_norm"  # these leave the channels where they are
_MOVES = """
permute transpose swapaxes swapdims movedim moveaxis t get flatten unflatten ravel reshape reshape_as view view_as
unsqueeze squeeze expand expand_as repeat tile broadcast_to chunk split split_with_sizes tensor_split unbind select
narrow getitem flip roll mean sum amax amin
"""
_LAST = """
linear bilinear embedding embedding_bag scaled_dot_product_attention lstm gru rnn_tanh rnn_relu lstm_cell gru_cell
rnn_tanh_cell rnn_relu_cell multi_head_attention_forward native_multi_head_attention transformer_encoder_layer_fwd
"""

#: By the name of a function, without the underscores around it.
_RULES: dict[str, _Rule] = {
    **dict.fromkeys(_ELEMENTWISE.split(), _carried),
    **{f"{kind}{name}": _carried for name in _ARITHMETIC.split() for kind in ("", "r", "i")},
    **{f"{name}{n}d{end}": _carried for name in _POOLS.split() for n in (1, 2, 3) for end in ("", "_with_indices")},
    **dict.fromkeys(_POSITIONS.split(), _carried),
    **dict.fromkeys(("cat", "concat", "concatenate"), _joined),
    **dict.fromkeys(_MOVES.split(), _moved),
    **dict.fromkeys(("batch_norm", "group_norm", "instance_norm"), _first),
    **dict.fromkeys(("layer_norm", "rms_norm"), _normalised),
    **dict.fromkeys(_LAST.split(), partial(_layer, -1)),
    **dict.fromkeys(("matmul", "mm", "bmm", "addmm", "baddbmm", "addbmm"), _product),
    **{f"conv{kind}{n}d": partial(_layer, -1 - n) for kind in ("", "_transpose") for n in (1, 2, 3)},
}
