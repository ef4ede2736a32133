"""Tuning before the confirmation: the same for all functions, on the search's data, and resumed to the same bits."""

from __future__ import annotations

import json
import math
from collections import Counter, deque
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evaluators.asked import Answer, Request, answer
from evaluators.cohort import CohortRequest, run_cohort
from evaluators.results.json_codec import Fields
from evaluators.results.records import CohortResult, MemberResult
from evaluators.tasks import task
from evaluators.tasks.optimisers import SGD, Adam, AdamW, optimiser_named
from evaluators.tasks.recipe import Recipe, trained_by
from evaluators.training.schedules import Constant, Cosine, OneCycle, schedule_named
from search import Job, Run
from search.config import checked
from search.confirmation import confirmation_to_json, read_confirmation
from search.confirmation.field import train_fields
from search.errors import ConfigError
from search.tuning.codec import tuned_from_json, tuned_to_json
from search.tuning.each_function import functions_of, train_each
from search.tuning.record import Chosen, Space, Tuned
from search.tuning.tune import FIRST_SEED, MOMENTUM, RANDOM, tune
from search.workers import Workers
from search.workers.base import Finished
from search.workers.in_process import InProcess
from search.workers.result_cache import ResultCache
from tests.plain import confirmation

SPACE = Space(14, 2, ("adam", "adamw", "sgd"), ("constant", "cosine", "one-cycle"), (1e-4, 1e-1), (1e-5, 1e-1))
REQUEST = CohortRequest(
    ("tanh(x)", "elu(x)"), ("digits-1x8",), 3, 6, 9, rates=(3e-3,), purpose="confirmation", nulls=2, draw="now",
    controls=(("mine", "alpha*relu(beta*x); alpha=1, beta=1"),),
)  # fmt: skip
ALL = {"tanh(x)", "elu(x)", "relu(x)", "gelu(x)", "silu(x)", "alpha*relu(beta*x); alpha=1, beta=1"}


class MadeUp(Workers):
    """Losses that follow from the rate alone; keeps what it is asked for."""

    def __init__(self, best: float = 1e-2, *, finite: bool = True) -> None:
        self.asked: list[CohortRequest] = []
        self.best, self.finite, self._ready = best, finite, deque[Finished]()

    def submit(self, number: int, request: Request) -> None:
        assert isinstance(request, CohortRequest) and request.recipe is not None
        self.asked.append(request)
        loss = math.exp(abs(math.log(request.recipe.rate / self.best))) if self.finite else math.nan
        row = MemberResult({request.tasks[0]: {request.steps: np.full((request.seeds, 1), loss)}})
        controls = {name: row for name, _ in request.controls}
        self._ready.append((number, CohortResult(tuple(row for _ in request.expressions), controls)))

    def next(self) -> Finished | None:
        return self._ready.popleft()

    def close(self) -> None:
        self._ready.clear()


def texts(request: CohortRequest) -> list[str]:
    return [*request.expressions, *(text for _, text in request.controls)]


def test_every_function_has_as_many_trials_in_the_same_space_on_the_searchs_data() -> None:
    workers = MadeUp()
    (found,) = tune([REQUEST], SPACE, workers)
    assert {function.text for function in found} == ALL
    counts = Counter(text for request in workers.asked for text in texts(request))
    assert counts == dict.fromkeys(ALL, SPACE.trials)
    for request in workers.asked:
        assert (request.purpose, request.seeds, request.steps, request.nulls) == ("search", 2, REQUEST.steps, 0)
        assert (request.first_seed, request.draw, request.alone) == (FIRST_SEED, "", True)
        recipe = request.recipe
        assert recipe is not None
        assert 1e-4 <= recipe.rate <= 1e-1 and 1e-5 <= recipe.optimiser.weight_decay <= 1e-1
        assert not isinstance(recipe.optimiser, SGD) or MOMENTUM[0] <= recipe.optimiser.momentum <= MOMENTUM[1]
    first = workers.asked[:RANDOM]
    assert all(set(texts(request)) == ALL for request in first)  # drawn at random, by the same seed
    assert len({request.recipe for request in first}) == RANDOM
    kinds = {type(request.recipe.optimiser) for request in workers.asked if request.recipe}
    assert kinds == {Adam, AdamW, SGD}


def test_the_best_trial_is_chosen_and_the_sampler_learns() -> None:
    far = MadeUp(best=1e-4)
    (found,) = tune([REQUEST], replace(SPACE, trials=40), far)
    rates = [request.recipe.rate for request in far.asked if request.recipe]
    (chosen,) = set(found.values())  # the losses are the same for all functions
    assert chosen.recipe.rate == min(rates)
    assert chosen.value == pytest.approx(chosen.recipe.rate / 1e-4)
    later = np.log(rates[RANDOM:]).mean()
    assert later < np.log(rates[:RANDOM]).mean() - 0.5


