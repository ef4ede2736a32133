"""The gradients of a stack's steps as a CUDA graph: recorded once in each rung, replayed where that gives the same.

A step of a small network is hundreds of launches, and Python takes longer to ask for them than the GPU to run them. A
graph is asked for once. It repeats launches, and nothing that the host did between them, so it is tried out on the step
behind the one that it was recorded of.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from evaluators.gpu.launching import on

#: Losses of the slices, and the gradients of their sum.
Gradients = tuple[Tensor, Sequence[Tensor]]
#: Steps before the one that is recorded: kernels are compiled and tables brought to the device in them.
WARM = 2
#: Steps of a rung from which on recording, the time of about four, is worth it.
LEAST = 20


class Replayed:
    """Gradients of steps; two are computed, then one is recorded, then one compared, and the rest are replayed.

    Args:
        compute: of the number of a step's first batch, and its examples.
        buffers: what a step changes, beside its results.
    """

    def __init__(self, compute: Callable[[int, Tensor], Gradients], buffers: Sequence[Tensor]) -> None:
        self.compute, self.buffers = compute, list(buffers)
        self.recording: _Recording | None = None
        self.calls, self.is_accepted = 0, False

    def __call__(self, first: int, index: Tensor) -> Gradients:
        """The gradients of a step; they hold until the next call."""
        if self.recording is not None and self.is_accepted:
            return self.recording(index)
        before = [buffer.clone() for buffer in self.buffers]
        found = self.compute(first, index)
        after = [buffer.clone() for buffer in self.buffers]
        self.calls += 1
        if self.calls == WARM:
            self._record(first, index)
        elif self.recording is not None:
            self._put(before)
            self.is_accepted = _alike(self.recording(index), found)
            self.recording = self.recording if self.is_accepted else None
        self._put(after)
        return found

    def _record(self, first: int, index: Tensor) -> None:
        try:
            self.recording = _Recording(lambda own: self.compute(first, own), index)
        except RuntimeError:  # the network asks for a number of the GPU's, or brings one there
            self.recording = None

    def _put(self, values: Sequence[Tensor]) -> None:
        for buffer, value in zip(self.buffers, values, strict=True):
            buffer.copy_(value)


class _Recording:
    """What was computed once, from and to the same memory each time."""

    def __init__(self, compute: Callable[[Tensor], Gradients], index: Tensor) -> None:
        self.index = index.clone()
        with on(index):
            (self.losses, self.gradients), self.replay = recorded(lambda: compute(self.index))

    def __call__(self, index: Tensor) -> Gradients:
        self.index.copy_(index)
        with on(index):
            self.replay()
        return self.losses.clone(), self.gradients


def recorded(function: Callable[[], Gradients]) -> tuple[Gradients, Callable[[], None]]:
    """What a function computes on a GPU, and a call that computes it again, into the same memory.

    Raises:
        RuntimeError: it does what a graph cannot hold.
    """
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):  # libraries take their memory outside the graph
        function()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):  # other threads may use the GPU meanwhile
        result = function()
    return result, graph.replay


def _alike(found: Gradients, expected: Gradients) -> bool:
    """Up to rounding: sums on a GPU may be taken in another order. One wait for the GPU, at the end."""
    pairs = zip((found[0], *found[1]), (expected[0], *expected[1]), strict=True)
    alike = [_close(a.detach(), b.detach()) for a, b in pairs if b.numel()]
    return bool(torch.stack(alike).all())


def _close(found: Tensor, expected: Tensor) -> Tensor:
    """Of each row by its own size, for a slice that explodes must not hide the others."""
    a, b = (each.reshape(len(each), -1).nan_to_num() for each in (found, expected))
    return ((a - b).abs() <= 1e-3 * b.abs().amax(dim=1, keepdim=True)).all()
