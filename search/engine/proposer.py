"""The proposer: fills a cohort with candidates that are worth training."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import overload

from evaluators.machine.threads import one_thread
from evaluators.results.reasons import SOFT, Reason
from evaluators.seeds import numpy_generator, uniform
from primitives.equivalence.canonical import canonical
from primitives.expression.expression import Expression
from primitives.expression.parsing import parse
from primitives.grammars import grammar
from search.config import Config
from search.engine.known import KnownClasses, parsed
from search.errors import ConfigError
from search.records.cohort import Passed, Plan, Planned, Untrained
from search.screening import screened
from search.strategies import Proposal, Result, strategy

PROPOSALS_PER_PLACE = 20


@dataclass(slots=True)
class _Draft:
    """A cohort as far as it is proposed."""

    proposals: list[Planned] = field(default_factory=list)
    counts: Counter[Passed | Reason] = field(default_factory=Counter)
    untrained: dict[str, Untrained] = field(default_factory=dict)


class Proposer:
    """Asks the strategy until a cohort is full, or 20 proposals for each place are spent; a walk until it finds one.

    Args:
        config: the job's config.
        known: classes that need no training; accepted candidates are noted there.
    """

    def __init__(self, config: Config, known: KnownClasses) -> None:
        self.config, self.known = config, known
        self.fitting = config.fitting
        self.grammar = grammar(config.grammar)
        self.strategy = strategy(config.strategy, self.grammar, exact=config.exact)
        if why := self.strategy.misfit():
            raise ConfigError(f"strategy {config.strategy_label!r}: {why}")

    @one_thread()
    def propose(self, number: int, history: Sequence[Result], pending: Sequence[Plan]) -> Plan:
        """The candidates of cohort ``number``, a function of its arguments and the run's seed alone."""
        started = time.perf_counter()
        rng = numpy_generator(self.config.seed, "ask", number)
        waiting = Waiting([row for plan in pending for row in plan.proposals])
        drafted = _Draft()
        size = self.config.cohorts.size
        # a start list that is longer than a cohort goes on in the next ones
        batch = [Proposal(parse(text)) for text in self.config.start[number * size : (number + 1) * size]]
        while (left := size - len(drafted.proposals)) and self._goes_on(drafted.counts):
            batch = batch or self.strategy.ask(history, waiting, left, rng)
            if not batch:
                break
            for proposal in batch[:left]:
                self._take(proposal, drafted)
            batch = []
        seconds = round(time.perf_counter() - started, 3)
        return Plan(
            number,
            drafted.proposals,
            dict(drafted.counts),
            seconds=seconds,
            untrained=tuple(drafted.untrained.values()),
        )

    def _goes_on(self, counts: Counter[Passed | Reason]) -> bool:
        """False once most proposals are in vain; a walk goes on until it has found something or is at its end."""
        in_vain = counts.total() >= PROPOSALS_PER_PLACE * self.config.cohorts.size
        return not in_vain or (self.strategy.walks and not counts[Passed.ACCEPTED])

    def _take(self, proposal: Proposal, drafted: _Draft) -> None:
        expression = self._shorter(proposal.expression)
        reason = Reason.MISFIT if self.fitting.misfit(expression) else screened(expression, self.config)
        if reason and not self._passed_on(expression, reason):
            drafted.counts[reason] += 1
            self._pass(proposal, "", drafted)
            return
        key, known = self.known.find(expression)
        if known:
            drafted.counts[Passed.KNOWN] += 1
            self._pass(proposal, key, drafted)
            return
        drafted.counts[Passed.ACCEPTED] += 1
        self.known.expect(key, parsed.note(expression))
        drafted.proposals.append(Planned(expression.text, key, proposal.parents, proposal.attributes, passed_on=reason))

    def _pass(self, proposal: Proposal, key: str, drafted: _Draft) -> None:
        """Note a proposal that is not trained, where the strategy is told of it: once, however often it is made."""
        if self.strategy.hears_untrained:
            untrained = Untrained(proposal.expression.text, key, proposal.attributes)
            drafted.untrained.setdefault(repr(untrained), untrained)

    def _passed_on(self, expression: Expression, reason: Reason) -> bool:
        """The lot of a screened candidate, for the audit of the screens; some reasons are beyond doubt."""
        drawn = uniform(self.config.seed, "screened", expression.text)
        return reason in SOFT and drawn < self.config.rejection.screened

    def _shorter(self, expression: Expression) -> Expression:
        """The canonical form, where that is smaller and the grammar can go on from it."""
        form = canonical(expression)
        return form if form.size < expression.size and form in self.grammar else expression


class Waiting(Sequence[Proposal]):
    """Proposals whose results are not known yet; an item is made when it is looked at, which few strategies do."""

    def __init__(self, planned: Sequence[Planned]) -> None:
        self._planned = planned

    def __len__(self) -> int:
        return len(self._planned)

    @overload
    def __getitem__(self, index: int) -> Proposal: ...
    @overload
    def __getitem__(self, index: slice) -> list[Proposal]: ...
    def __getitem__(self, index: int | slice) -> Proposal | list[Proposal]:
        if isinstance(index, slice):
            return [_proposal(row) for row in self._planned[index]]
        return _proposal(self._planned[index])


def _proposal(planned: Planned) -> Proposal:
    return Proposal(parsed(planned.expression), planned.parents, planned.attributes)


def expected(known: KnownClasses, plan: Plan) -> None:
    """Note the classes of a plan that was read from a file."""
    for proposal in plan.proposals:
        known.expect(proposal.key, parsed(proposal.expression))
