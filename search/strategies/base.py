"""The contract of a strategy: it proposes expressions from the results so far and knows nothing of training."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from primitives.expression.expression import Expression
from primitives.grammars import Grammar

#: A strategy's config section: ``name`` and its keyword arguments.
Settings = Mapping[str, object]

#: What a strategy has learnt, as named arrays of numbers or text.
Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class Proposal:
    """An expression that a strategy wants to be tried.

    Args:
        expression: of the grammar.
        parents: ids of the candidates that it was made from.
        attributes: plain data that come back with the result; in the study they are the trial's system attributes.
    """

    expression: Expression
    parents: tuple[str, ...] = ()
    attributes: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Result:
    """A candidate that was trained, or a proposal that was not, see :attr:`Strategy.hears_untrained`.

    Args:
        id: cohort and slot, as in ``"12.7"``; of a proposal that was not trained, cohort and number, ``"12+3"``.
        expression: the candidate.
        objectives: value of each objective; empty if it failed.
        reason: why it failed, or "".
        by_task: mean gain on each task; empty if it failed.
        attributes: what the strategy gave with the proposal.
        seeds: how many the gain is the mean of; 0 if it failed.
    """

    id: str
    expression: Expression
    objectives: dict[str, float]
    reason: str
    by_task: dict[str, float] = field(default_factory=dict)
    attributes: Mapping[str, object] = field(default_factory=dict)
    seeds: int = 0

    @property
    def gain(self) -> float:
        """Gain over the reference; minus infinity if the candidate failed."""
        return self.objectives.get("gain", float("-inf"))


class Strategy(ABC):
    """Proposes candidates.

    A strategy keeps no state of its own: what it proposes depends on its arguments alone, so that a resumed job
    proposes the same.

    Attributes:
        choices: the values of settings that are words.
        walks: it proposes everything once; only an empty answer says that nothing is left.
        exact: functions that differ by a factor are trained as two; the job sets it.
        hears_untrained: it is told of its proposals that were not trained, too, behind the results of their cohort:
            with the gain of the class where that was known, as failed where a screen stopped them.
    """

    choices: ClassVar[dict[str, tuple[str, ...]]] = {}
    walks: ClassVar[bool] = False
    exact: bool = False
    hears_untrained: bool = False

    def __init__(self, grammar: Grammar) -> None:
        self.grammar = grammar

    def packed(self) -> Arrays:
        """What was learnt from the results looked at last, where learning it anew takes long; else nothing."""
        return {}

    def unpack(self, arrays: Arrays) -> bool:
        """Take back what :meth:`packed` gave, of the same job; False where it does not fit, and is left."""
        return not arrays

    @abstractmethod
    def ask(
        self, history: Sequence[Result], pending: Sequence[Proposal], n: int, rng: np.random.Generator
    ) -> list[Proposal]:
        """Propose up to ``n`` expressions of the grammar.

        Args:
            history: results of all cohorts told so far, oldest first; an item is decoded when it is looked at.
            pending: proposals whose results are not known yet.
            n: how many are wanted; an empty answer means that there is nothing left to propose.
            rng: the only source of randomness.
        """
