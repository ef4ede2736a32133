"""A recurrent controller trained by PPO, as Ramachandran et al. 2017 (arXiv:1710.05941) search their large spaces.

The paper gives neither the controller's size nor its settings; those in :mod:`search.strategies.policy` are small, for
budgets of hundreds or thousands.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import numpy as np

from evaluators.training.member import Array
from primitives.expression.expression import Expression
from primitives.grammars import Grammar
from search.strategies.base import Arrays, Proposal, Result
from search.strategies.fold import Folding
from search.strategies.policy import Policy, Trainer, packed_trainer, unpack_trainer

BATCH = 8  # results of one training step
DRAWS = 4  # for each place, of which the first distinct ones are taken
#: One after the other until there are enough vectors: a policy that is sure of one would propose nothing else.
TEMPERATURES = (1.0, 2.0, 4.0, 8.0)
LEAST_SPREAD = 0.1  # nats: rewards that differ less are alike, and learning from their order is learning from noise
DECAY = 0.9  # of the moving average
VECTOR = "vector"  # in a proposal's attributes: the places of its choices
WORST = -1.0  # reward of a failure, and of what is worse
_SAMPLES = 500  # of the grammar, from which the policy has its first shares


class Rewarded(NamedTuple):
    """A vector with its reward; ``matter`` says of each decision whether another choice makes another expression."""

    vector: list[int]
    matter: list[bool]
    reward: float


@dataclass
class Taught:
    """What a controller has learnt.

    Args:
        trainer: with the policy.
        baseline: the moving average of rewards.
        waiting: what waits for its batch.
        batches: mean reward of each batch that was learnt from, and the entropy of a decision before it, in nats.
    """

    trainer: Trainer
    baseline: float | None = None
    waiting: list[Rewarded] = field(default_factory=list)
    batches: list[tuple[float, float]] = field(default_factory=list)


class Controller(Folding[Taught]):
    """Makes the decisions of a grammar's vector one after the other and learns which pay.

    The reward is the gain, from -1 on, less its moving average. At first choices are as frequent as in samples of the
    grammar. An expression may have several vectors: each learns from the one that was drawn, or what was drawn would
    stay as likely as before. Others, of a start list or a fresh sample, are taken by their first vector; one that has
    none is not learnt from.

    Args:
        grammar: where expressions come from.
        immigrants: probability of a fresh sample of the grammar.
        entropy: weight of the policy's entropy in what is maximised; much keeps it from settling on what is known.
        untrained: what is learnt from proposals that were not trained. ``"rewarded"``: one of a known class has the
            gain that was recorded for it, one that a screen stopped has -1. ``"screened"``: the latter alone.
            ``"ignored"``: neither.
    """

    choices: ClassVar[dict[str, tuple[str, ...]]] = {"untrained": ("rewarded", "screened", "ignored")}

    def __init__(
        self, grammar: Grammar, *, immigrants: float = 0.1, entropy: float = 0.2, untrained: str = "rewarded"
    ) -> None:
        super().__init__(grammar)
        self.immigrants, self.entropy, self.decisions = immigrants, entropy, grammar.decisions()
        self.hears_untrained, self.repeats = untrained != "ignored", untrained == "rewarded"

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

    def _drawn(self, attributes: Mapping[str, object]) -> list[int] | None:
        """The vector that a proposal was made of; None where it has none, or one of another grammar."""
        row = attributes.get(VECTOR)
        if not isinstance(row, list) or len(row) != len(self.decisions):
            return None
        sizes = [len(decision.choices) for decision in self.decisions]
        fits = all(isinstance(place, int) and 0 <= place < size for place, size in zip(row, sizes, strict=True))
        return list(row) if fits else None

    def start(self) -> Taught:
        return Taught(Trainer(Policy(self._first_shares()), self.entropy))

    def packed(self) -> Arrays:
        return {} if self._state is None else {
            **packed_trainer(self._state.trainer),
            "baseline": np.array(np.nan if self._state.baseline is None else self._state.baseline),
            "waiting": np.array([each.vector for each in self._state.waiting]).reshape(-1, len(self.decisions)),
            "matter": np.array([each.matter for each in self._state.waiting]).reshape(-1, len(self.decisions)),
            "rewards": np.array([each.reward for each in self._state.waiting]),
            "batches": np.array(self._state.batches).reshape(-1, 2),
            "seen": np.array(self._seen),
            "last": np.array(self._last),
        }  # fmt: skip

    def unpack(self, arrays: Arrays) -> bool:
        state = self.start()
        try:
            unpack_trainer(state.trainer, arrays)
            baseline, seen, last = float(arrays["baseline"]), int(arrays["seen"]), str(arrays["last"])
            vectors, matter = arrays["waiting"].astype(int).tolist(), arrays["matter"].astype(bool).tolist()
            state.waiting = list(map(Rewarded, vectors, matter, arrays["rewards"].tolist()))
            state.batches = [(reward, entropy) for reward, entropy in arrays["batches"].tolist()]
        except (KeyError, TypeError, ValueError, RuntimeError):  # of another version: it is learnt anew
            return False
        state.baseline = None if math.isnan(baseline) else baseline
        self._state, self._seen, self._last = state, seen, last
        return True

    def told(self, state: Taught, result: Result) -> Taught:
        vector = self._drawn(result.attributes) or self._vector(result.expression)
        if vector is None or (result.repeated and not self.repeats):
            return state
        state.waiting.append(Rewarded(vector, self._matter(vector), max(WORST, result.gain)))
        if len(state.waiting) == BATCH:
            self._learn(state)
        return state

    def _learn(self, state: Taught) -> None:
        """One training step; the baseline is the moving average before it."""
        vectors, matter, rewards = (np.array(each) for each in zip(*state.waiting, strict=True))
        new = float(rewards.mean())
        baseline = new if state.baseline is None else state.baseline
        spread = float(np.abs(rewards - baseline).mean())
        entropy = state.trainer.step(vectors, matter, (rewards - baseline) / max(spread, LEAST_SPREAD))
        state.batches.append((new, entropy))
        state.baseline = DECAY * baseline + (1 - DECAY) * new
        state.waiting = []

    def ask(
        self, history: Sequence[Result], pending: Sequence[Proposal], n: int, rng: np.random.Generator
    ) -> list[Proposal]:
        policy, distinct = self.folded(history).trainer.policy, dict[tuple[int, ...], None]()
        for temperature in TEMPERATURES:
            distinct |= dict.fromkeys(map(tuple, policy.sample(DRAWS * n, rng, temperature).tolist()))
            if len(distinct) >= n:
                break
        return [self._proposal(list(row), rng) for row in list(distinct)[:n]]

    def _proposal(self, row: list[int], rng: np.random.Generator) -> Proposal:
        if rng.random() < self.immigrants:
            return Proposal(self.grammar.sample(rng))
        return Proposal(self._decoded(row), attributes={VECTOR: row})

    def _decoded(self, row: Sequence[int]) -> Expression:
        choices = zip(self.decisions, row, strict=True)
        return self.grammar.decode({decision.name: decision.choices[place] for decision, place in choices})

    def _matter(self, row: list[int]) -> list[bool]:
        """Whether the next choice of each decision makes another expression.

        What does not matter is at its first choice in the vectors of fresh samples. If that were learnt, first choices
        would become likely where they matter.
        """
        text = self._decoded(row).text
        sizes = [len(decision.choices) for decision in self.decisions]
        changed = ([*row[:n], (row[n] + 1) % size, *row[n + 1 :]] for n, size in enumerate(sizes))
        return [self._decoded(other).text != text for other in changed]
