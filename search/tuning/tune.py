"""Stage 2 of SAFS (arXiv 2305.10964) for every function alike: an Optuna search over how a network is trained.

All have the same space, the same number of trials, the same seeds and a sampler with the same seed: their first trials,
which the sampler draws at random, are the same recipes, and only then does each go its own way. What is seen is the
search's part of the data, with seeds that nothing else uses.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import optuna

from evaluators.cohort import CohortRequest
from evaluators.results.records import MemberResult
from evaluators.seeds import derive
from evaluators.tasks.optimisers import OPTIMISERS
from evaluators.tasks.recipe import Recipe
from evaluators.training.schedules import SCHEDULES
from search.confirmation.field import train_fields
from search.tuning.each_function import Function, functions_of, request_for, rows_of
from search.tuning.recipes import made
from search.tuning.record import Chosen, Space
from search.workers import Workers

FIRST_SEED = (
    3_000_000  # the search counts its seeds from 0, short forms and known functions theirs from 1 and 2 million
)
RANDOM = 10  # trials before the sampler learns, Optuna's own number; all are trained at once
MOMENTUM = (0.1, 0.999)  # of SGD, as there


@dataclass(slots=True)
class _Trial:
    """A recipe that a study asked for, and what came of it."""

    asked: optuna.Trial
    recipe: Recipe
    value: float = math.nan
    cost: float = math.inf


@dataclass(slots=True)
class _Search:
    """The search of one function on one task; Optuna's study lives as long as this does."""

    function: Function
    study: optuna.Study
    trials: list[_Trial] = field(default_factory=list)

    def ask(self, space: Space) -> _Trial:
        asked = self.study.ask()
        self.trials.append(_Trial(asked, _suggested(space, asked)))
        return self.trials[-1]

    @property
    def chosen(self) -> Chosen:
        best = min(self.trials, key=lambda trial: trial.cost)  # the first of several
        return Chosen(best.recipe, best.value)


def tune(requests: Sequence[CohortRequest], space: Space, workers: Workers) -> list[dict[Function, Chosen]]:
    """The best recipe of each function on each task.

    Args:
        requests: of the confirmation, one task each: whose functions, steps and conditions are taken, and nothing of
            whose data or seeds is seen.
        space: what is searched.
        workers: train it.

    Returns:
        For each request its functions, finalists first.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # or each study is announced
    bases = [_in_search(request, space) for request in requests]
    seed = derive(requests[0].seed, "tuning") % 2**32
    searches = [[_Search(each, _study(seed)) for each in functions_of(request)] for request in requests]
    for count in (min(RANDOM, space.trials), *[1] * (space.trials - RANDOM)):
        asked = [[search.ask(space) for search in row for _ in range(count)] for row in searches]
        functions = [[search.function for search in row for _ in range(count)] for row in searches]
        _train(bases, functions, asked, workers)
        for row in searches:
            for search in row:
                for trial in search.trials[-count:]:
                    search.study.tell(trial.asked, trial.cost)
    return [{search.function: search.chosen for search in row} for row in searches]


def _study(seed: int) -> optuna.Study:
    sampler = optuna.samplers.TPESampler(n_startup_trials=RANDOM, seed=seed)
    return optuna.create_study(sampler=sampler, direction="minimize")


def _suggested(space: Space, trial: optuna.Trial) -> Recipe:
    usual = OPTIMISERS[trial.suggest_categorical("optimiser", space.optimisers)]
    rate = trial.suggest_float("rate", *space.learning_rates, log=True)
    decay = trial.suggest_float("weight_decay", *space.weight_decay, log=True)
    schedule = SCHEDULES[trial.suggest_categorical("schedule", space.schedules)]
    momentum = trial.suggest_float("momentum", *MOMENTUM) if usual == OPTIMISERS["sgd"] else 0.0
    return Recipe(made(usual, decay, momentum), rate, schedule)


def _in_search(request: CohortRequest, space: Space) -> CohortRequest:
    """The same functions on the search's part of the data, on seeds of the tuning's own."""
    return replace(request, purpose="search", seeds=space.seeds, first_seed=FIRST_SEED, draw="", nulls=0)


def _train(
    bases: Sequence[CohortRequest], functions: Sequence[Sequence[Function]], asked: Sequence[Sequence[_Trial]],
    workers: Workers,
) -> None:  # fmt: skip
    """Fill in what came of trials; functions that asked for the same recipe are trained together."""
    jobs = [
        (number, recipe, group)
        for number, row in enumerate(asked)
        for recipe, group in _groups(functions[number], row).items()
    ]
    fields = train_fields([request_for(bases[n], group, recipe) for n, recipe, group in jobs], workers)
    found = {
        (number, recipe, function): row
        for (number, recipe, group), result in zip(jobs, fields, strict=True)
        for function, row in rows_of(result, group).items()
    }
    for number, row in enumerate(asked):
        for function, trial in zip(functions[number], row, strict=True):
            result = found[number, trial.recipe, function]
            trial.value, trial.cost = _judged(result, bases[number].tasks[0])


def _groups(functions: Sequence[Function], trials: Sequence[_Trial]) -> dict[Recipe, list[Function]]:
    """The functions that asked for each recipe, each once."""
    groups: dict[Recipe, dict[Function, None]] = {}
    for function, trial in zip(functions, trials, strict=True):
        groups.setdefault(trial.recipe, {})[function] = None
    return {recipe: list(group) for recipe, group in groups.items()}


def _judged(row: MemberResult, task: str) -> tuple[float, float]:
    """The value of a trial, and its cost, smaller where better, in the unit in which gains are taken."""
    if row.reason or not np.isfinite(values := row.final(task)[:, 0]).all():
        return math.nan, math.inf
    comparison = row.comparison(task)
    if comparison.is_ratio:
        cost = float(np.log(values).mean())
        return math.exp(cost), cost
    return float(values.mean()), float(comparison.costs(values).mean())
