"""What strategies are told: trials, and behind each cohort the proposals that were not trained."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from evaluators.objectives import mean_gain
from evaluators.training.member import Array
from primitives import parse
from primitives.equivalence.signs import same_up_to_signs
from primitives.grammars import grammar
from search.config import Config, checked
from search.engine.loop import search
from search.engine.recorder import Recorder
from search.engine.study import Study
from search.errors import ConfigError
from search.records.cohort import Passed
from search.records.trace_codec import entry_to_json
from search.storage import MemoryStore, open_store
from search.storage.run_folder import RunFolder
from search.strategies import strategy
from search.strategies.base import Result
from search.strategies.controller import BATCH, WORST, Controller, Taught
from tests import plain
from tests.search_tests.made_up import Instant

SOURCE = grammar("swish2017")  # of one unit: half of what is proposed is known or screened


def config(**changes: object) -> Config:
    job = {"grammar": "swish2017", "budget": 120, "strategy": "controller", "cohorts": {"size": 6, "lag": 2}}
    return checked(job | {"training": {"steps": 8}} | changes, "a test")


def done(job: Config, folder: RunFolder | None = None) -> Recorder:
    """A job of made-up losses, to its end."""
    store = MemoryStore() if folder is None else open_store(folder, print, job.scoring)
    recorder = Recorder(Study(store, job.scoring), job)
    search(job, recorder, Instant(), lambda _: None, folder=folder)
    return recorder


@pytest.fixture(scope="module")
def controlled() -> Recorder:
    return done(config())


def test_all_proposals_are_told_cohort_by_cohort(controlled: Recorder) -> None:
    told = list(controlled.history(controlled.cohorts))
    expected = []
    for entry in controlled.store.trace:
        record = controlled.store.cohort(entry.cohort)
        assert record is not None
        expected += [f"{entry.cohort}.{n}" for n in range(len(record.plan.proposals))]
        expected += [f"{entry.cohort}+{n}" for n in range(len(entry.untrained))]
    assert [each.id for each in told] == expected
    assert len(told) == sum(entry.proposed for entry in controlled.store.trace)
    assert sum("+" in each.id for each in told) > 10
    for cohorts in range(controlled.cohorts):
        assert len(controlled.history(cohorts)) == sum(e.proposed for e in controlled.store.trace[:cohorts])


def test_a_known_class_has_the_gain_that_training_gave_it(controlled: Recorder) -> None:
    """Looked for by its function among all that was trained, controls too; what no class is equal to was screened."""
    first = controlled.store.cohort(0)
    assert first is not None
    reference = first.result.reference
    gains = {t.expression: t.objectives.get("gain", -np.inf) for t in controlled.store.trials}
    for text, name in (("relu(x)", "relu"), ("gelu(x)", "gelu"), ("silu(x)", "silu")):
        gains[text] = mean_gain(first.result.controls[name], reference, first.tasks)
    functions = {text: parse(text) for text in gains}
    known = 0
    for told in controlled.history(controlled.cohorts):
        if "+" in told.id:
            same = [t for t, f in functions.items() if same_up_to_signs(told.expression, f, exact=False, signs=())]
            assert told.gain == (gains[same[0]] if same else -np.inf)
            assert bool(told.reason) == (told.gain == -np.inf)
            known += bool(same)
    assert known == sum(entry.counts.get(Passed.KNOWN, 0) for entry in controlled.store.trace) > 0


@pytest.mark.parametrize("settings", ["random", {"name": "controller", "untrained": "ignored"}])
def test_who_does_not_ask_is_told_of_trials_alone(settings: object) -> None:
    recorder = done(config(strategy=settings))
    assert len(recorder.history(recorder.cohorts)) == recorder.study.trials == 120
    assert sum(entry.proposed for entry in recorder.store.trace) > 120
    assert not any(entry.untrained for entry in recorder.store.trace)
    assert all("untrained" not in entry_to_json(entry) for entry in recorder.store.trace)


def test_each_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """So proposing does not become slower with what was told."""
    seen: list[str] = []
    told = Controller.told

    def noted(self: Controller, state: Taught, result: Result) -> Taught:
        seen.append(result.id)
        return told(self, state, result)

    monkeypatch.setattr(Controller, "told", noted)
    recorder = done(config())
    expected = [each.id for each in recorder.history(recorder.cohorts)]
    assert seen == expected[: len(seen)]
    assert len(seen) > 0.5 * len(expected)


def test_files_have_what_was_told(tmp_path: Path, controlled: Recorder) -> None:
    """The trace is read back as it was, and is the same where it is made anew from the cohort files."""
    folder = RunFolder(tmp_path / "run")
    folder.cohorts.mkdir(parents=True)
    stored = done(config(), folder)
    expected = [(each.id, each.expression, each.gain) for each in stored.history(stored.cohorts)]
    assert expected == [(each.id, each.expression, each.gain) for each in controlled.history(controlled.cohorts)]
    for names in ((), ("cohorts.jsonl", "study.journal")):
        for name in names:
            (folder.path / name).unlink()
        job = config()
        again = done(job, folder)
        assert [(each.id, each.expression, each.gain) for each in again.history(again.cohorts)] == expected
    entry = next(entry for entry in stored.store.trace if entry.untrained)
    assert plain.entry(**json.loads(json.dumps(entry_to_json(entry)))) == entry


def told(*rows: tuple[str, str, float]) -> list[Result]:
    return [Result(name, parse(text), {"gain": gain}, "") for name, text, gain in rows]


def test_the_controller_learns_from_repeats() -> None:
    good, bad = parse("sin(x)+x"), parse("max(x,tanh(x))")
    history = [
        Result(f"0{'+' if n else '.'}{n}", good if n % 2 else bad, {"gain": 1.0 if n % 2 else -1.0}, "")
        for n in range(10 * BATCH)
    ]
    before, after = Controller(SOURCE, entropy=0.0), Controller(SOURCE, entropy=0.0)
    (first, last) = before.folded([]).trainer.policy, after.folded(history).trainer.policy
    vectors = [before._vector(each) for each in (good, bad)]
    assert all(vectors)
    chances = [np.exp(_log_chances(each, vectors)) for each in (first, last)]
    assert chances[1][0] > 3 * chances[0][0]
    assert chances[1][1] < chances[1][0]


def _log_chances(policy: object, vectors: object) -> Array:
    import torch

    found: Array = policy.log_probabilities(torch.tensor(vectors))[0].detach().numpy()  # type: ignore[attr-defined]
    return found


def test_entropy_keeps_it_from_settling() -> None:
    history = [
        Result(f"0.{n}", parse("sin(x)+x" if n % 2 else "max(x,tanh(x))"), {"gain": float(n % 2)}, "")
        for n in range(20 * BATCH)
    ]
    last = [Controller(SOURCE, entropy=entropy).folded(history).batches[-1][1] for entropy in (0.0, 1.0)]
    assert last[0] < last[1] - 0.1


def test_batches_are_a_record_of_rewards_and_entropies() -> None:
    gains = np.linspace(-3.0, 1.0, 3 * BATCH + 2)
    history = told(*((f"0.{n}", "sin(x)+x", gain) for n, gain in enumerate(gains)))
    controller = Controller(SOURCE)
    batches = controller.folded(history).batches
    expected = np.maximum(gains, WORST)[: 3 * BATCH].reshape(3, BATCH).mean(axis=1)
    np.testing.assert_allclose([reward for reward, _ in batches], expected)
    widest = np.mean([np.log(len(each.choices)) for each in controller.decisions])
    assert all(0 < entropy <= widest for _, entropy in batches)
    again = Controller(SOURCE)
    assert again.unpack(controller.packed())
    assert again.folded(history).batches == batches


def test_settings_are_checked() -> None:
    assert not strategy({"name": "controller", "untrained": "ignored"}, SOURCE).hears_untrained
    assert strategy({"name": "controller"}, SOURCE).hears_untrained
    with pytest.raises(ConfigError, match="untrained: expected one of rewarded, ignored"):
        strategy({"name": "controller", "untrained": "rewards"}, SOURCE)
    with pytest.raises(ConfigError, match="entropy: expected a number from 0 to 1"):
        strategy({"name": "controller", "entropy": 2.0}, SOURCE)
