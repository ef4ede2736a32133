"""Looks at what stands in the places of an untouched network, as an activation slot lets measures look at candidates.

The modules stay as they are. A forward hook hands inputs and outputs on to ``after``, where there is one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from evaluators.places.survey import find_sites
from evaluators.tasks.base import Inputs, Task
from evaluators.training.stacking.activation_slot import After


class Look:
    """One module of a network, looked at while ``after`` is set.

    ``after`` is as that of :class:`evaluators.training.stacking.activation_slot.ActivationSlot`. A module that writes
    into its input, or that is called by keyword, is seen with its output for both. While ``dtype`` is set, inputs by
    position and the output are rounded to it.
    """

    def __init__(self, module: nn.Module, after: After | None = None) -> None:
        self.after = after
        self.dtype: torch.dtype | None = None
        self._hooks = (module.register_forward_pre_hook(self._rounded), module.register_forward_hook(self._look))

    def remove(self) -> None:
        """End the look."""
        for hook in self._hooks:
            hook.remove()

    def _rounded(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        return None if self.dtype is None else tuple(each.to(self.dtype).to(each.dtype) for each in inputs)

    def _look(self, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        output = output if self.dtype is None else output.to(self.dtype).to(output.dtype)
        return output if self.after is None else _apply(self.after, inputs[0] if inputs else output, output)


def looks(network: nn.Module, task: Task, x: Inputs) -> list[Look]:
    """A look at each module that a candidate would take the place of; the network is called once.

    Args:
        network: as it came from the task.
        task: says what would be replaced.
        x: inputs for the network.

    Raises:
        TaskError: see :func:`evaluators.places.survey.find_sites`.
    """
    standing = [site.standing() for site in find_sites(network, task, x)]
    return [Look(module) for module in dict.fromkeys(standing)]


class _Seen(torch.autograd.Function):
    """``after`` of stacked inputs and outputs; derivatives are those of the outputs.

    The stack is the outermost level of vmap. Every level moves its dimension to the front, from the innermost on, so
    that the stack's is the first one in the end.
    """

    @staticmethod
    def forward(after: After, x: Tensor, output: Tensor) -> Tensor:
        return after(x, output).clone()  # it may be the output itself, which autograd would take for changed

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
        return None, None, gradient

    @staticmethod
    def vmap(info: Any, in_dims: Any, after: After, *tensors: Tensor) -> tuple[Tensor, int]:
        fronted = [
            tensor.unsqueeze(0).expand(info.batch_size, *tensor.shape) if dim is None else tensor.movedim(dim, 0)
            for tensor, dim in zip(tensors, in_dims[1:], strict=True)
        ]
        return _apply(after, *fronted), 0


def _apply(after: Callable[[Tensor, Tensor], Tensor], x: Tensor, output: Tensor) -> Tensor:
    result: Tensor = _Seen.apply(after, x, output)  # type: ignore[no-untyped-call]
    return result
