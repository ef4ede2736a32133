"""A saved state of a strategy: a resumed job goes on as if nothing had been, and looks at few results again."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from primitives import grammar
from search.config import Config, checked
from search.engine.loop import search
from search.engine.recorder import Recorder
from search.engine.study import Study
from search.storage import open_store
from search.storage.arrays_file import read_arrays, write_arrays
from search.storage.run_folder import RunFolder
from search.strategies.base import Result
from search.strategies.controller import Controller
from search.workers import Finished
from tests.search_tests.made_up import Instant

LAG, COHORTS = 2, 22


class Ending(Instant):
    """Stops as an interrupted job does, after some cohorts."""

    def __init__(self, left: int) -> None:
        super().__init__()
        self._left = left

    def next(self) -> Finished | None:  # type: ignore[override]
        self._left -= 1
        return super().next() if self._left >= 0 else None


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.engine.learnt.EVERY", 4)


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The results that a controller learns from, in order."""
    seen: list[str] = []
    told = Controller.told

    def noted(self: Controller, state: object, result: Result) -> object:
        seen.append(result.id)
        return told(self, state, result)  # type: ignore[arg-type]

    monkeypatch.setattr(Controller, "told", noted)
    return seen


def config() -> Config:
    cohorts, training = {"size": 6, "lag": LAG}, {"steps": 8}
    # of one unit: half of what is proposed is known or screened, and is learnt from, too
    job = {
        "grammar": "swish2017",
        "budget": 6 * COHORTS,
        "strategy": "controller",
        "cohorts": cohorts,
        "training": training,
    }
    return checked(job, "a test")


def go_on(folder: RunFolder, cohorts: int) -> list[tuple[str, str]]:
    """Work on a run until some more cohorts are trained; all texts and classes so far."""
    job = config()
    folder.cohorts.mkdir(parents=True, exist_ok=True)
    study = Study(open_store(folder, print, job.scoring), job.scoring)
    search(job, Recorder(study, job), Ending(cohorts), lambda _: None, folder=folder)
    return [(trial.expression, trial.key) for trial in study.store.trials]


@pytest.mark.parametrize("first", [3, 9, 14])
def test_a_resumed_job_is_as_an_uninterrupted_one(tmp_path: Path, looked_at: list[str], first: int) -> None:
    whole = go_on(RunFolder(tmp_path / "whole"), COHORTS)
    part = RunFolder(tmp_path / "part")
    assert go_on(part, first) == whole[: 6 * first]
    looked_at.clear()
    assert go_on(part, COHORTS) == whole
    again = [name for name in looked_at if int(re.split(r"[.+]", name)[0]) < first - LAG - 5]
    assert not again


@pytest.mark.parametrize("damage", ["missing", "torn", "changed", "empty", "of another run", "of another strategy"])
def test_what_is_not_whole_is_learnt_anew(tmp_path: Path, looked_at: list[str], damage: str) -> None:
    whole = go_on(RunFolder(tmp_path / "whole"), COHORTS)
    part = RunFolder(tmp_path / "part")
    go_on(part, 12)
    path, data = part.strategy, part.strategy.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "of another strategy":
        write_arrays(path, {"seen": np.array(4), "last": np.array("0.3")}, part.run)
    else:
        kinds = {"torn": data[:-40], "empty": b"", "changed": data[:99] + b"?" + data[100:]}
        path.write_bytes(kinds.get(damage, b""))
        if damage == "of another run":
            path.write_bytes(data)
            write_arrays(path, read_arrays(path, part.run), "another")
    looked_at.clear()
    assert go_on(part, COHORTS) == whole
    assert looked_at[0] == "0.0"


def test_a_state_of_results_that_are_not_there_is_not_used(tmp_path: Path, looked_at: list[str]) -> None:
    """As where the journal was cut behind it."""
    part = RunFolder(tmp_path / "part")
    go_on(part, 12)
    late = part.strategy.read_bytes()
    fresh = RunFolder(tmp_path / "fresh")
    fresh.path.mkdir()
    fresh.strategy.write_bytes(late)
    looked_at.clear()
    assert go_on(fresh, COHORTS) == go_on(RunFolder(tmp_path / "whole"), COHORTS)
    assert looked_at[0] == "0.0"


def test_a_state_has_every_bit() -> None:
    rng = np.random.Generator(np.random.PCG64(0))
    source = grammar("default")
    members = [source.sample(rng) for _ in range(43)]
    results = [Result(f"0.{n}", f, {"gain": float(rng.normal())}, "") for n, f in enumerate(members)]
    first, second = Controller(source), Controller(source)
    assert not first.packed()
    first.folded(results[:29])
    assert second.unpack(first.packed())
    for each in (first, second):
        each.folded(results)
    one, other = first.packed(), second.packed()
    assert one.keys() == other.keys()
    assert all(np.array_equal(one[name], other[name]) for name in one)
    assert int(one["seen"]) == 43
