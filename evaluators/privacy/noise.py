"""The noise of private training: of the seed, the step and what it is added to, the same for all candidates."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from evaluators.seeds import torch_generator


def standard_noise(seed: int, step: int, name: str, shape: Sequence[int]) -> Tensor:
    """Standard normal numbers, float32, on the CPU.

    The generator is good for comparisons of functions. To publish a network it would have to be one of cryptography.

    Args:
        seed: of the model.
        step: its number.
        name: of the parameter.
        shape: of the parameter.
    """
    generator = torch_generator(seed, "privacy", step, name)
    return torch.randn(tuple(shape), generator=generator, device="cpu", dtype=torch.float32)


def name_of_own(place: int | None, parameter: str) -> str:
    """The name of a candidate's parameter: by the number of its place, None where it is one for all places."""
    return f"candidate:{'' if place is None else place}:{parameter}"
