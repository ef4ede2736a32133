"""The trainer for users' own loops: one model at a time, the same outcomes as a stack's."""

from __future__ import annotations

import math
import traceback
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain

import torch
from torch import nn

from evaluators.comparison import comparison_of
from evaluators.errors import TaskError
from evaluators.machine.backend import CPU, Backend
from evaluators.places.survey import find_sites
from evaluators.rejection import Judge
from evaluators.results.reasons import Reason
from evaluators.seeds import derive
from evaluators.tasks.base import BLOCK, Inputs, Part
from evaluators.tasks.examples import examples_of
from evaluators.tasks.loop_task import LoopTask
from evaluators.training.checkpoints.checkpoint import NONE, Checkpoint
from evaluators.training.checkpoints.states import TrainingState
from evaluators.training.initialisation import initial_network
from evaluators.training.member import CohortMember, Outcome, Schedule, better_rates
from evaluators.training.progress import Watch, reached
from evaluators.training.putting import put_candidate
from primitives.ending import contained
from primitives.expression.expression import Expression

TRACEBACK = 4000  # characters kept, the last ones


def train_by_loop(
    task: LoopTask, part: Part, members: Sequence[CohortMember], schedule: Schedule, judge: Judge, *,
    backend: Backend = CPU, checkpoint: Checkpoint = NONE, watch: Watch | None = None,
) -> list[Outcome]:  # fmt: skip
    """Train members one after the other; the models of one member go from rung to rung together.

    Args:
        task: network and loop.
        part: ``"search"``, or ``"confirmation"``, where test losses are taken too and nobody is rejected.
        members: the reference first.
        schedule: budget, rungs, learning rates.
        judge: decides which members are rejected at a rung.
        backend: device and types of the networks; its autocast holds in the loop, from yield to yield.
        checkpoint: where the outcomes of finished members are offered; those that it has saved are not trained again.
        watch: looks on; told as a member ends.

    Returns:
        One outcome for each member, in order.

    Raises:
        TaskError: the loop ends too early.
    """
    saved = checkpoint.saved and checkpoint.saved.training
    outcomes = list(saved.outcomes) if saved else []
    network = partial(_network, task, examples_of(task, part).rows(slice(BLOCK)).inputs, backend)
    for member in members[len(outcomes) :]:
        outcomes.append(outcome := Outcome())
        loops = [
            [_Loop(task.name, task.fit(network(member.expression, seed), part, seed, rate, schedule.rung_steps), seed,
                   backend)
             for rate in schedule.rates]
            for seed in member.seeds
        ]  # fmt: skip
        rates = member.rates or tuple(range(len(schedule.rates)))
        try:
            for step in schedule.rung_steps:
                outcome.losses[step] = _next(loops, rates, f"step {step}")
                if part == "search":
                    judge.at(step, task, [members[0], member], [outcomes[0], outcome])
                if outcome.reason:
                    break
                if step == schedule.drop_step:
                    rates = better_rates(comparison_of(task).costs(outcome.at(step)))
            if part == "confirmation":
                outcome.tests = _next(loops, rates, "the test examples")
        except Exception:
            if member.protected:
                raise
            outcome.error = traceback.format_exc()[-TRACEBACK:]
            outcome.reason = Reason.RAISED  # the controls go through the same loop: it is the candidate's doing
        finally:
            for loop in chain.from_iterable(loops):
                loop.close()
        checkpoint.offer(lambda: TrainingState(tuple(outcomes)))
        if watch:
            watch.reached(reached(task, members, outcomes, schedule.steps, schedule))
    return outcomes


class _Loop:
    """One model in training, by a generator of losses, with random numbers and an autocast state of its own."""

    def __init__(self, task: str, losses: Iterator[float], seed: int, backend: Backend) -> None:
        self.task, self.losses = task, losses
        self.random = torch.Generator("cpu").manual_seed(derive(seed, "loop")).get_state()
        self.kind = torch.device(backend.device).type
        lowered = backend.autocast or torch.get_autocast_dtype(self.kind)
        # a cast of the weights that is kept would outlive the optimiser's steps
        self.autocast = _Autocast(backend.autocast is not None, lowered, kept=backend.autocast is None)

    def next(self, place: str) -> float:
        """Train up to the next loss."""
        with self._inside(), contained():
            loss = next(self.losses, None)
        if loss is None:
            raise TaskError(f"task {self.task!r}: its loop fit() ended before it yielded the loss at {place}")
        return float(loss)

    def close(self) -> None:
        """End a loop that waits at a yield: contexts that it holds there are left within its own."""
        if isinstance(self.losses, Generator):
            with self._inside():
                self.losses.close()

    @contextmanager
    def _inside(self) -> Iterator[None]:
        """The loop's own random numbers and autocast state, which may change while it runs, and are kept."""
        outside = _Autocast.now(self.kind)
        with torch.random.fork_rng(devices=[]):
            torch.random.set_rng_state(self.random)
            self.autocast.set(self.kind)
            try:
                yield
            finally:
                self.autocast, self.random = _Autocast.now(self.kind), torch.random.get_rng_state()
                outside.set(self.kind)


@dataclass(frozen=True, slots=True)
class _Autocast:
    """The state of autocast on a kind of device; no context, since one around the loop's own would keep its casts."""

    enabled: bool
    dtype: torch.dtype
    kept: bool

    @classmethod
    def now(cls, kind: str) -> _Autocast:
        """The state here."""
        lowered = torch.get_autocast_dtype(kind)
        return cls(torch.is_autocast_enabled(kind), lowered, torch.is_autocast_cache_enabled())

    def set(self, kind: str) -> None:
        """Make it the state here."""
        torch.set_autocast_enabled(kind, self.enabled)
        torch.set_autocast_dtype(kind, self.dtype)
        torch.set_autocast_cache_enabled(self.kept)


def _next(loops: Sequence[Sequence[_Loop]], rates: Sequence[int], place: str) -> list[list[float]]:
    """The next losses of one member's models, seeds x learning rates, NaN at those that it no longer has."""
    return [[loop.next(place) if rate in rates else math.nan for rate, loop in enumerate(row)] for row in loops]


def _network(task: LoopTask, x: Inputs, backend: Backend, expression: Expression | None, seed: int) -> nn.Module:
    """The seed's network with the candidate in it; without one as it stands."""
    network = initial_network(task, seed)
    if expression is not None:
        put_candidate(task, expression, find_sites(network, task, x))
    backend.move(network)
    return network
