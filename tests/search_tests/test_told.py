"""What strategies are told: trials, and behind each cohort the proposals that were not trained."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from evaluators.objectives import mean_gain
from evaluators.training.member import Array
from primitives import parse
from primitives.equivalence.signs import same_up_to_signs
from primitives.expression.expression import Expression
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
from search.strategies.controller import BATCH, VECTOR, WORST, Controller, Taught
from search.strategies.policy import Policy, Trainer
from tests import plain
from tests.search_tests.made_up import Instant

SOURCE = grammar("swish2017")  # of one unit: half of what is proposed is known or screened


REWARDED = {"name": "controller", "untrained": "rewarded"}


def config(**changes: object) -> Config:
    job = {"grammar": "swish2017", "budget": 120, "strategy": REWARDED, "cohorts": {"size": 6, "lag": 2}}
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
    assert sum("+" in each.id for each in told) > 10
    lengths = [len(controlled.history(cohorts)) for cohorts in range(controlled.cohorts + 1)]
    proposed = [len(proposals(controlled, number)) for number in range(controlled.cohorts)]
    assert np.diff(lengths).tolist() == proposed


def proposals(recorder: Recorder, number: int) -> list[object]:
    """What a cohort was proposed, without repeats."""
    record = recorder.store.cohort(number)
    assert record is not None
    untrained = [(each.expression, *each.attributes.get("vector", [])) for each in record.plan.untrained]  # type: ignore[misc]
    assert len(set(untrained)) == len(untrained) <= sum(record.plan.counts.values())
    return [*record.plan.proposals, *untrained]


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
        Result(f"0{'+' if n else '.'}{n}", good if n % 2 else bad, {"gain": 1.0 if n % 2 else -1.0}, "", repeated=n > 0)
        for n in range(10 * BATCH)
    ]
    before, after = Controller(SOURCE, entropy=0.0), Controller(SOURCE, entropy=0.0)
    (first, last) = before.folded([]).trainer.policy, after.folded(history).trainer.policy
    assert not Controller(SOURCE, untrained="screened").folded(history).batches
    vectors = [before._vector(each) for each in (good, bad)]
    assert all(vectors)
    chances = [np.exp(_log_chances(each, vectors)) for each in (first, last)]
    assert chances[1][0] > 3 * chances[0][0]
    assert chances[1][1] < chances[1][0]


def _log_chances(policy: object, vectors: object) -> Array:
    rows = torch.tensor(vectors)
    found: Array = policy.log_probabilities(rows, rows >= 0)[0].detach().numpy()  # type: ignore[attr-defined]
    return found


def test_it_learns_from_the_vector_that_was_drawn() -> None:
    """Not from the first vector of the same expression: what is drawn would stay as likely as before."""
    controller = Controller(grammar("swish2017-2"), entropy=0.0)
    drawn = next(
        row for row in controller.folded([]).trainer.policy.sample(500, rng()).tolist() if other(controller, row)
    )
    proposal, good = decoded(controller, drawn), decoded(controller, [0] * 6)
    history = [
        Result(f"0+{n}", each, {"gain": gain}, "", attributes={VECTOR: row})
        for n in range(10 * BATCH)
        for each, gain, row in ((proposal, -1.0, drawn), (good, 1.0, [0] * 6))
    ]
    before, after = Controller(grammar("swish2017-2")), controller
    first, last = before.folded([]).trainer.policy, after.folded(history).trainer.policy
    assert np.diff([_log_chances(each, [drawn])[0] for each in (first, last)])[0] < -1.0


def test_decisions_that_do_not_matter_are_not_learnt() -> None:
    """``exp(-beta*abs(beta2--x))`` takes three of six."""
    controller = Controller(grammar("swish2017-2"), entropy=0.0)
    one, other = [8, 24, 3, 24, 13, 1], [8, 24, 5, 0, 7, 1]
    assert decoded(controller, one).text == decoded(controller, other).text
    matter = [True, True, False, False, False, True]
    assert controller._matter(one) == matter and all(controller._matter([8, 0, 1, 20, 1, 16]))
    heads = [[head.bias.tolist() for head in biased(controller, [])]]
    rows = ((one, 0.0), (other, 1.0))
    history = [
        Result(f"0.{n}", decoded(controller, row), {"gain": gain}, "", attributes={VECTOR: row})
        for n in range(2 * BATCH)
        for row, gain in rows
    ]
    heads.append([head.bias.tolist() for head in biased(controller, history)])
    assert [before != after for before, after in zip(*heads, strict=True)] == matter


def biased(controller: Controller, history: list[Result]) -> Iterator[nn.Linear]:
    for head in controller.folded(history).trainer.policy.heads:
        assert isinstance(head, nn.Linear)
        yield head


def rng() -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(0))


def decoded(controller: Controller, row: list[int]) -> Expression:
    choices = zip(controller.decisions, row, strict=True)
    return controller.grammar.decode({decision.name: decision.choices[place] for decision, place in choices})


def other(controller: Controller, row: list[int]) -> bool:
    """The expression of the vector has another first vector."""
    return controller._vector(parse(decoded(controller, row).text)) not in (None, row)


@pytest.mark.parametrize("row", [None, "0", [0] * 5, [0] * 7, [99, 0, 0, 0, 0, 0], [-1, 0, 0, 0, 0, 0], [0.5] * 6])
def test_a_vector_of_another_grammar_is_not_used(row: object) -> None:
    assert Controller(grammar("swish2017-2"))._drawn({VECTOR: row}) is None


def test_a_policy_that_is_sure_of_one_vector_proposes_others_too() -> None:
    controller = Controller(SOURCE, immigrants=0.0)
    for head, choice in zip(controller.folded([]).trainer.policy.heads, cycle([1, 2]), strict=False):
        assert isinstance(head, nn.Linear)
        nn.init.constant_(head.bias, 0.0)
        with torch.no_grad():
            head.bias[choice] = 50.0
    proposals = controller.ask([], [], 32, rng())
    drawn = [controller._drawn(each.attributes) or [] for each in proposals]
    assert len(set(map(tuple, drawn))) == len(drawn) > 8
    assert drawn[0] == list(islice(cycle([1, 2]), len(controller.decisions)))
    assert [each.expression.text for each in proposals] == [decoded(controller, row).text for row in drawn]


def test_rewards_that_hardly_differ_teach_nothing_but_to_look_further() -> None:
    """Where the policy proposes one class again and again, the order of its rewards is noise."""
    entropies = []
    for size in (1e-6, 1.0):
        rows = ((f"0.{n}", ("sin(x)+x", "max(x,tanh(x))")[n % 2], 0.5 + size * (n % 2)) for n in range(10 * BATCH))
        entropies.append([entropy for _, entropy in Controller(SOURCE).folded(told(*rows)).batches])
    assert entropies[0][-1] > entropies[0][0] == entropies[1][0] > entropies[1][-1]


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
    with pytest.raises(ConfigError, match="untrained: expected one of rewarded, screened, ignored"):
        strategy({"name": "controller", "untrained": "rewards"}, SOURCE)
    with pytest.raises(ConfigError, match="entropy: expected a number from 0 to 1"):
        strategy({"name": "controller", "entropy": 2.0}, SOURCE)


def test_no_reward_makes_weights_that_are_no_numbers() -> None:
    """A choice that had become as good as impossible is made likely at once: its ratio is infinite in float32."""
    policy = Policy([np.array([0.5, 0.5])] * 3)
    for head in policy.heads:
        assert isinstance(head, nn.Linear)
        nn.init.constant_(head.weight, 0.0)
        with torch.no_grad():
            head.bias.copy_(torch.tensor([-200.0, 200.0]))
    trainer = Trainer(policy, 0.2)
    vectors = np.array([[0, 0, 0], [1, 1, 1]] * 4)
    for number in range(50):
        trainer.step(vectors, np.ones_like(vectors, dtype=bool), np.where(vectors[:, 0] == number % 2, 1e3, -1e3))
        assert all(bool(value.isfinite().all()) for value in policy.parameters())
