"""A recurrent controller trained by PPO, as Ramachandran et al. 2017 (arXiv:1710.05941) search their large spaces.

The paper gives neither the controller's size nor its settings; those in :mod:`search.strategies.policy` are small, for
budgets of hundreds or thousands.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from evaluators.training.member import Array
from primitives.expression.expression import Expression
from primitives.grammars import Grammar
from search.strategies.base import Arrays, Proposal, Result
from search.strategies.fold import Folding
from search.strategies.policy import Policy, Trainer, packed_trainer, unpack_trainer

BATCH = 8  # results of one training step
DRAWS = 4  # for each place, of which the first distinct ones are taken
DECAY = 0.9  # of the moving average
WORST = -1.0  # reward of a failure, and of what is worse
_SAMPLES = 500  # of the grammar, from which the policy has its first shares


@dataclass
class Taught:
    """What a controller has learnt.

    Args:
        trainer: with the policy.
        baseline: the moving average of rewards.
        waiting: vectors and rewards that wait for their batch.
        batches: mean reward of each batch that was learnt from, and the entropy of a decision before it, in nats.
    """

    trainer: Trainer
    baseline: float | None = None
    waiting: list[tuple[list[int], float]] = field(default_factory=list)
    batches: list[tuple[float, float]] = field(default_factory=list)


class Controller(Folding[Taught]):
    """Makes the decisions of a grammar's vector one after the other and learns which pay.

    The reward is the gain, from -1 on, less its moving average. A proposal of a known class has the gain that was
    recorded for it, one that a screen stopped has -1: so all proposals are learnt from. At first choices are as
    frequent as in samples of the grammar. Expressions that have no vector are neither proposed nor learnt from.

    Args:
        grammar: where expressions come from.
        immigrants: probability of a fresh sample of the grammar.
        entropy: weight of the policy's entropy in what is maximised; much keeps it from settling on what is known.
        untrained: proposals that were not trained are ``"rewarded"``, or ``"ignored"``.
    """

    choices: ClassVar[dict[str, tuple[str, ...]]] = {"untrained": ("rewarded", "ignored")}

    def __init__(
        self, grammar: Grammar, *, immigrants: float = 0.1, entropy: float = 0.2, untrained: str = "rewarded"
    ) -> None:
        super().__init__(grammar)
        self.immigrants, self.entropy, self.decisions = immigrants, entropy, grammar.decisions()
        self.hears_untrained = untrained == "rewarded"

    def _first_shares(self) -> list[Array]:
        rng = np.random.Generator(np.random.PCG64(0))
        counts = [np.ones(len(decision.choices)) for decision in self.decisions]
        for _ in range(_SAMPLES):
            for place, choice in enumerate(self._vector(self.grammar.sample(rng)) or ()):
                counts[place][choice] += 1.0
        return [count / count.sum() for count in counts]

    def _vector(self, expression: Expression) -> list[int] | None:
        vector = self.grammar.encode(expression) if expression in self.grammar else None
        if vector is None:
            return None
        return [decision.choices.index(vector[decision.name]) for decision in self.decisions]

    def start(self) -> Taught:
        return Taught(Trainer(Policy(self._first_shares()), self.entropy))

    def packed(self) -> Arrays:
        return {} if self._state is None else {
            **packed_trainer(self._state.trainer),
            "baseline": np.array(np.nan if self._state.baseline is None else self._state.baseline),
            "waiting": np.array([vector for vector, _ in self._state.waiting]).reshape(-1, len(self.decisions)),
            "rewards": np.array([reward for _, reward in self._state.waiting]),
            "batches": np.array(self._state.batches).reshape(-1, 2),
            "seen": np.array(self._seen),
            "last": np.array(self._last),
        }  # fmt: skip

    def unpack(self, arrays: Arrays) -> bool:
        state = self.start()
        try:
            unpack_trainer(state.trainer, arrays)
            baseline, seen, last = float(arrays["baseline"]), int(arrays["seen"]), str(arrays["last"])
            rows = zip(arrays["waiting"].astype(int).tolist(), arrays["rewards"].tolist(), strict=True)
            state.waiting = [(vector, reward) for vector, reward in rows]
            state.batches = [(reward, entropy) for reward, entropy in arrays["batches"].tolist()]
        except (KeyError, TypeError, ValueError, RuntimeError):  # of another version: it is learnt anew
            return False
        state.baseline = None if math.isnan(baseline) else baseline
        self._state, self._seen, self._last = state, seen, last
        return True

    def told(self, state: Taught, result: Result) -> Taught:
        vector = self._vector(result.expression)
        if vector is None:
            return state
        state.waiting.append((vector, max(WORST, result.gain)))
        if len(state.waiting) == BATCH:
            self._learn(state)
        return state

    def _learn(self, state: Taught) -> None:
        """One training step; the baseline is the moving average before it."""
        rewards = np.array([reward for _, reward in state.waiting])
        new = float(rewards.mean())
        baseline = new if state.baseline is None else state.baseline
        spread = float(np.abs(rewards - baseline).mean())
        vectors = np.array([vector for vector, _ in state.waiting])
        entropy = state.trainer.step(vectors, (rewards - baseline) / (spread or 1.0))
        state.batches.append((new, entropy))
        state.baseline = DECAY * baseline + (1 - DECAY) * new
        state.waiting = []

    def ask(
        self, history: Sequence[Result], pending: Sequence[Proposal], n: int, rng: np.random.Generator
    ) -> list[Proposal]:
        drawn = self.folded(history).trainer.policy.sample(DRAWS * n, rng)
        distinct = list(dict.fromkeys(map(tuple, drawn.tolist())))[:n]
        return [self._proposal(row, rng) for row in distinct]

    def _proposal(self, row: Sequence[int], rng: np.random.Generator) -> Proposal:
        if rng.random() < self.immigrants:
            return Proposal(self.grammar.sample(rng))
        choices = zip(self.decisions, row, strict=True)
        return Proposal(self.grammar.decode({decision.name: decision.choices[place] for decision, place in choices}))
