"""The plain form, ordinary torch operators alone, and what torch.compile makes of a layer.

torch's own derivatives of these operators multiply 0 with an overflow where ours do not: the gradient of GoLU below
-88.8 would be NaN in compiled code and finite in eager mode. So torch.compile sees an autograd function whose
backward is our derivative, in ordinary operators too. It compiles to code as fast and keeps the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor
from torch.autograd import forward_ad

from primitives.expression.derivative import derivative
from primitives.expression.evaluation import Program, compiled
from primitives.expression.expression import Expression


@final
@dataclass(frozen=True, slots=True)
class PlainForm:
    """An expression with its value and its slopes as code that torch can trace; make one with :func:`plain_form`.

    Tracing goes through no cache and no table of ours. It copies and pickles as its expression.
    """

    expression: Expression
    names: tuple[str, ...]  # of the operands
    value: Program
    derived: Program  # the same with torch's derivatives right for pairs, too
    slopes: Program  # by x, then by each operand

    def __reduce__(self) -> tuple[Callable[[Expression], PlainForm], tuple[Expression]]:
        return plain_form, (self.expression,)

    def __call__(self, x: Tensor, parameters: Sequence[Tensor]) -> Tensor:
        """Value at ``x`` in its dtype, with torch's own derivatives of every kind and order where there are any."""
        transformed = forward_ad._current_level >= 0 or torch._C._are_functorch_transforms_active()
        derives = transformed or torch.is_grad_enabled()
        return self._run(self.derived if derives else self.value, x, parameters)[0]

    def traced(self, x: Tensor, parameters: Sequence[Tensor]) -> Tensor:
        """The same with our first derivatives, under torch.compile."""
        # an autograd function breaks tracing inside torch.func transforms, and in dynamo where nothing needs a gradient
        wanted = torch.is_grad_enabled() and any(t.requires_grad for t in (x, *parameters))
        if torch._C._are_functorch_transforms_active():
            return self(x, parameters)
        if not wanted:
            return self.only_value(x, parameters)
        result: Tensor = _Traced.apply(self, x, *parameters)  # type: ignore[no-untyped-call]
        return result

    def only_value(self, x: Tensor, parameters: Sequence[Tensor]) -> Tensor:
        """Value at ``x`` where torch derives nothing: of a pair the first part alone is computed."""
        return self._run(self.value, x, parameters)[0]

    def gradients(self, gradient: Tensor, x: Tensor, parameters: Sequence[Tensor]) -> list[Tensor]:
        """Gradients of ``x`` and of each parameter, given that of the output."""
        slopes = self._run(self.slopes, x, parameters)
        pairs = zip((x, *parameters), slopes, strict=True)
        return [(gradient * slope).sum_to_size(t.shape).to(t.dtype) for t, slope in pairs]

    def _run(self, program: Program, x: Tensor, parameters: Sequence[Tensor]) -> list[Tensor]:
        pairs = zip(self.names, parameters, strict=True)
        named = {name: t if t.dtype == x.dtype else t.to(x.dtype) for name, t in pairs}
        with without_autocast(x):
            return program.run(x, named)


def plain_form(expression: Expression) -> PlainForm:
    """Make the plain form of an expression."""
    names = expression.operands
    slopes = compiled(tuple(derivative(expression, wrt) for wrt in ("x", *names)))
    derived = compiled((expression,), pairs=expression.is_paired)
    return PlainForm(expression, names, compiled((expression,)), derived, slopes)


def without_autocast(x: Tensor) -> AbstractContextManager[Any]:
    """Context in which operators keep the dtype of ``x``; where autocast is off, one that leaves no trace in graphs."""
    kind = x.device.type
    on = torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)
    return torch.autocast(kind, enabled=False) if on else nullcontext()


class _Traced(torch.autograd.Function):
    @staticmethod
    def forward(form: PlainForm, x: Tensor, *parameters: Tensor) -> Tensor:
        return form.only_value(x, parameters)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.form, *tensors = inputs
        ctx.save_for_backward(*tensors)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, *parameters = ctx.saved_tensors
        return None, *ctx.form.gradients(gradient, x, parameters)
