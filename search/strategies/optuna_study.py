"""An Optuna study in memory over a grammar's decisions: results are entered, new expressions are asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.samplers import BaseSampler, CmaEsSampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from evaluators.objectives import objective
from primitives.equivalence.classes import class_of
from primitives.expression.expression import Expression
from primitives.grammars import Grammar
from search.strategies.base import Proposal, Result

_GENERATION = ":generation"
#: What a sampler notes at a trial, as JSON's types.
Attributes = Mapping[str, object]

_SEQUENCE = "qmc:"  # an attribute of the study: where a quasi-random sequence stands
_PICKLE = ":optimizer"  # of CMA-ES
#: Not carried: a pickle, as reading one executes it, and what serves trials that run.
_DROPPED = (_PICKLE, "relative_params")


class DecisionStudy:
    """What one sampler sees while it fills one cohort.

    Args:
        grammar: its decisions are the parameters.
        sampler: of Optuna.
        objectives: names of those that count.
        numeric: decisions are numbers of choices instead of categories.
        exact: functions that differ by a factor are two.
    """

    def __init__(
        self, grammar: Grammar, sampler: BaseSampler, *, objectives: Sequence[str], numeric: bool, exact: bool = False
    ) -> None:  # fmt: skip
        self.grammar, self.sampler, self.objectives, self.numeric = grammar, sampler, objectives, numeric
        self.exact = exact
        self.choices = {d.name: d.choices for d in grammar.decisions()}
        self.distributions = {name: _distribution(choices, numeric) for name, choices in self.choices.items()}
        optuna.logging.set_verbosity(optuna.logging.WARNING)  # or each study in memory is announced
        self.study = optuna.create_study(sampler=sampler, directions=[objective(name).direction for name in objectives])
        self._seen: set[str] = set()
        self._first = 0  # generation, counted from the run's beginning, that is 0 in this study

    def ask(self, instead: Expression | None = None) -> Proposal | None:
        """A new expression, with what must come back beside its result.

        Args:
            instead: takes the place of what the sampler says, attributes included, where that is known.

        Returns:
            None if both are known; the sampler is told that its trial failed.
        """
        trial = self.study.ask(self.distributions)
        said = self.grammar.decode({name: self._choice(name, value) for name, value in trial.params.items()})
        for expression in (said, instead):
            if expression is not None and (key := class_of(expression, exact=self.exact)) not in self._seen:
                self._seen.add(key)
                return Proposal(expression, attributes=self._carried(self._attributes(trial)))
        self.study.tell(trial, state=TrialState.FAIL)
        return None

    def fill(self, old: Sequence[Result], recent: Sequence[Result], pending: Sequence[Proposal]) -> None:
        """Enter what is known: failures as pruned trials, pending proposals as running ones.

        Generations are counted from the first one in ``recent``. Expressions without a vector are left out.
        """
        known: list[Result | Proposal] = [*old, *recent, *pending]
        self._seen |= {class_of(each.expression, exact=self.exact) for each in known}
        self._first = min((_generation(each.attributes) for each in recent), default=0)
        self._continue_sequence(each.attributes for each in known)
        generation, optimizer = 0, dict[str, object]()
        for each in known:
            vector = self.grammar.encode(each.expression) if each.expression in self.grammar else None
            if vector is None:
                continue
            attributes = _moved(_plain(each.attributes), -self._first)
            if isinstance(self.sampler, CmaEsSampler) and _generation(attributes) > generation:
                generation, optimizer = _generation(attributes), self._optimizer()
            self.study.add_trial(self._trial(each, vector, attributes | optimizer))

    def _choice(self, name: str, value: Any) -> str:
        choice: str = self.choices[name][value] if self.numeric else value
        return choice

    def _carried(self, attributes: Attributes) -> dict[str, object]:
        """A trial's attributes that its sampler must see again, and where the study's sequence stands."""
        told = _plain(attributes)
        of_study = self.study._storage.get_study_system_attrs(self.study._study_id)
        sequence = {key: value for key, value in of_study.items() if key.startswith(_SEQUENCE)}
        return _moved(told, self._first) | sequence

    def _attributes(self, trial: optuna.Trial) -> dict[str, object]:
        # system attributes are for samplers; these too reach them by the storage alone
        return self.study._storage.get_trial(trial._trial_id).system_attrs

    def _continue_sequence(self, known: Iterable[Attributes]) -> None:
        places: dict[str, int] = {}
        for attributes in known:
            for key in attributes:
                if key.startswith(_SEQUENCE) and isinstance(place := attributes[key], int):
                    places[key] = max(places.get(key, 0), place)
        for key, place in places.items():
            self.study._storage.set_study_system_attr(self.study._study_id, key, place)

    def _optimizer(self) -> dict[str, object]:
        """CMA-ES after the generations entered so far: asked, it makes its optimizer itself."""
        trial = self.study.ask(self.distributions)
        self.study.tell(trial, state=TrialState.FAIL)
        return {key: value for key, value in self._attributes(trial).items() if _PICKLE in key}

    def _trial(self, each: Result | Proposal, vector: Mapping[str, str], attributes: dict[str, object]) -> FrozenTrial:
        objectives = each.objectives if isinstance(each, Result) else {}
        ended = TrialState.COMPLETE if objectives else TrialState.PRUNED
        return create_trial(
            state=ended if isinstance(each, Result) else TrialState.RUNNING,
            values=[objectives[name] for name in self.objectives] if objectives else None,
            params={name: self.choices[name].index(c) if self.numeric else c for name, c in vector.items()},
            distributions=self.distributions,
            system_attrs=attributes,
        )


def _distribution(choices: Sequence[str], numeric: bool) -> BaseDistribution:
    return IntDistribution(0, len(choices) - 1) if numeric else CategoricalDistribution(choices)


def _generation(attributes: Attributes) -> int:
    generations = (value for key, value in attributes.items() if key.endswith(_GENERATION))
    return next((value for value in generations if isinstance(value, int)), 0)


def _plain(attributes: Attributes) -> dict[str, object]:
    """Attributes without those that are not carried; those of a run folder may be a stranger's."""
    return {key: value for key, value in attributes.items() if not any(word in key for word in _DROPPED)}


def _moved(attributes: Attributes, by: int) -> dict[str, object]:
    """Attributes with another count of generations."""
    return {
        key: max(0, value + by) if key.endswith(_GENERATION) and isinstance(value, int) else value
        for key, value in attributes.items()
    }
