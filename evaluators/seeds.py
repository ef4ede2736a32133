"""Seeds: every random stream is derived from a run's seed and what it is for, never from a clock."""

from __future__ import annotations

import hashlib

import numpy as np
import torch


def derive(seed: int, *purpose: str | int) -> int:
    """A 63-bit seed for one purpose, for example ``derive(seed, "ask", cohort)``; the same on every machine."""
    text = ":".join(str(part) for part in (seed, *purpose))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def torch_generator(seed: int, *purpose: str | int) -> torch.Generator:
    """A torch generator, on the CPU, for one purpose."""
    return torch.Generator("cpu").manual_seed(derive(seed, *purpose))


def numpy_generator(seed: int, *purpose: str | int) -> np.random.Generator:
    """A numpy generator for one purpose."""
    return np.random.Generator(np.random.PCG64(derive(seed, *purpose)))


def uniform(seed: int, *purpose: str | int) -> float:
    """A number drawn for one purpose, uniform in [0, 1)."""
    return derive(seed, *purpose) / 2**63