def test_where_no_trial_is_finite_there_is_no_value() -> None:
    workers = MadeUp(finite=False)
    (found,) = tune([REQUEST], SPACE, workers)
    assert all(math.isnan(chosen.value) and chosen.recipe == workers.asked[0].recipe for chosen in found.values())


def test_tasks_are_tuned_one_by_one() -> None:
    workers = MadeUp()
    found = tune([REQUEST, replace(REQUEST, tasks=("digits-1x4",))], SPACE, workers)
    assert [set(row) for row in found] == [set(functions_of(REQUEST))] * 2
    counts = Counter((request.tasks, text) for request in workers.asked for text in texts(request))
    assert set(counts.values()) == {SPACE.trials} and len(counts) == 2 * len(ALL)


def losses(row: MemberResult, name: str = "digits-1x8") -> list[list[list[float]]]:
    return [row.final(name).tolist(), *(table.tolist() for table in row.tests.values())]


def test_by_the_tasks_own_recipe_a_field_is_as_without_tuning() -> None:
    own = Recipe(Adam(), 3e-3, Constant())
    functions = functions_of(REQUEST)
    with_recipes = train_each([REQUEST], [dict.fromkeys(functions, own)], InProcess())[0]
    plain = train_fields([REQUEST], InProcess())[0]
    for one, other in zip(with_recipes.candidates, plain.candidates, strict=True):
        assert losses(one) == losses(other)
    assert list(with_recipes.controls) == list(plain.controls) == ["relu", "gelu", "silu", "mine"]
    for name, row in plain.controls.items():
        assert losses(with_recipes.controls[name]) == losses(row)
    assert [losses(row) for row in with_recipes.nulls] == [losses(row) for row in plain.nulls]
    assert with_recipes.tested == plain.tested


def test_each_function_is_trained_by_its_recipe_whoever_has_the_same() -> None:
    recipes = [Recipe(SGD(0.5, weight_decay=1e-3), 3e-2, Cosine()), Recipe(AdamW(), 1e-2, OneCycle())]
    functions = functions_of(REQUEST)
    given = {function: recipes[n % 2] for n, function in enumerate(functions)}
    field = train_each([REQUEST], [given], InProcess())[0]
    for function in functions:
        alone = replace(
            REQUEST, expressions=(function.text,), controls=(), alone=True, nulls=0, current=False,
            recipe=given[function],
        )  # fmt: skip
        own = run_cohort(alone).candidates[0]
        row = field.candidates[int(function.name)] if function.is_finalist else field.controls[function.name]
        assert losses(row) == losses(own)
    assert len(field.nulls) == 2


def test_a_network_as_it_stands_is_tuned_like_the_others() -> None:
    name = f"{Path(__file__).parents[2] / 'docs' / 'bring_your_own.py'}:Lines"
    own = task(name)
    recipe = Recipe(optimiser_named(own.optimiser), 3e-3, schedule_named(own.schedule))
    request = replace(REQUEST, tasks=(name,), steps=3, seeds=2)
    functions = functions_of(request)
    assert [(each.name, each.text) for each in functions if not each.text] == [("current", "")]
    field, plain = (
        train_each([request], [dict.fromkeys(functions, recipe)], InProcess())[0],
        train_fields([request], InProcess())[0],
    )
    assert {key: losses(row, name) for key, row in field.controls.items()} == {
        key: losses(row, name) for key, row in plain.controls.items()
    }
    assert [losses(row, name) for row in field.nulls] == [losses(row, name) for row in plain.nulls]
    apart = {each: recipe if each.text else replace(recipe, rate=1e-2) for each in functions}
    other = train_each([request], [apart], InProcess())[0]
    assert losses(other.controls["current"], name) != losses(plain.controls["current"], name)
    assert losses(other.controls["relu"], name) == losses(plain.controls["relu"], name)


def test_a_recipe_takes_the_place_of_the_tasks_own_settings() -> None:
    own, recipe = task("digits-1x8"), Recipe(SGD(), 0.03, Cosine())
    changed = trained_by(own, recipe)
    assert (changed.optimiser, changed.schedule, changed.learning_rates) == (recipe.optimiser, recipe.schedule, (0.03,))
    assert own.optimiser == "adam" and trained_by(own, None) is own


@pytest.mark.parametrize(
    "recipe",
    [Recipe(SGD(0.3, weight_decay=0.1), 0.2, Constant()), Recipe(AdamW(weight_decay=1e-3), 1e-3, OneCycle())],
)
def test_what_was_tuned_comes_back(recipe: Recipe) -> None:
    tuned = Tuned("2.1", "tanh(x)", {"digits": Chosen(recipe, 0.5)})
    assert tuned_from_json(Fields(json.loads(json.dumps(tuned_to_json(tuned))), "file")) == tuned


