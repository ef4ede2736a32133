"""A mode that sees torch's operators, without ``torch._dynamo``, which torch loads for others: 1.7 s CPU."""

from __future__ import annotations

from torch.utils._python_dispatch import TorchDispatchMode


class LightMode(TorchDispatchMode):
    """A mode whose own function torch need not keep from being compiled: here nothing is."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False
