"""Kernels: the forward functions that torch does not have in the form that the table of operators needs.

Those that end in ``slope`` are torch's own kernels for backward passes: one pass over memory instead of three to eight.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import forward_ad

Value = Tensor | float  # an input: a constant may be a number or a tensor without dimensions


def like(value: Value, other: Value) -> Tensor:
    """A tensor for a constant that meets a tensor, in the tensor's dtype and on its device."""
    if isinstance(value, Tensor):
        return value
    assert isinstance(other, Tensor)
    return torch.full((), fitting(value, other.dtype), dtype=other.dtype, device=other.device)


def fitting(value: float, dtype: torch.dtype) -> float:
    """The value, infinite where a type cannot hold it: so arithmetic rounds it, while ``torch.full`` refuses it."""
    return math.copysign(math.inf, value) if abs(value) > torch.finfo(dtype).max else value


def div(a: Value, b: Value) -> Tensor:
    """a / b, elementwise; shapes broadcast."""
    return torch.div(like(a, b), b)


def power(a: Value, b: Value) -> Tensor:
    """a ** b, elementwise; an exponent beyond the dtype of ``a`` is infinite."""
    if isinstance(a, Tensor) and not isinstance(b, Tensor):
        b = fitting(b, a.dtype)
    return torch.pow(a, b)  # type: ignore[arg-type]


def maximum(a: Value, b: Value) -> Tensor:
    """The larger input, elementwise; NaN where one is NaN."""
    return torch.maximum(like(a, b), like(b, a))


def minimum(a: Value, b: Value) -> Tensor:
    """The smaller input, elementwise; NaN where one is NaN."""
    return torch.minimum(like(a, b), like(b, a))


#: Comparisons: their value is 1 or 0 in the inputs' dtype, but ``where`` takes the condition as it is.
COMPARISONS: dict[str, Callable[[Value, Value], Tensor]] = {
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}


def comparison(name: str) -> Callable[[Value, Value], Tensor]:
    """The comparison of a name, such as ``"lt"``, as a function that gives 1 or 0 in the dtype of its inputs."""

    def forward(a: Value, b: Value) -> Tensor:
        mapped = torch._C._are_functorch_transforms_active()  # then b may hold more than a, though it does not show
        if isinstance(a, Tensor) and (not isinstance(b, Tensor) or (b.dim() == 0 and not mapped)):
            # in place in a's dtype: four times as fast as a mask of another type that is converted afterwards
            in_place: Callable[[Value], Tensor] = getattr(a.clone(), f"{name}_")
            return in_place(b)
        return COMPARISONS[name](a, b).to((a if isinstance(a, Tensor) else like(b, b)).dtype)

    return forward


def select(condition: Tensor, a: Value, b: Value, model: Tensor) -> Tensor:
    """``a`` where a boolean condition holds, else ``b``, in the dtype of ``model``."""
    return torch.where(condition, like(a, model), like(b, model))


def where(condition: Value, a: Value, b: Value) -> Tensor:
    """``a`` where the condition is not 0, else ``b``; in the dtype of the tensors."""
    if not isinstance(condition, Tensor):
        condition = like(condition, a if isinstance(a, Tensor) else b)
    return torch.where(condition != 0, like(a, condition), like(b, condition))


def where_compared(name: str) -> Callable[[Value, Value, Value, Value], Tensor]:
    """``where(compare(c, d), a, b)`` as one function of c, d, a, b: no mask is turned into numbers and back."""
    compare = COMPARISONS[name]

    def forward(c: Value, d: Value, a: Value, b: Value) -> Tensor:
        return select(compare(c, d), a, b, c if isinstance(c, Tensor) else like(d, d))

    return forward


def paired(a: Value, b: Value) -> Tensor:
    """The value of a with the derivatives of b, by autograd of either mode; 0 where b is not finite."""
    model = a if isinstance(a, Tensor) else b
    value, slope = like(a, model).detach(), like(b, model)
    return value - (slope.detach() - slope).nan_to_num(0.0)  # a - 0.0 is a, -0.0 included


def sinc(a: Tensor) -> Tensor:
    """sin(a) / a, 1 at 0."""
    return torch.sinc(a / math.pi)


def sinc_prime(a: Tensor) -> Tensor:
    """The derivative of :func:`sinc`; a series near 0, where the formula cancels."""
    small = a.abs() < 0.1
    safe = torch.where(small, torch.ones_like(a), a)
    series = a * (-1 / 3 + a * a * (1 / 30 - a * a * (1 / 840 - a * a / 45360)))
    return torch.where(small, series, (torch.cos(safe) - torch.sin(safe) / safe) / safe)


