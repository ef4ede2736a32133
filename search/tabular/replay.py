"""Replay: strategies against a table of scores that are known already, in seconds instead of days.

A strategy gets the untried members of the table as its grammar (:mod:`search.tabular.members`). In each repeat it sees
the gains by some of the table's seeds, drawn anew; the others, which it never sees, say how good its functions are.
Known functions are no members: the strategy begins with their results, as a job does after its baseline, or without.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from evaluators.seeds import numpy_generator
from evaluators.training.member import Array
from primitives.equivalence.classes import class_of
from primitives.expression.expression import Expression
from primitives.grammars import Grammar
from primitives.quoting import quoted
from primitives.user_file import label
from search.errors import ReplayError
from search.strategies import Proposal, Result, Settings, strategy
from search.tabular.members import Members
from search.tabular.score_table import Table

PROPOSALS_PER_PLACE = 20  # as in a job; then untried members are drawn by lot


@dataclass(frozen=True, slots=True)
class Setting:
    """What all strategies of a comparison share.

    Args:
        budget: evaluations in a repeat, known functions not counted.
        cohort: proposals asked for at once.
        seeds: of the table that a strategy sees.
        baseline: the strategy begins with the results of the table's known functions.
        seed: of all randomness.
    """

    budget: int = 200
    cohort: int = 8
    seeds: int = 2
    baseline: bool = True
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Scores:
    """Gains of one repeat, (functions,) each.

    Args:
        shown: by the seeds that the strategy sees.
        true: by the other seeds; the same where the table has no losses by seed.
    """

    shown: Array
    true: Array


def seen_by_default(table: Table) -> int:
    """Seeds that a strategy sees: half of the table's, at most 2, as in a job."""
    return min(2, table.losses.seeds // 2) if table.losses else 1


def said(table: Table, setting: Setting) -> str:
    """For people: what is searched, what the strategies begin with, what they see and what judges them."""
    known = int(table.known.sum())
    begin = (
        f"{known:,} known ones as the baseline, not counted" if setting.baseline else f"without {known:,} known ones"
    )
    seen = "scores without noise, as the table has none by seed"
    if table.losses:
        seen = f"{setting.seeds} of {table.losses.seeds} seeds are seen, drawn for each repeat; the others judge"
    return f"{len(table.expressions) - known:,} unknown functions, {begin}; {seen}"


def drawn(table: Table, seeds: int, rng: np.random.Generator) -> Scores:
    """Scores by seeds drawn for one repeat.

    Raises:
        ReplayError: no seed would be left to judge by.
    """
    if table.losses is None:
        return Scores(table.gains, table.gains)
    if seeds >= table.losses.seeds:
        raise ReplayError(
            f"seeds: expected at most {table.losses.seeds - 1} of the table's {table.losses.seeds}, so that one is"
            f" left to judge by, got {seeds}"
        )
    order = rng.permutation(table.losses.seeds).tolist()
    return Scores(table.losses.gains(order[:seeds]), table.losses.gains(order[seeds:]))


class Replayed:
    """One strategy on a table until the budget is spent.

    Args:
        table: known scores.
        scores: of this repeat.
        settings: of the strategy, ``name`` among them.
        source: the grammar in which it mutates.
        seed: of all randomness.
        setting: of the comparison.

    Attributes:
        asked: proposals so far.
        in_vain: those of them that were no untried members.
    """

    def __init__(
        self, table: Table, scores: Scores, settings: Settings, source: Grammar, seed: int, setting: Setting
    ) -> None:
        self.table, self.scores, self.seed, self.setting = table, scores, seed, setting
        self.untried = ~table.known
        self.members = Members.of(table, source, self.untried)
        self.strategy = strategy(settings, self.members, exact=table.exact)
        if self.strategy.mixes:
            name = quoted(str(settings["name"]))
            raise ReplayError(f"strategy {name} trains mixtures on a job's tasks; a table of scores has no networks")
        self.baseline = np.flatnonzero(table.known).tolist() if setting.baseline else []
        self.order: list[int] = []
        self.asked, self.in_vain = 0, 0

    def run(self) -> list[int]:
        """Rows of the table in the order in which they were tried, without the baseline's."""
        history = [self._result(row, Proposal(self.table.expressions[row]), f"known.{row}") for row in self.baseline]
        while len(self.order) < self.setting.budget and self.untried.any():
            rng = numpy_generator(self.seed, "ask", len(self.order))
            wanted = min(self.setting.cohort, self.setting.budget - len(self.order), int(self.untried.sum()))
            taken, repeated = self._cohort(history, wanted, rng)
            for row, proposal in taken:
                history.append(self._result(row, proposal, str(len(self.order))))
                self.order.append(row)
            if self.strategy.hears_untrained:
                history += [self._repeated(row, p, f"{len(self.order)}+{n}") for n, (row, p) in enumerate(repeated)]
        return self.order

    def _cohort(
        self, history: Sequence[Result], n: int, rng: np.random.Generator
    ) -> tuple[list[tuple[int, Proposal]], list[tuple[int, Proposal]]]:
        """Different untried members: the strategy is asked as a job asks it, then by lot.

        Behind them the proposals of members that the strategy has seen, or sees with this cohort.
        """
        taken: list[tuple[int, Proposal]] = []
        repeated: list[tuple[int, Proposal]] = []
        left = PROPOSALS_PER_PLACE * n
        while len(taken) < n and left > 0:
            asked = self.strategy.ask(history, [], n - len(taken), rng)[: n - len(taken)]
            if not asked:
                break
            left -= len(asked)
            found = len(taken)
            for proposal in asked:
                if (row := self.members.row(proposal.expression)) is not None:
                    self.untried[row] = False
                    taken.append((row, proposal))
                elif (seen := self._seen(proposal.expression)) is not None:
                    repeated.append((seen, proposal))
            self.asked += len(asked)
            self.in_vain += len(asked) - (len(taken) - found)
        while len(taken) < n:
            row = self.members.draw(rng)
            self.untried[row] = False
            taken.append((row, Proposal(self.table.expressions[row])))
        return taken, repeated

    def _seen(self, expression: Expression) -> int | None:
        """The row of an expression's class where the strategy knows its gain, or will at the end of the cohort."""
        row = self.table.row.get(class_of(expression, exact=self.table.exact))
        hidden = row is None or self.untried[row] or (self.table.known[row] and not self.setting.baseline)
        return None if hidden else row

    def _repeated(self, row: int, proposal: Proposal, name: str) -> Result:
        return replace(self._result(row, proposal, name), expression=proposal.expression, repeated=True)

    def _result(self, row: int, proposal: Proposal, number: str) -> Result:
        gain = float(self.scores.shown[row])
        values = self.table.objectives[row] | {"gain": gain}
        failed = not np.isfinite(gain)
        return Result(
            number,
            self.table.expressions[row],
            {} if failed else values,
            "failed" if failed else "",
            attributes=proposal.attributes,
        )


def labelled(strategies: Sequence[Settings]) -> dict[str, Settings]:
    """Strategies by a label: the name, with the settings where there are some.

    Raises:
        ReplayError: one is named twice.
    """
    by_label: dict[str, Settings] = {}
    for settings in strategies:
        extra = ", ".join(f"{key}={value}" for key, value in settings.items() if key != "name")
        name = label(str(settings["name"]))
        whole = f"{name} ({extra})" if extra else name
        if whole in by_label:
            raise ReplayError(f"strategy {quoted(whole)} is named twice")
        by_label[whole] = settings
    return by_label
