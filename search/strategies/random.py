"""Random search: samples of the grammar."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from search.strategies.base import Proposal, Result, Strategy


class Random(Strategy):
    """Independent samples of the grammar; the yardstick of all other strategies."""

    def ask(
        self, history: Sequence[Result], pending: Sequence[Proposal], n: int, rng: np.random.Generator
    ) -> list[Proposal]:
        return [Proposal(self.grammar.sample(rng)) for _ in range(n)]
