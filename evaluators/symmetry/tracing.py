"""Signs traced through a network: what the sign of each operator's output is, given those of its inputs.

A pass of the network is watched operator by operator. A parameter's sign is unknown, data are +; products add signs,
sums need equal ones, and an operator that is not known here needs + and gives +. So what is found is never assumed to
hold: it is a choice of signs that training has to confirm.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from evaluators.machine.light_mode import LightMode
from evaluators.symmetry.equations import Equations

#: The inputs have one sign, and so has the output.
_LINEAR = frozenset(
    (
        *("view", "_unsafe_view", "reshape", "_reshape_alias", "as_strided", "t", "transpose", "permute", "expand"),
        *("unsqueeze", "squeeze", "select", "slice", "unbind", "split", "split_with_sizes", "unfold", "diagonal"),
        *("cat", "stack", "flip", "roll", "repeat", "clone", "detach", "alias", "_to_copy", "copy", "lift_fresh"),
        *("add", "sub", "rsub", "neg", "sum", "mean", "cumsum", "tril", "triu", "avg_pool1d", "avg_pool2d"),
        *("avg_pool3d", "_adaptive_avg_pool2d", "_adaptive_avg_pool3d", "upsample_nearest2d", "upsample_bilinear2d"),
        *("pixel_shuffle", "native_dropout"),
    )
)
_ODD = frozenset(("tanh", "sin", "asin", "sinh", "asinh", "atan", "atanh", "erf", "sgn", "sign", "round", "trunc"))
_EVEN = frozenset(("abs", "cos", "cosh", "var", "std", "norm", "linalg_vector_norm"))
#: The output's sign is the product of the first two inputs'.
_PRODUCTS = frozenset(("mm", "bmm", "mv", "dot", "mul", "div", "_weight_norm_interface"))
_ZEROS = frozenset(("zeros", "zeros_like", "new_zeros"))
#: Of their input they take the shape alone.
_OF_SHAPE = frozenset(("empty_like", "ones_like", "rand_like", "randn_like", "full_like", "new_ones", "new_empty"))


class Contradiction(Exception):
    """No signs of the parameters give what is wanted.

    Args:
        operator: where that showed.
    """

    def __init__(self, operator: str) -> None:
        super().__init__(operator)
        self.operator = operator


class Tracing(LightMode):
    """A context in which operators add to equations of signs.

    Args:
        named: parameters and buffers of the network.
        open_: names of those whose sign is unknown; others are +.
        inner: the sign that a place's input is to have, as a form: 0 for +, 1 for -.
        outer: the sign that a place's output has.
    """

    def __init__(self, named: Mapping[str, Tensor], open_: Collection[str], inner: int, outer: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.equations, self.inner, self.outer = Equations(), inner, outer
        self._forms: dict[int, int] = {}
        self._kept: list[Tensor] = []  # else a later tensor could have an earlier one's id
        self.unknowns = {name: self.equations.unknown() for name in named if name in open_}
        for name, form in self.unknowns.items():
            self._note(named[name], form)

    def found(self) -> tuple[str, ...]:
        """Names of the tensors to be negated."""
        negative = self.equations.negative()
        return tuple(name for name, form in self.unknowns.items() if form & negative)

    def at_place(self, x: Tensor) -> Tensor:
        """What a candidate returns for an input: its sign is another matter than the input's."""
        self._require(self._form(x) ^ self.inner, "a place")
        y = torch.clone(x)
        self._note(y, self.outer)
        return y

    def at_end(self, output: object) -> None:
        """The network's output stays what it was."""
        for tensor in _tensors(output):
            self._require(self._form(tensor), "the output")

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, object] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        name = func._schema.name.removeprefix("aten::").removesuffix("_")
        form = self._of(name, args, kwargs)
        results = func(*args, **kwargs)
        for tensor in _tensors(results):
            self._note(tensor, form)
        return results

    def _of(self, name: str, args: Sequence[Any], kwargs: Mapping[str, object]) -> int:
        """The sign of an operator's output."""
        forms = [self._form(tensor) for tensor in _tensors([*args, *kwargs.values()]) if tensor.is_floating_point()]
        if name in _ZEROS:
            return self.equations.unknown()  # 0 has either sign
        if rule := _RULES.get(name):
            return rule(self, args)
        if name in _PRODUCTS:
            return forms[0] ^ forms[1] if len(forms) > 1 else forms[0]
        if name in _EVEN or name in _OF_SHAPE:
            return 0
        if name in _ODD:
            return forms[0]
        if name in _LINEAR and forms:
            number = name in ("add", "sub", "rsub") and len(args) > 1 and isinstance(args[1], int | float) and args[1]
            return self._alike([*forms, 0] if number else forms, name)
        for form in forms:
            self._require(form, name)
        return 0

    def _alike(self, forms: Sequence[int], name: str) -> int:
        for form in forms[1:]:
            self._require(forms[0] ^ form, name)
        return forms[0]

    def _require(self, form: int, operator: str) -> None:
        if not self.equations.require(form):
            raise Contradiction(operator)

    def _form(self, tensor: object) -> int:
        return self._forms.get(id(tensor), 0)

    def _note(self, tensor: Tensor, form: int) -> None:
        self._forms[id(tensor)] = form
        self._kept.append(tensor)

    def copied(self, args: Sequence[Any]) -> int:
        """``copy_(to, source)``: the source's."""
        return self._form(args[1])

    def affine(self, args: Sequence[Any]) -> int:
        """``addmm(bias, a, b)``: the product's, and the bias has it, too."""
        return self._alike([self._form(args[1]) ^ self._form(args[2]), self._form(args[0])], "addmm")

    def convolved(self, args: Sequence[Any]) -> int:
        """``convolution(x, weight, bias, ...)``."""
        product = self._form(args[0]) ^ self._form(args[1])
        return product if args[2] is None else self._alike([product, self._form(args[2])], "convolution")

    def looked_up(self, args: Sequence[Any]) -> int:
        """``embedding(weight, indices)``."""
        return self._form(args[0])

    def raised(self, args: Sequence[Any]) -> int:
        """``pow(x, n)``."""
        form, power = self._form(args[0]), args[1]
        if isinstance(power, int | float) and power % 2 in (0, 1):
            return form if power % 2 else 0
        self._require(form, "pow")
        return 0

    def padded(self, args: Sequence[Any]) -> int:
        """``constant_pad_nd(x, widths, value)``, ``masked_fill(x, mask, value)``."""
        form = self._form(args[0])
        if args[2:] and not isinstance(args[2], Tensor) and args[2] == 0:
            return form
        self._require(form, "a constant")
        return 0

    def normalised(self, args: Sequence[Any]) -> int:
        """``native_layer_norm(x, shape, weight, bias, eps)``: odd but for the bias."""
        return self._scaled(self._form(args[0]), args[2], args[3], "layer_norm")

    def normalised_by_group(self, args: Sequence[Any]) -> int:
        """``native_group_norm(x, weight, bias, ...)``."""
        return self._scaled(self._form(args[0]), args[1], args[2], "group_norm")

    def normalised_by_batch(self, args: Sequence[Any]) -> int:
        """``native_batch_norm(x, weight, bias, running_mean, running_var, ...)``: the mean goes with the input."""
        form = self._form(args[0])
        if isinstance(args[3], Tensor):
            self._require(form ^ self._form(args[3]), "batch_norm")
        return self._scaled(form, args[1], args[2], "batch_norm")

    def _scaled(self, form: int, weight: Tensor | None, bias: Tensor | None, name: str) -> int:
        form ^= self._form(weight)
        return form if bias is None else self._alike([form, self._form(bias)], name)


_RULES: dict[str, Callable[[Tracing, Sequence[Any]], int]] = {
    "copy": Tracing.copied,
    "addmm": Tracing.affine,
    "addmv": Tracing.affine,
    "baddbmm": Tracing.affine,
    "convolution": Tracing.convolved,
    "embedding": Tracing.looked_up,
    "pow": Tracing.raised,
    "constant_pad_nd": Tracing.padded,
    "masked_fill": Tracing.padded,
    "native_layer_norm": Tracing.normalised,
    "native_group_norm": Tracing.normalised_by_group,
    "native_batch_norm": Tracing.normalised_by_batch,
    "cudnn_batch_norm": Tracing.normalised_by_batch,
}


class Turned(nn.Module):
    """What stands in a place while signs are traced."""

    def __init__(self, tracing: Tracing) -> None:
        super().__init__()
        self.tracing = tracing

    def forward(self, x: Tensor) -> Tensor:
        """``x`` with the sign of a candidate's output."""
        return self.tracing.at_place(x)


def _tensors(values: object) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor)]