def softplus(a: Tensor) -> Tensor:
    """log(1 + exp(a)), without overflow."""
    # torch's own threshold of 20 is wrong by 2e-9; at 40 the two branches agree to the last bit of float64
    return F.softplus(a, 1.0, 40.0)


def log_abs(a: Tensor) -> Tensor:
    """log(abs(a) + 1e-7)."""
    return torch.log(torch.abs(a) + 1e-7)


def sqrt_abs(a: Tensor) -> Tensor:
    """sqrt(abs(a))."""
    return torch.sqrt(torch.abs(a))


def signed_log(a: Tensor) -> Tensor:
    """sign(a) * log(abs(a)), 0 at 0, where 0 times minus infinity would be NaN."""
    return torch.where(a != 0, torch.sign(a) * torch.log(torch.abs(a)), a.new_zeros(()))


def signed_sqrt(a: Tensor) -> Tensor:
    """sign(a) * sqrt(abs(a))."""
    return torch.sign(a) * torch.sqrt(torch.abs(a))


def log_sigmoid(a: Tensor) -> Tensor:
    """log(sigmoid(a)), without overflow."""
    return -softplus(-a)


def gelu_tanh(a: Tensor) -> Tensor:
    """GELU by torch's approximation with tanh."""
    return F.gelu(a, approximate="tanh")


def symlog(a: Tensor) -> Tensor:
    """sign(a) * log(1 + abs(a))."""
    # not sign(a)*log1p(|a|), whose slope is 1 at 0 while torch finds 0; a maximum splits its gradient at a tie
    return torch.log1p(torch.maximum(a, a.new_zeros(()))) - torch.log1p(torch.maximum(-a, a.new_zeros(())))


def symexp(a: Tensor) -> Tensor:
    """sign(a) * (exp(abs(a)) - 1)."""
    return torch.expm1(torch.maximum(a, a.new_zeros(()))) - torch.expm1(torch.maximum(-a, a.new_zeros(())))


_elu_backward: Callable[..., Tensor] = torch.ops.aten.elu_backward
_gelu_backward: Callable[..., Tensor] = torch.ops.aten.gelu_backward
_leaky_relu_backward: Callable[..., Tensor] = torch.ops.aten.leaky_relu_backward
_sigmoid_backward: Callable[..., Tensor] = torch.ops.aten.sigmoid_backward
_silu_backward: Callable[..., Tensor] = torch.ops.aten.silu_backward
_tanh_backward: Callable[..., Tensor] = torch.ops.aten.tanh_backward
_threshold_backward: Callable[..., Tensor] = torch.ops.aten.threshold_backward


def positive(g: Value, a: Value) -> Tensor:
    """g where a > 0, else 0: the backward pass of ReLU."""
    # a selection, as where(a <= 0, 0, g) is, which takes seven times as long
    return _threshold_backward(like(g, a), like(a, g), 0.0)


def leaky_relu_slope(g: Value, a: Value) -> Tensor:
    """g times the slope of leaky ReLU at the input a."""
    return _leaky_relu_backward(like(g, a), like(a, g), 0.01, False)


def elu_slope(g: Value, y: Value) -> Tensor:
    """g times the slope of ELU where its output is y."""
    return _elu_backward(like(g, y), 1.0, 1.0, 1.0, True, like(y, g))


def selu_slope(g: Value, y: Value) -> Tensor:
    """g times the slope of SELU where its output is y."""
    return _elu_backward(like(g, y), 1.6732632423543772, 1.0507009873554805, 1.0, True, like(y, g))


def sigmoid_slope(g: Value, y: Value) -> Tensor:
    """g times the slope of the sigmoid where its output is y."""
    return _sigmoid_backward(like(g, y), like(y, g))


def tanh_slope(g: Value, y: Value) -> Tensor:
    """g times the slope of tanh where its output is y."""
    return _tanh_backward(like(g, y), like(y, g))


def silu_slope(g: Value, a: Value) -> Tensor:
    """g times the slope of SiLU at the input a."""
    g, a = like(g, a), like(a, g)
    # torch has no derivative of its kernel, and no public way to ask for forward mode: it has levels from 0 on
    if forward_ad._current_level >= 0 or (torch.is_grad_enabled() and (g.requires_grad or a.requires_grad)):
        s = torch.sigmoid(a)
        return g * s * (1 + a * (1 - s))
    return _silu_backward(g, a)


def gelu_slope(g: Value, a: Value) -> Tensor:
    """g times the slope of GELU at the input a."""
    slope, at = torch.broadcast_tensors(like(g, a), like(a, g))
    return _gelu_backward(slope + torch.zeros_like(at), at)  # a kernel that does not broadcast
