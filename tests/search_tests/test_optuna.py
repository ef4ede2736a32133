"""The strategy ``optuna``: samplers by name, what they see, what they keep from cohort to cohort."""

from __future__ import annotations

import importlib.util
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from optuna.trial import TrialState

from primitives import parse
from primitives.equivalence.classes import fingerprint
from primitives.grammars import grammar
from search.config import checked
from search.errors import ConfigError
from search.strategies import Proposal, Result, strategy
from search.strategies.optuna_samplers import sampler_names
from search.strategies.optuna_strategy import OptunaStrategy
from search.work import milliseconds_to_propose
from tests.plain import entry

GRAMMAR = grammar("swish2017")
CMAES = pytest.mark.skipif(importlib.util.find_spec("cmaes") is None, reason="the package cmaes is not installed")


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def made(sampler: str, **settings: Any) -> OptunaStrategy:
    found = strategy({"name": "optuna", "sampler": sampler, **settings}, GRAMMAR)
    assert isinstance(found, OptunaStrategy)
    return found


def played(chosen: OptunaStrategy, cohorts: int, size: int = 8) -> list[Result]:
    """A job's results: shorter expressions are better; every seventh candidate fails."""
    history: list[Result] = []
    for cohort in range(cohorts):
        for slot, each in enumerate(chosen.ask(history, [], size, rng(cohort))):
            values = {"gain": -float(each.expression.size), "cost": 1.0} if slot != 6 else {}
            result = Result(f"{cohort}.{slot}", each.expression, values, "" if values else "non-finite")
            history.append(Result(result.id, result.expression, values, result.reason, attributes=each.attributes))
    return history


@pytest.mark.parametrize("name", [n for n in sampler_names() if n not in {"GPSampler", "CmaEsSampler"}])
def test_a_resumed_job_asks_the_same_with_every_sampler(name: str) -> None:
    history = played(made(name), 4)
    asked = [played(made(name), 4), history]
    assert asked[0] == asked[1]
    assert len({fingerprint(result.expression).scale for result in history}) == len(history)


@pytest.mark.slow
def test_the_gaussian_process_asks_the_same_and_better_than_at_random() -> None:
    settings = {"arguments": {"n_startup_trials": 8}, "objectives": "gain"}
    history = played(made("GPSampler", **settings), 3)
    assert history == played(made("GPSampler", **settings), 3)
    assert np.mean([r.gain for r in history[16:22]]) > np.mean([r.gain for r in history[:6]])


@CMAES
def test_cma_goes_on_from_generation_to_generation_without_a_pickle_in_the_study() -> None:
    history = played(made("CmaEsSampler", arguments={"popsize": 5}), 8)
    assert history == played(made("CmaEsSampler", arguments={"popsize": 5}), 8)
    generations = [int(str(result.attributes.get("cma:generation", 0))) for result in history]
    assert generations == sorted(generations)
    assert generations[-1] >= 5
    assert {key for result in history for key in result.attributes} == {"cma:generation"}


class Marked:
    """Leaves a mark where its pickle is read."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.mark,)


@CMAES
def test_a_pickle_in_a_run_folder_is_not_read(tmp_path: Path) -> None:
    """Optuna reads the newest optimizer among the trials' attributes, which of a run may be a stranger's."""
    history = played(made("CmaEsSampler", arguments={"popsize": 5}), 3)
    evil = {"cma:optimizer:0": pickle.dumps(Marked(tmp_path / "mark")).hex()}
    forged = [replace(result, attributes={**result.attributes, **evil}) for result in history]
    asked = [made("CmaEsSampler", arguments={"popsize": 5}).ask(given, [], 8, rng(3)) for given in (forged, history)]
    assert not (tmp_path / "mark").exists()
    assert asked[0] == asked[1]


def test_generations_follow_one_another_also_where_the_window_has_lost_the_first() -> None:
    history = played(made("NSGAIISampler", arguments={"population_size": 6}, window=16, best=4), 10)
    generations = [int(str(result.attributes["NSGAIISampler:generation"])) for result in history]
    assert generations == sorted(generations)
    assert generations[-1] >= 8


def test_a_sequence_goes_on_where_the_last_cohort_stood() -> None:
    """Sobol points without scrambling: were they to begin anew, each cohort would ask for what is known."""
    chosen = made("QMCSampler")
    history = played(chosen, 5)
    (key,) = {name for result in history[1:] for name in result.attributes}
    places = [int(str(result.attributes[key])) for result in history[1:]]
    assert places == sorted(set(places))


def test_the_sampler_sees_the_window_the_best_and_what_is_pending() -> None:
    chosen, history = made("RandomSampler", window=10, best=3), played(made("RandomSampler"), 8)
    chosen.ask(history, [Proposal(parse("max(sin(x),x)"))], 4, rng())
    assert chosen._cohort is not None
    trials = [trial for trial in chosen._cohort[1].study.trials if trial.state is not TrialState.FAIL]  # asked in vain
    old = sorted(history, key=lambda r: -r.gain)[:3]
    kept = [result for result in old if result.id not in {r.id for r in history[-10:]}]
    states = [trial.state for trial in trials]
    assert len(trials) == len(kept) + 10 + 1 + 4
    assert states.count(TrialState.RUNNING) == 1 + 4
    assert states.count(TrialState.PRUNED) == sum(not result.objectives for result in history[-10:])
    told = [trial.values[0] for trial in trials if trial.state is TrialState.COMPLETE]
    assert told == [result.gain for result in [*kept, *history[-10:]] if result.objectives]


def test_asked_again_for_a_cohort_it_goes_on_in_its_study() -> None:
    chosen, generator = made("TPESampler"), rng()
    history = played(made("TPESampler"), 3)
    first = chosen.ask(history, [], 8, generator)
    second = chosen.ask(history, [], 8, generator)
    assert not {fingerprint(p.expression).scale for p in first} & {fingerprint(p.expression).scale for p in second}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sampler": "TPESample"}, r"unknown sampler 'TPESample'.*did you mean 'TPESampler'.*GPSampler"),
        ({"sampler": "GridSampler"}, "'GridSampler' cannot be used.*'exhaustive'"),
        ({"arguments": {"n_startup_trial": 3}}, "unknown argument 'n_startup_trial'.*'n_startup_trials'"),
        ({"arguments": {"n_startup_trials": "many"}}, "n_startup_trials: expected int, got 'many'"),
        ({"arguments": {"seed": 3}}, "seed comes from the run's seed"),
        ({"arguments": {"gamma": 3}}, "unknown argument 'gamma'"),
        ({"arguments": [1]}, "arguments: expected a section"),
        ({"sampler": "GPSampler", "window": 501}, "window: expected at most 500 results, got 501"),
        ({"sampler": "NSGAIISampler", "arguments": {"population_size": 1}}, "population_size"),
        ({"sampler": 3}, "sampler: expected a name"),
    ],
)
def test_bad_settings_are_refused_when_the_config_is_checked(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        checked({"budget": 4, "strategy": {"name": "optuna", **settings}}, "test")


def test_a_job_says_what_proposing_took() -> None:
    trace = [
        entry(proposed_in=0.5, counts={"accepted": 20, "known": 7}),
        entry(proposed_in=None, counts={"accepted": 20}),
        entry(),
        entry(proposed_in=0.7, counts={"accepted": 4}),
    ]
    assert milliseconds_to_propose(trace) == pytest.approx(50.0)
    assert milliseconds_to_propose([]) == 0.0
