"""The fast forms of the driver equal the simple ones: lines in bulk, kept trials, comparisons at once, laps."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.storages import JournalStorage
from optuna.trial import FrozenTrial, TrialState

from evaluators.errors import ReferenceLossError
from evaluators.objectives import Against, gains
from evaluators.results.reasons import Kind, Reason, Unmeasured
from evaluators.results.records import MemberResult
from evaluators.training.member import Array
from search.config import checked
from search.engine.known import Texts
from search.engine.loop import search
from search.engine.proposer import Waiting
from search.engine.racing import FEWEST, RECENT, laps
from search.engine.recorder import Recorder
from search.engine.scoring import DEFAULT_SCORING
from search.engine.study import Study
from search.records.cohort import Exemption, Planned
from search.records.trial import TrialRecord
from search.records.trial_codec import trial_to_json
from search.storage import MemoryStore, open_store
from search.storage.files import seal, write_sealed
from search.storage.journal import CohortJournal
from search.storage.run_folder import RunFolder
from search.storage.trial_journal import NAME, TrialJournal
from tests.search_tests.made_up import Instant

NOW = datetime(2026, 5, 4, 3, 2, 1, 7, tzinfo=UTC)
VALUES = {"gain": 0.25, "cost": 3.0}
TRIALS = (
    TrialRecord("0.0", "tanh(x)", "k0", gain_over={"relu": 0.25}, gains={"digits": (0.5, 0.0)}, objectives=VALUES),
    TrialRecord("0.1", "sin(x)", "k1", ("0.0",), Reason.DIVERGED, "digits", ("float16",)),
    TrialRecord("0.2", "x*x", "k2", reason=Unmeasured("cost"), gain_over={"relu": 1.5}, gains={"digits": (1.5,)}),
    TrialRecord(
        "0.3", "cos(x)", "k3", ("0.0", "0.1"), exempt=Exemption.AUDIT, relative_losses=(0.1, math.inf),
        gain_over={"relu": -1.0}, gains={"digits": (-1.0,)}, objectives={"gain": -1.0, "cost": 2.0},
        attributes={"place": [1, 2], "of": {"a": None}},
    ),
)  # fmt: skip


def frozen(trial: TrialRecord) -> FrozenTrial:
    """As Optuna takes it, one at a time."""
    states = {None: TrialState.COMPLETE, Kind.FAILED: TrialState.FAIL, Kind.REJECTED: TrialState.PRUNED}
    return FrozenTrial(
        number=-1, trial_id=-1, state=states[trial.reason.kind if trial.reason else None], value=None,
        values=None if trial.reason else list(trial.objectives.values()), datetime_start=NOW, datetime_complete=NOW,
        params={}, distributions={}, user_attrs=trial_to_json(trial), system_attrs=dict(trial.attributes),
        intermediate_values={},
    )  # fmt: skip


@pytest.mark.parametrize("trials", [TRIALS, TRIALS[:1], ()])
def test_lines_in_bulk_are_those_of_single_trials(tmp_path: Path, trials: tuple[TrialRecord, ...]) -> None:
    TrialJournal(tmp_path / "bulk").add(trials, NOW, NOW)
    TrialJournal(tmp_path / "single")
    journal = CohortJournal(tmp_path / "single")
    study = optuna.load_study(study_name=NAME, storage=JournalStorage(journal))
    with journal.batch():
        for trial in trials:
            study.add_trial(frozen(trial))
    assert (tmp_path / "bulk").read_bytes() == (tmp_path / "single").read_bytes()


def test_one_objective_has_one_value(tmp_path: Path) -> None:
    one = replace(TRIALS[0], objectives={"gain": 0.25})
    scoring = replace(DEFAULT_SCORING, objectives=("gain",))
    made = TrialJournal(tmp_path / "bulk", scoring)
    made.add([one], NOW, NOW)
    assert [trial.values for trial in made.study.get_trials()] == [[0.25]]
    assert list(TrialJournal(tmp_path / "bulk", scoring).trials) == [one]


def test_trials_that_stay_decoded_are_those_that_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the strategy's attributes have other types in JSON, and where only some stay."""
    strange = replace(TRIALS[0], id="0.4", attributes={"pair": (1, 2)})
    monkeypatch.setattr("search.storage.trial_journal.RECENT", 2)
    made = TrialJournal(tmp_path / "j")
    for each in (*TRIALS, strange):
        made.add([each], NOW, NOW)
    assert list(made.trials) == list(TrialJournal(tmp_path / "j").trials)
    assert made.trials[-1].attributes == {"pair": [1, 2]}


