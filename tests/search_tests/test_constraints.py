"""Constraints: what does not meet a bound was trained, says why, and has no place on the front."""

from __future__ import annotations

from pathlib import Path

import pytest

from evaluators.errors import EvaluationError
from evaluators.objectives import Constraint, constraint, objective
from evaluators.results.reasons import Infeasible, Kind
from primitives.expression.parsing import parse
from search import Job, Run
from search.config import Config, checked, plain
from search.errors import ConfigError

TINY: dict[str, object] = {
    "tasks": ["digits"],
    "start": ["x*tanh(x)", "sin(x)", "exp(-x**2)"],
    "budget": 8,
    "cohorts": {"size": 4, "lag": 1},
    "baseline": {"functions": ["tanh", "selu"]},
    "training": {"seeds": 1, "race": [], "steps": 10, "learning_rates": [0.01]},
    "confirmation": {"finalists": 0},
    "workers": {"count": 0},
}


def config(**changes: object) -> Config:
    return checked(TINY | changes, "test")


def test_a_text_is_an_objective_a_sign_and_a_number() -> None:
    assert constraint("churn <= 0.05") == Constraint("churn", True, 0.05)
    assert constraint(" int8>=-1e-1 ") == Constraint("int8", False, -0.1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("churn < 0.05", "expected an objective, <= or >="),
        ("churn <=", "expected an objective, <= or >="),
        ("churn <= nan", "a finite number as the bound, got 'nan'"),
        ("churn <= low", "a finite number as the bound, got 'low'"),
        ("churm <= 0.05", "did you mean 'churn'"),
    ],
)
def test_other_texts_are_refused_by_the_config_with_what_was_expected(text: str, message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        constraint(text)
    with pytest.raises(ConfigError, match=f"constraints.*{message}"):
        config(constraints=[text])


def test_seeds_that_a_constraint_needs_are_asked_for_as_an_objectives() -> None:
    with pytest.raises(ConfigError, match="churn needs at least 2 seeds, got 1"):
        config(constraints=["churn <= 0.05"])


def test_jobs_without_constraints_are_written_as_before() -> None:
    assert "constraints" not in plain(config())
    assert plain(config(constraints=["lipschitz <= 1.5"]))["constraints"] == ["lipschitz <= 1.5"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    job = Job(config(constraints=["lipschitz <= 1.5", "int8 >= -20"]), "bounded")
    return job.launch(str(tmp_path_factory.mktemp("runs") / "bounded"))


def test_the_front_meets_every_bound_and_the_rest_says_which_it_does_not(run: Run) -> None:
    study = run.read()
    trials = [*study.store.trials, *(known.trial for known in study.baseline)]
    steep = {trial.expression for trial in trials if trial.reason == Infeasible("lipschitz")}
    for trial in trials:
        bound = objective("lipschitz").lacks(parse(trial.expression))
        assert not bound
        if trial.objectives:
            assert trial.expression not in steep and set(trial.objectives) == {"gain", "cost"}
    assert steep and all(trial.gains for trial in trials if trial.expression in steep)
    assert not steep & {trial.expression for trial in study.front_trials}


def test_a_run_with_constraints_is_read_again_with_its_reasons(run: Run) -> None:
    again = Run.open(str(run.path))
    assert again.config.constraints == ("lipschitz <= 1.5", "int8 >= -20")
    assert [trial.reason for trial in again.read().store.trials] == [t.reason for t in run.read().store.trials]
    assert Infeasible("lipschitz").kind is Kind.REJECTED and "lipschitz" in Infeasible("lipschitz").meaning
    page = Path(run.path, "report.html")
    run.report()
    assert "infeasible-lipschitz" in page.read_text(encoding="utf-8")
