"""Backend: the device and the types of a training."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from evaluators.errors import EvaluationError
from primitives.quoting import quoted

#: What autocast may lower to, by the name that configs use.
AUTOCAST: dict[str, torch.dtype] = {"bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True, slots=True)
class Backend:
    """A device and the types on it.

    Args:
        device: ``"cpu"``, ``"cuda"``, ``"cuda:1"``.
        dtype: of weights, data, loss and optimiser.
        autocast: of what torch's autocast lowers in the network, for example ``torch.bfloat16``, or None. The
            activation works in the type of its input.
    """

    device: str = "cpu"
    dtype: torch.dtype = torch.float32
    autocast: torch.dtype | None = None

    def place(self, tensor: Tensor) -> Tensor:
        """A tensor on the device; a floating point one in ``dtype``."""
        return tensor.to(self.device, self.dtype if tensor.is_floating_point() else tensor.dtype)

    def move(self, network: nn.Module) -> None:
        """Put a network on the device, in place: what is of torch's usual float32 in ``dtype``, the rest in its own."""
        for tensor in (*network.parameters(), *network.buffers()):  # shared ones stay shared
            tensor.data = self.moved(tensor.data)

    def moved(self, tensor: Tensor) -> Tensor:
        """A network's tensor on the device; a float32 one in ``dtype``, another in the type that its maker chose."""
        return tensor.to(self.device, self.dtype if tensor.dtype == torch.float32 else tensor.dtype)

    def mixed(self) -> AbstractContextManager[object]:
        """The context in which the network runs."""
        kind = torch.device(self.device).type
        if self.autocast is None and not torch.is_autocast_enabled(kind):
            return nullcontext()  # a context of torch's costs 7 us, a hundredth of a small network's step
        return torch.autocast(kind, dtype=self.autocast, enabled=self.autocast is not None)

    def check(self) -> None:
        """Refuse a device that this process does not have.

        Raises:
            EvaluationError: names the device and those that are there.
        """
        device = torch.device(self.device)
        count = torch.cuda.device_count() if device.type == "cuda" else 1
        if device.type == "cuda" and not (torch.cuda.is_available() and (device.index or 0) < count):
            there = ", ".join(["cpu", *(f"cuda:{n}" for n in range(count))])
            raise EvaluationError(f"device {quoted(self.device)} is not here; available: {there}")


CPU = Backend()
