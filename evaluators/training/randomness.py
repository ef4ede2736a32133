"""Random numbers of a network that draws when it is called: each model's own, from its seed and the step."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from evaluators.seeds import derive


@contextmanager
def own_random_numbers() -> Iterator[None]:
    """A context that leaves the global random numbers of torch, Python and numpy as they were."""
    python, of_numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - a user's network may draw from it
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(of_numpy)  # noqa: NPY002


def begin_step(seed: int, *step: str | int) -> None:
    """Seed the global random numbers for one step of one model: the same for all candidates, whatever came before.

    ``torch.manual_seed`` would also note, with a stack trace each, what devices are to do that no one has begun to use:
    0.7 ms a call, where a step of a small network takes 2.
    """
    value = derive(seed, "step", *step)
    torch.default_generator.manual_seed(value)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(value)
    random.seed(value)
    np.random.seed(value % 2**32)  # noqa: NPY002