TUNED = ["tasks=[digits-1x8]", "controls=['2*tanh(x)']", "confirmation.hpo={trials: 12, seeds: 1}"]


def test_a_tuned_job_says_what_it_chose_for_whom(small: Path, command: Any) -> None:
    run = Job.load(small, TUNED).launch("one")
    found = confirmation(run)
    assert found is not None
    names = [row["id"] for row in found["finalists"]]
    assert [row["name"] for row in found["tuned"]] == [*names, "relu", "gelu", "silu", "2*tanh(x)"]
    assert found["setting"]["tuning"]["trials"] == 12
    assert all(len(gains) == 6 for gains in found["finalists"][0]["by_seed"].values())
    again = read_confirmation(run.folder.confirmation, run.folder.run)
    assert again is not None and confirmation_to_json(again) == found
    page = run.folder.report.read_text()
    code, out, _ = command("front", "one")
    assert code == 0
    for row in found["tuned"]:
        chosen = row["by_task"]["digits-1x8"]
        assert f"{chosen['optimiser']}, " in page and 0 < chosen["value"] < 5
    assert "the best of 12 that were tried for it" in page
    code, out, _ = command("confirm", "one")
    words = " ".join(out.split())
    assert code == 0
    assert "Tuned: optimiser, rate and schedule, the best of 12 each on 1 seed of the search's data" in words


def test_a_killed_tuning_goes_on_to_the_same_bits(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Job.load(small, TUNED).launch("whole")
    trained: list[str] = []
    counted = ResultCache.next

    def killed_after(self: ResultCache) -> Finished | None:
        if len(trained) == RANDOM + 1:  # within the trials that follow from results
            raise KeyboardInterrupt
        trained.append("")
        return counted(self)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(ResultCache, "next", killed_after)
        Job.load(small, TUNED).launch("part")
    begun: list[CohortRequest] = []

    def noted(request: Request, _: object) -> Answer:
        assert isinstance(request, CohortRequest)
        begun.append(request)
        return answer(request)

    monkeypatch.setattr("search.workers.in_process.answer", noted)
    part = Run.open("part")
    part.resume()
    assert part.folder.confirmation.read_bytes() == whole.folder.confirmation.read_bytes()
    tuning = [request for request in begun if request.recipe and request.purpose == "search"]
    assert 0 < len(tuning) < RANDOM and not part.folder.confirming.exists()


@pytest.mark.parametrize(
    ("hpo", "message"),
    [
        ("{trials: 0}", r"confirmation\.hpo\.trials"),
        ("{optimisers: [adma]}", r"optimisers: expected some of adam, adamw, sgd, got 'adma'; did you mean 'adam'"),
        ("{schedules: [cosine, cosine]}", "schedules: one is named twice"),
        (
            "{learning_rates: [0.1, 0.01]}",
            r"learning_rates: expected the smallest and the largest.*got \[0\.1, 0\.01\]",
        ),
        ("{trails: 3}", "unknown key 'confirmation.hpo.trails'; did you mean 'trials'"),
    ],
)
def test_settings_that_mean_nothing_are_refused(small: Path, hpo: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Job.load(small, [f"confirmation.hpo={hpo}"])


def test_a_loop_of_its_own_cannot_be_tuned(small: Path) -> None:
    reference = f"{Path(__file__).parent / 'users_files' / 'faulty_tasks.py'}:Quiet"
    with pytest.raises(ConfigError, match=r"confirmation\.hpo: expected tasks.*faulty_tasks\.py:Quiet has a loop"):
        Job.load(small, [f"tasks=['{reference}']", "confirmation.hpo={}"])


FIXED = """
from evaluators.tasks.optimisers import SGD
from evaluators.tasks.shipped.digits import Digits

class Fixed(Digits):
    usual = (1, 4)

    @property
    def optimiser(self):
        return SGD(nesterov=True)

class GrowsFixed(Digits):
    usual = (1, 4)

    def larger(self):
        return Fixed()
"""


@pytest.mark.parametrize("name", ["Fixed", "GrowsFixed"])
def test_a_task_whose_optimiser_is_a_property_cannot_be_tuned(small: Path, name: str) -> None:
    small.with_name("own.py").write_text(FIXED)
    asked = [f"tasks=['own.py:{name}']"]
    with pytest.raises(ConfigError, match=r"confirmation\.hpo: task .*: optimiser: expected an attribute.*a property"):
        Job.load(small, [*asked, "confirmation.hpo={}"])
    Job.load(small, asked)


def test_it_is_off_unless_asked_for() -> None:
    assert checked({"budget": 1}, "c").confirmation.space is None
    usual = checked({"budget": 1, "confirmation": {"hpo": {}}}, "c").confirmation.space
    assert usual == replace(SPACE, trials=20)
