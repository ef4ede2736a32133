"""A race in a job: its limits come from the history alone; neither workers nor kills change a result."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators.asked import answer
from evaluators.cohort import CohortRequest, run_cohort
from evaluators.objectives import mean_gain
from evaluators.racing import Lap
from evaluators.results.reasons import Reason
from evaluators.results.records_codec import cohort_to_json
from evaluators.training.member import Array
from search import ConfigError, Job, Run
from search.config import Training
from search.engine.racing import FEWEST, RECENT, announced_race, gains_by_seed, laps
from search.records.cohort_codec import record_to_json
from search.workers import cohort_of
from search.workers.pieces import Pieces
from tests.plain import record
from tests.search_tests.conftest import SMALL, Told, contents

RACE = [(0.4, 1), (0.2, 1), (0.1, 2), (0.05, 4)]
RACED = ["training.seeds=1", "training.race=[[0.4, 1], [0.2, 1], [0.1, 2]]", "budget=48"]


def normal(rows: int, seeds: int = 1, seed: int = 0) -> list[Array]:
    return list(np.random.default_rng(seed).normal(0.0, 1.0, (rows, seeds)))


def test_without_a_history_all_run_the_first_lap() -> None:
    for known in ([], normal(FEWEST - 1), [*normal(FEWEST - 1), *[np.zeros(0)] * 100]):
        assert laps(RACE, 1, known) == (Lap(-math.inf, 1),)
    assert laps([], 1, normal(100)) == laps([], 1, []) == ()


def test_the_shares_of_the_last_classes_reach_the_limits() -> None:
    """Of those that failed none does, but they count: a share is one of all candidates."""
    known = [*normal(500, seed=1), *normal(RECENT - 40), *[np.zeros(0)] * 40]
    found = laps(RACE, 1, known)
    first = np.array([row[0] for row in known[-RECENT:-40]])
    assert [lap.seeds for lap in found] == [1, 1, 2, 4]
    assert [(first >= lap.limit).sum() / RECENT for lap in found] == pytest.approx([0.4, 0.2, 0.1, 0.05])


@given(st.integers(0, 99), st.floats(0.0, 2.0))
@settings(max_examples=10, deadline=None)
def test_a_class_costs_what_the_shares_say(seed: int, noise: float) -> None:
    """The more noise, the more of those that begin well fall behind; the limits are lower then."""
    rng = np.random.default_rng(seed)
    table = rng.normal(0.0, 1.0, (960, 1)) + rng.normal(0.0, noise, (960, 9))
    known: list[Array] = []
    for start in range(0, len(table), 24):
        race = laps(RACE, 1, known[: max(0, start - 24)])
        for row in table[start : start + 24]:
            seeds = 1
            for lap in race:
                if row[:seeds].mean() < lap.limit:
                    break
                seeds += lap.seeds
            known.append(row[:seeds])
    assert np.mean([len(row) for row in known]) == pytest.approx(2.0, abs=0.2)


@pytest.mark.slow
@pytest.mark.usefixtures("on_workers")
def test_workers_and_interruptions_change_nothing(small: Path) -> None:
    whole = Job.load(small, RACED).launch("whole")
    assert contents(Job.load(small, RACED).launch("workers", workers=2)) == contents(whole)
    part = Job.load(small, RACED).launch("part", max_minutes=0.0)
    for _ in range(7):
        part = Run.open("part").resume(max_minutes=0.0)
    assert contents(part) == contents(whole)
    shorter = Job.load(small, [*RACED, "budget=36"]).launch("shorter")
    assert contents(Run.open("shorter").resume(changes=["budget=48"]))[:2] == contents(whole)[:2]
    assert shorter.path != whole.path


@pytest.fixture(scope="module")
def told() -> Told:
    return Told()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, told: Told) -> Run:
    """A job with a race, done."""
    folder = tmp_path_factory.mktemp("race")
    (folder / "small.yaml").write_text(SMALL)
    job = Job.load(folder / "small.yaml", [*RACED, "confirmation.finalists=0"])
    return job.launch(str(folder / "one"), reporter=told)


def test_limits_come_from_the_cohorts_that_proposals_see(run: Run) -> None:
    trials = run.read().store.trials
    ran = set()
    for cohort in run.cohorts():
        end = sum(trial.cohort < cohort.plan.number - 1 for trial in trials)
        known = [gains_by_seed(trial) for trial in trials[:end]]
        assert cohort.plan.race == laps([*RACE[:2], (0.1, 2)], 1, known)
        for row in cohort.result.candidates:
            seeds = row.seeds if not row.reason else 0
            ran.add(seeds)
            if seeds and not all(lap.limit == -math.inf for lap in cohort.plan.race):
                first = mean_gain(row.first(1), cohort.result.reference, ["digits"])
                assert (seeds > 1) == (first >= cohort.plan.race[0].limit)
        assert cohort.result.reference.seeds == max(row.seeds for row in cohort.result.candidates)
    assert {1, 2} < ran
    assert run.status().controls_repeat
    assert run.status().rejection.seeds == pytest.approx(np.mean([trial.seeds or 1 for trial in trials]), abs=0.3)


def test_results_say_how_many_seeds_they_stand_on(run: Run) -> None:
    study = run.read()
    found = [study.result(number) for number in range(study.trials)]
    assert [result.seeds for result in found] == [trial.seeds for trial in study.store.trials]
    assert {result.seeds for result in found if result.reason} <= {0}
    assert len({result.seeds for result in found}) >= 2


def test_files_keep_the_race_and_older_ones_open_without(run: Run) -> None:
    paths = sorted(run.folder.cohorts.iterdir())
    values = json.loads(paths[0].read_text())
    assert values["race"] == [[None, 1]]
    for path in (paths[0], paths[-1]):
        values = json.loads(path.read_text())
        assert record_to_json(record(values))["race"] == values["race"]
    del values["race"]
    assert record(values).plan.race == ()


def test_a_run_from_before_the_race_has_none(small: Path) -> None:
    run = Job.load(small, ["budget=6", "confirmation.finalists=0"]).launch("old")
    old = yaml.safe_load(run.folder.config.read_text())
    del old["training"]["race"]
    run.folder.config.write_text(yaml.safe_dump(old))
    again = Run.open("old")
    assert again.config.training.race == () and again.config.training.seeds == 2


def test_a_cohort_in_pieces_has_the_reference_of_the_longest() -> None:
    """A worker died twice: the halves are trained apart."""
    texts = ("0.001*x**2", "x*atan(x)", "sin(x)", "tanh(x)")
    request = CohortRequest(texts, ("digits-2x16",), 1, 1, 8, (), (1e-2,), race=(Lap(0.0, 1), Lap(-math.inf, 1)))
    pieces = Pieces()
    pieces.submit(0, request)
    for _ in range(2):
        pieces.failed(pieces.take(), Reason.WORKER_DIED, "")
    while pieces.waiting():
        piece = pieces.take()
        pieces.finished(piece, answer(piece.request))
    whole = pieces.whole()
    assert whole is not None
    mine, other = cohort_to_json(cohort_of(whole[1])), cohort_to_json(run_cohort(request))
    assert {**mine, "seconds": 0} == {**other, "seconds": 0}


@pytest.mark.parametrize(
    ("race", "said"),
    [
        ("[[0.2, 1], [0.4, 1]]", "shares must not grow from lap to lap"),
        ("[[0, 1]]", "above 0"),
        ("[[0.4, 0]]", "1 to 1024 more seeds"),
        ("true", "expected neither true nor false"),
    ],
)
def test_a_race_that_is_none_is_refused_by_name(race: str, said: str, small: Path) -> None:
    with pytest.raises(ConfigError, match=f"training.race: .*{said}"):
        Job.load(small, [f"training.race={race}"])


def test_what_needs_more_seeds_than_a_race_begins_with_is_refused(small: Path) -> None:
    with pytest.raises(ConfigError, match=r"training.seeds: reproducibility needs at least 2 seeds, got 1"):
        Job.load(small, [*RACED, "objectives=[gain, reproducibility]"])


def test_it_is_announced_and_told(run: Run, told: Told) -> None:
    said = "racing: 1 seed for all, 1 more for the best 40%, 1 more for the best 20%, 2 more for the best 10%"
    assert said in told.lines
    assert any("seeds a class" in line for line in told.lines)
    assert announced_race([(0.5, 2)], 2) == "racing: 2 seeds for all, 2 more for the best 50%"
    assert Training.model_validate({"seeds": 1}).seeds_in_words == "1 seed, up to 9 for the best"
    assert Training.model_validate({"seeds": 2, "race": []}).seeds_in_words == "2 seeds"