@pytest.mark.parametrize("data", [{}, {"a": 1}, {"a": [None, "ä", 0.1], "b": {}}])
@pytest.mark.parametrize("run", ["", "0123456789abcdef"])
def test_a_sealed_file_is_a_seal(tmp_path: Path, data: dict[str, Any], run: str) -> None:
    write_sealed(tmp_path / "f", data, run)
    assert (tmp_path / "f").read_text() == json.dumps(seal(data, run)) + "\n"


def member(losses: Array, **more: Any) -> MemberResult:
    return MemberResult({"a": {10: losses, 5: losses + 1.0}, "b": {10: 2.0 * losses}}, **more)


@given(st.integers(0, 999), st.integers(1, 12), st.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_comparisons_at_once_are_single_ones(seed: int, seeds: int, rates: int) -> None:
    """Bit for bit; also on unequal seeds, and where losses are missing."""
    rng = np.random.default_rng(seed)
    controls = {name: member(rng.uniform(0.1, 2.0, (seeds, rates))) for name in ("relu", "gelu", "silu")}
    fewer = {**controls, "silu": member(rng.uniform(0.1, 2.0, (seeds + 1, rates)))}
    broken = np.full((seeds, rates), np.nan)
    for row in (member(rng.uniform(0.1, 2.0, (seeds, rates))), member(rng.uniform(1.0, 2.0, (seeds + 2, rates))),
                member(broken)):  # fmt: skip
        for rivals in (controls, fewer):
            found = Against(rivals, ("a", "b")).gains(row)
            assert list(found) == list(rivals)
            for name, table in found.items():
                expected = gains(row, rivals[name], ("a", "b"))
                assert np.array_equal(table, expected, equal_nan=True)
                assert table.mean() == expected.mean() or np.isnan(expected.mean())


def test_a_control_without_losses_is_refused_as_before() -> None:
    good = member(np.ones((2, 1)))
    failed = MemberResult({}, reason=Reason.DIVERGED)
    controls = Against({"relu": good, "gelu": failed}, ("a", "b"))
    assert not controls.even
    with pytest.raises(ReferenceLossError):
        controls.gains(good)


@given(st.integers(0, 999), st.integers(1, 11))
@settings(max_examples=40, deadline=None)
def test_limits_of_laps_are_those_of_single_means(seed: int, seeds: int) -> None:
    rng = np.random.default_rng(seed)
    known = [rng.normal(size=int(rng.integers(0, 14))) for _ in range(int(rng.integers(FEWEST * 2, RECENT + 40)))]
    race = [(0.4, 1), (0.2, 1), (0.1, 2), (0.05, 4)]
    found, more = laps(race, seeds, known), seeds
    for (share, step), lap in zip(race, found, strict=True):
        means = [float(each[:more].mean()) if len(each) else -math.inf for each in known[-RECENT:]]
        limit = sorted(means, reverse=True)[max(1, round(share * len(means))) - 1]
        assert (lap.limit, lap.seeds) == (limit, step)
        more += step


def test_texts_of_what_is_under_way_are_not_read_again() -> None:
    texts = Texts()
    first = texts("tanh(x)+1")
    assert texts(first.text) is first
    texts.forget()
    assert texts("tanh(x)+1") is first  # expressions are hash-consed: reading gives the same


def test_waiting_proposals_are_made_when_they_are_looked_at() -> None:
    rows = [Planned(text, text, (str(n),), {"n": n}) for n, text in enumerate(("tanh(x)", "sin(x)", "cos(x)"))]
    waiting = Waiting(rows)
    assert [(each.expression.text, each.parents, each.attributes) for each in waiting] == [
        (row.expression, row.parents, row.attributes) for row in rows
    ]
    assert [each.expression.text for each in waiting[-2:]] == ["sin(x)", "cos(x)"]
    assert waiting[-1] == list(waiting)[2]
    assert len(waiting) == 3
    assert not Waiting([])


@pytest.mark.parametrize("strategy", ["evolution", "nsga2"])
def test_a_store_on_disk_and_one_in_memory_lead_to_the_same_trials(tmp_path: Path, strategy: str) -> None:
    """What was kept decoded is used by the one, the records themselves by the other."""
    job = {"budget": 120, "strategy": strategy, "cohorts": {"size": 12, "lag": 2}, "training": {"steps": 8}}
    config = checked(job, "a test")
    folder = RunFolder(tmp_path / "run")
    folder.create()
    studies = [Study(open_store(folder, print, config.scoring), config.scoring), Study(MemoryStore(), config.scoring)]
    for study in studies:
        search(config, Recorder(study, config), Instant(), lambda _: None)
    first, second = (list(study.store.trials) for study in studies)
    assert first == second
    assert list(open_store(folder, print, config.scoring).trials) == first
