"""The proposer: fills a cohort with candidates that are worth training."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evaluators.screens import SOFT, screen
from evaluators.seeds import lot, numpy_generator
from primitives.canonical import canonical
from primitives.expressions import Expression
from primitives.grammars import grammar
from primitives.parsing import parse
from search.config import Config
from search.known import KnownClasses, parsed
from search.strategies import Proposal, Result, strategy

PROPOSALS_PER_PLACE = 20


@dataclass(frozen=True, slots=True)
class Plan:
    """A cohort as proposed: plain data.

    Args:
        number: of the cohort.
        proposals: for each candidate ``expression``, ``class``, ``parents``, the strategy's ``attributes`` if there
            are any and, where it is trained to the end whatever it promises, why, as ``spared``: ``"warm-up"``,
            ``"audit"`` or the reason code of a failed screen.
        counts: what became of all proposals: ``accepted``, ``known`` and the screens' reason codes.
        thresholds: of early rejection, for all candidates but those with ``spared`` in their proposal.
        seconds: what it took to propose and to screen them; nothing depends on it.
    """

    number: int
    proposals: list[dict[str, Any]]
    counts: dict[str, int]
    thresholds: tuple[float, ...] = ()
    seconds: float = field(default=0.0, compare=False)

    @classmethod
    def stored(cls, record: dict[str, Any]) -> Plan:
        """The plan of a cohort that is in its file."""
        return cls(record["cohort"], record["proposals"], record["counts"], tuple(record.get("thresholds", ())))

    @property
    def expressions(self) -> tuple[str, ...]:
        return tuple(proposal["expression"] for proposal in self.proposals)


class Proposer:
    """Asks the strategy until a cohort is full, or 20 proposals for each place are spent; a walk until it finds one.

    Args:
        config: the job's config.
        known: classes that need no training; accepted candidates are noted there.
    """

    def __init__(self, config: Config, known: KnownClasses) -> None:
        self.config, self.known = config, known
        self.grammar = grammar(config.grammar)
        self.strategy = strategy(config.strategy, self.grammar)

    def propose(self, number: int, history: Sequence[Result], pending: Sequence[Plan]) -> Plan:
        """The candidates of cohort ``number``, a function of its arguments and the run's seed alone."""
        started = time.perf_counter()
        rng = numpy_generator(self.config.seed, "ask", number)
        waiting = [_proposal(row) for plan in pending for row in plan.proposals]
        proposals: list[dict[str, Any]] = []
        counts: Counter[str] = Counter()
        size = self.config.cohorts.size
        # a start list that is longer than a cohort goes on in the next ones
        batch = [Proposal(parse(text)) for text in self.config.start[number * size : (number + 1) * size]]
        while len(proposals) < size and self._goes_on(counts):
            batch = batch or self.strategy.ask(history, waiting, size - len(proposals), rng)
            if not batch:
                break
            for proposal in batch[: size - len(proposals)]:
                self._take(proposal, proposals, counts)
            batch = []
        return Plan(number, proposals, dict(counts), seconds=round(time.perf_counter() - started, 3))

    def _goes_on(self, counts: Counter[str]) -> bool:
        """False once most proposals are in vain; a walk goes on until it has found something or is at its end."""
        in_vain = counts.total() >= PROPOSALS_PER_PLACE * self.config.cohorts.size
        return not in_vain or (self.strategy.walks and not counts["accepted"])

    def _take(self, proposal: Proposal, proposals: list[dict[str, Any]], counts: Counter[str]) -> None:
        expression = self._shorter(proposal.expression)
        reason = screen(expression)
        if reason and not self._passed_on(expression, reason):
            counts[reason] += 1
            return
        key, known = self.known.find(expression)
        if known:
            counts["known"] += 1
            return
        counts["accepted"] += 1
        self.known.expect(key, expression)
        row = {"expression": expression.text, "class": key, "parents": list(proposal.parents)}
        extra = {"attributes": dict(proposal.attributes), "spared": reason}
        proposals.append(row | {name: value for name, value in extra.items() if value})

    def _passed_on(self, expression: Expression, reason: str) -> bool:
        """The lot of a screened candidate, for the audit of the screens; some reasons are beyond doubt."""
        drawn = lot(self.config.seed, "screened", expression.text)
        return reason in SOFT and drawn < self.config.rejection.screened

    def _shorter(self, expression: Expression) -> Expression:
        """The canonical form, where that is smaller and the grammar can go on from it."""
        form = canonical(expression)
        return form if form.size < expression.size and form in self.grammar else expression


def _proposal(row: Mapping[str, Any]) -> Proposal:
    return Proposal(parsed(row["expression"]), tuple(row["parents"]), row.get("attributes", {}))


def expected(known: KnownClasses, plan: Plan) -> None:
    """Note the classes of a plan that was read from a file."""
    for proposal in plan.proposals:
        known.expect(proposal["class"], parsed(proposal["expression"]))
