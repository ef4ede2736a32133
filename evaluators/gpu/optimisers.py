"""Optimisers of a stack by one kernel: what it needs to know of the tensors, and their steps."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from evaluators.gpu.usable import has_triton, is_on_gpu
from evaluators.tasks.optimisers import SGD, Adam, AdamW, Optimiser

BLOCK = 1024
_TYPES = (torch.float32, torch.float64)


def usable_for(tensors: Sequence[Tensor], others: Sequence[Tensor], gradients: Sequence[Tensor]) -> bool:
    """The kernel takes a step of tensors: all is of one type on one GPU, and without gaps but for gradients.

    Args:
        tensors: the parameters.
        others: rates and moments.
        gradients: of the parameters.
    """
    if not tensors or tensors[0].dtype not in _TYPES or not is_on_gpu(tensors[0]) or not has_triton():
        return False
    dtype, device = tensors[0].dtype, tensors[0].device
    alike = all(each.dtype == dtype and each.device == device for each in (*tensors, *others, *gradients))
    return alike and all(each.is_contiguous() for each in (*tensors, *others))


class FusedStep:
    """Steps of one optimiser over some tensors, whose shapes stay.

    Args:
        settings: which optimiser, and how.
        tensors: parameters, each of shape (rows_i, ...).
        rates: for each one number a row.
        decays: for each its weight decay.
    """

    def __init__(
        self, settings: Optimiser, tensors: Sequence[Tensor], rates: Sequence[Tensor], decays: Sequence[float]
    ) -> None:
        self.settings, self.decays = settings, tuple(decays)
        self.decoupled = isinstance(settings, AdamW)
        device = tensors[0].device
        counts = [tensor.numel() for tensor in tensors]
        starts = [sum(len(each) for each in rates[:number]) for number in range(len(rates))]
        shapes = [
            (count, max(1, count // max(1, len(own))), start)
            for count, own, start in zip(counts, rates, starts, strict=True)
        ]
        tiles = [(number, tile) for number, count in enumerate(counts) for tile in range(-(-count // BLOCK))]
        self._rates = torch.cat(list(rates))
        self._shapes = torch.tensor(shapes, dtype=torch.int64).to(device)
        self._tiles = torch.tensor(tiles, dtype=torch.int32).to(device)
        self._addresses = torch.zeros(len(tensors), 4, dtype=torch.int64, device=device)
        self._numbers = torch.zeros(5 + len(tensors), dtype=torch.float64, device=device)
        self._known: list[int] = []

    def step(self, number: int, factor: float, *rows: Sequence[Tensor]) -> None:
        """Take a step, in one launch.

        Args:
            number: of the step, from 1 on.
            factor: of the rates.
            rows: the tensors, their gradients, first and second moments; of SGD no second ones.
        """
        self.count(number, factor)
        self.point(*rows)
        self.launch()

    def count(self, number: int, factor: float) -> None:
        """Bring a step's numbers to the device: what :meth:`launch` takes next."""
        self._numbers.copy_(torch.tensor(self._of_step(number, factor), dtype=torch.float64), non_blocking=True)

    def point(self, *rows: Sequence[Tensor]) -> None:
        """Bring the places of tensors to the device, unless they are there."""
        pad = [0] * (4 - len(rows))
        places = [place for of in zip(*rows, strict=True) for place in (*(each.data_ptr() for each in of), *pad)]
        if places != self._known:
            self._addresses.copy_(torch.tensor(places).view(-1, 4), non_blocking=True)
            self._known = places

    def launch(self) -> None:
        """The kernel alone: it finds numbers and places on the device, so that a graph can hold it."""
        from evaluators.gpu.descent import descent
        from evaluators.gpu.launching import on, options

        if len(self._tiles) == 0:
            return
        is_adam = not isinstance(self.settings, SGD)
        nesterov = isinstance(self.settings, SGD) and self.settings.nesterov
        with on(self._rates):
            descent[(len(self._tiles),)](
                self._addresses, self._shapes, self._tiles, self._numbers, self._rates,
                ADAM=is_adam, DECOUPLED=self.decoupled, NESTEROV=nesterov, BLOCK=BLOCK, **options(self._rates),
            )  # fmt: skip

    def _of_step(self, number: int, factor: float) -> list[float]:
        settings = self.settings
        if isinstance(settings, SGD):
            return [settings.momentum, 0.0, 0.0, 0.0, -factor, *self.decays]
        assert isinstance(settings, Adam)
        beta1, beta2 = settings.betas
        correction, root = 1 - beta1**number, math.sqrt(1 - beta2**number)
        decays = [factor * decay if self.decoupled else decay for decay in self.decays]
        return [1 - beta1, beta2, 1 - beta2, settings.eps * root, factor * root / -correction, *decays]
