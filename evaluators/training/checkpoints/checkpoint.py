"""Checkpoints: the state of a cohort's training, in a file, so that a long one need not begin anew.

Nothing depends on them but time: a training that goes on from a checkpoint gives the bits of one that was left alone.
"""

from __future__ import annotations

import hashlib
import io
import math
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import torch

from evaluators.atomic import replace_file
from evaluators.machine.running import seconds_run
from evaluators.training.checkpoints.codec import state_from_plain, state_to_plain
from evaluators.training.checkpoints.states import CohortState, SavedModels, TrainingState
from evaluators.training.member import Outcome
from evaluators.training.models import Models

Group = list[tuple[Models, list[int]]]  # models that go from rung to rung together, with the members' numbers

DIGEST = 64  # characters of the SHA-256 before the state


class Checkpoint:
    """A file that the state is written to, not more often than every so many seconds.

    Args:
        path: the file; nothing is ever written where its folder does not exist, or without a path.
        every: seconds between two writes, and before the first.

    Attributes:
        saved: the state in the file when this was made; None if there is none, or it is damaged.
        context: the cohort as it was before the training under way.
    """

    def __init__(self, path: Path | None = None, every: float = math.inf) -> None:
        self.path, self.every = path, every
        self.saved = None if path is None else _read(path)
        self.context = CohortState()
        self._last = seconds_run()

    def offer(self, state: Callable[[], TrainingState]) -> None:
        """Save a state if the time has come. A full disk costs the checkpoint, not the training."""
        if seconds_run() < self._last + self.every or self.path is None or not self.path.parent.is_dir():
            return
        buffer = io.BytesIO()
        torch.save(state_to_plain(replace(self.context, training=state())), buffer)
        data = buffer.getvalue()
        with suppress(OSError):
            temporary = self.path.with_suffix(f".{os.getpid()}.tmp")  # two workers may have the same cohort
            replace_file(self.path, hashlib.sha256(data).hexdigest().encode() + data, temporary)
        self._last = seconds_run()


NONE = Checkpoint()


def _read(path: Path) -> CohortState | None:
    """The state in a file; None if there is no file, or it is damaged."""
    with suppress(OSError):
        data = path.read_bytes()
        if hashlib.sha256(data[DIGEST:]).hexdigest().encode() == data[:DIGEST]:
            return state_from_plain(torch.load(io.BytesIO(data[DIGEST:]), weights_only=True), str(path))
    return None


def frozen(step: int, outcomes: Sequence[Outcome], trained: Group) -> TrainingState:
    """What a training is at a rung."""
    rows = tuple(SavedModels(tuple(chunk), tuple(models.rates), models.saved()) for models, chunk in trained)
    return TrainingState(tuple(outcomes), step, rows)


def thawed(saved: TrainingState, build: Callable[[Sequence[int]], Models]) -> Group:
    """The models that :func:`frozen` was given; ``build`` makes them anew from the members' numbers."""
    group = []
    for row in saved.models:
        models = build(row.members)
        models.keep(range(len(row.members)), row.rates)
        models.restore(row.state)
        group.append((models, list(row.members)))
    return group
