"""The contract of a strategy: it proposes expressions from the results so far and knows nothing of training."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from evaluators.mixture.request import MixtureResult
from evaluators.mixture.settings import MixtureSettings
from evaluators.mixture.space import Space
from primitives.expression.expression import Expression
from primitives.grammars import Grammar
from search.errors import ConfigError

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
        repeated: a proposal of a known class, which has the gain that was recorded for it.
    """

    id: str
    expression: Expression
    objectives: dict[str, float]
    reason: str
    by_task: dict[str, float] = field(default_factory=dict)
    attributes: Mapping[str, object] = field(default_factory=dict)
    seeds: int = 0
    repeated: bool = False

    @property
    def gain(self) -> float:
        """Gain over the reference; minus infinity if the candidate failed."""
        return self.objectives.get("gain", float("-inf"))


@dataclass(frozen=True, slots=True)
class MixtureOrder:
    """A mixture that a strategy wants to be trained, see :mod:`evaluators.mixture`.

    Args:
        space: the form with its rules.
        seed: of all that is drawn; other seeds give other mixtures.
        settings: of the training.
        cost: a step of it counts as so many steps of a candidate.
    """

    space: Space
    seed: int
    settings: MixtureSettings
    cost: int = 1


#: Gives the results of the first orders, as many as the budget pays; none where nothing is left of it.
Mixing = Callable[[Sequence[MixtureOrder]], Sequence[MixtureResult]]


def no_mixtures(orders: Sequence[MixtureOrder]) -> Sequence[MixtureResult]:
    """Where there are no workers that could train one.

    Raises:
        ConfigError: always.
    """
    raise ConfigError("expected a job, whose workers train mixtures; here are none")


class Strategy(ABC):
    """Proposes candidates.

    A strategy keeps no state of its own: what it proposes depends on its arguments alone, so that a resumed job
    proposes the same.

    Attributes:
        choices: the values of settings that are words.
        shares: the settings that are a whole number from 1, or a share above 0 and below 1.
        walks: it proposes everything once; only an empty answer says that nothing is left.
        mixes: it orders mixtures.
        exact: functions that differ by a factor are trained as two; the job sets it.
        mixtures: gives the results of the mixtures that are ordered; the job sets it.
        hears_untrained: it is told of its proposals that were not trained, too, behind the results of their cohort:
            with the gain of the class where that was known, as failed where a screen stopped them.
    """

    choices: ClassVar[dict[str, tuple[str, ...]]] = {}
    shares: ClassVar[tuple[str, ...]] = ()
    walks: ClassVar[bool] = False
    mixes: ClassVar[bool] = False
    exact: bool = False
    hears_untrained: bool = False

    def __init__(self, grammar: Grammar) -> None:
        self.grammar = grammar
        self.mixtures: Mixing = no_mixtures

    def misfit(self) -> str:
        """Why the strategy cannot search its grammar, asked when a job is launched; "" if it can, as most can any."""
        return ""

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
