"""Gradient search in a relaxed space, as in GRAFS (Strack, Safari, Hutter 2024, arXiv 2408.06820)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from evaluators.errors import EvaluationError
from evaluators.mixture.settings import WEIGHTS, MixtureSettings
from evaluators.mixture.space import Space, form_in, space_of, why_not
from primitives.expression.parsing import parse
from primitives.grammars import Grammar
from primitives.quoting import quoted
from search.errors import ConfigError
from search.strategies.base import MixtureOrder, Proposal, Result, Strategy

ROUNDS = 3  # of mixtures that all fail, before the job is told
SEED = "mixture"  # an attribute of a proposal


class Gradient(Strategy):
    """Trains mixtures of all operators of a form by gradient descent and proposes what is left of each.

    A mixture gives one proposal. Each is trained with a seed of its own, drawn for the cohort that is to be filled, and
    counts as so many candidate-trainings of the budget, see docs/strategies.md.

    Args:
        grammar: of which at least one template is a form or a chain of units.
        steps: of the network's weights.
        warm: share of the steps with ReLU in the mixture's places.
        shrink: share of the steps after which operators are dropped.
        rate: learning rate of the mixture's parameters.
        weights: how a slot's weights follow from them.
        cost: a step counts as so many of a candidate.

    Raises:
        ConfigError: a setting makes no sense.
    """

    choices: ClassVar[dict[str, tuple[str, ...]]] = {"weights": WEIGHTS}
    mixes = True

    def __init__(
        self, grammar: Grammar, *, steps: int = 400, warm: float = 0.1, shrink: float = 0.2, rate: float = 0.03,
        weights: str = "dirichlet", cost: int = 1,
    ) -> None:  # fmt: skip
        super().__init__(grammar)
        self.cost = cost
        try:
            self.settings = MixtureSettings(steps, warm, shrink, rate, weights)
        except EvaluationError as error:
            raise ConfigError(f"strategy 'gradient': {error}") from None

    def misfit(self) -> str:
        name = quoted(self.grammar.name)
        if not self.grammar.constraint.is_none:
            return f"the grammar {name} has the constraint monotone, which a mixture cannot keep"
        if self._spaces():
            return ""
        reasons = [
            why_not(form) if (form := form_in(part)) else f"{part.name} has no slots to mix rules in"
            for part, weight in self.grammar.templates
            if weight
        ]
        expected = "expected a grammar with a template such as {units: 2} or {form: 'binary(unary(x),x)'}, as grafs has"
        return f"{expected}, got {name}: {'; '.join(reasons)}"

    def _spaces(self) -> list[tuple[Space, float]]:
        """What can be mixed, with its weight in sampling."""
        return [
            (space_of(form), weight)
            for part, weight in self.grammar.templates
            if weight and (form := form_in(part)) and not why_not(form)
        ]

    def ask(
        self, history: Sequence[Result], pending: Sequence[Proposal], n: int, rng: np.random.Generator
    ) -> list[Proposal]:
        spaces = self._spaces()
        reason = ""
        for _ in range(ROUNDS):
            orders = [self._order(spaces, rng) for _ in range(n)]
            trained = list(zip(orders, self.mixtures(orders), strict=False))
            if not trained:
                return []
            if found := [_proposal(order, mixed.expression) for order, mixed in trained if mixed.expression]:
                return found
            reason = trained[-1][1].reason
        raise ConfigError(
            f"strategy 'gradient': all mixtures of {ROUNDS} rounds failed, the last one by {reason}; launch with a "
            "smaller rate, or smaller training.learning_rates"
        )

    def _order(self, spaces: Sequence[tuple[Space, float]], rng: np.random.Generator) -> MixtureOrder:
        weights = np.array([weight for _, weight in spaces])
        chosen = int(rng.choice(len(spaces), p=weights / weights.sum()))
        return MixtureOrder(spaces[chosen][0], int(rng.integers(2**63 - 1)), self.settings, self.cost)


def _proposal(order: MixtureOrder, text: str) -> Proposal:
    return Proposal(parse(text), attributes={SEED: order.seed})
