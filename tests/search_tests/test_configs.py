"""Every shipped config loads as it is, can be looked at, and does its job with a tiny budget."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evaluators.tasks import task
from evaluators.tasks.shipped.pruned import PrunedDigits
from primitives.user_file import label
from search import Job
from search.config import Config, checked, load_config, shipped_configs, to_yaml
from search.records.cohort import Passed
from search.terminal.inspection import dry_run
from tests.plain import confirmation

ROOT = Path(__file__).resolve().parents[2]

#: Few and short trainings, in this process, on this machine's CPU. What makes a config what it is stays: its grammar,
#: tasks, objectives, strategy, start list.
TINY = (
    "budget=4",
    "cohorts={size: 4, lag: 1}",
    "training.seeds=2",
    "training.steps=4",
    "training.rungs=[2]",
    "training.learning_rates=[0.003]",
    "training.width=66",
    "training.device=cpu",
    "training.autocast=null",
    "baseline.functions=[tanh, sine]",
    "rejection.accuracy=null",  # nothing is accurate after four steps
    "confirmation.finalists=0",
    "workers={count: 0}",
)

#: A mixture counts as several such trainings, and each proposal takes one.
MIXED = ("budget=16", "strategy.steps=10", "strategy.cost=1")


def tiny(name: str) -> tuple[str, ...]:
    """A tiny budget for a config."""
    mixes = load_config(shipped_configs()[name]).strategy["name"] == "gradient"
    return (*TINY, *MIXED) if mixes else TINY


#: Three networks for layers are looked at, trained and attacked: half a minute.
LONG = ("evonorm",)

every_config = pytest.mark.parametrize("name", shipped_configs())
every_short_config = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in LONG else name for name in shipped_configs()]
)


@pytest.fixture(autouse=True)
def in_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where paths of task files begin."""
    monkeypatch.chdir(ROOT)


def test_all_are_here() -> None:
    wanted = {"quickstart", "swish2017-two-units", "pangaea", "aquasurf", "several-networks", "your-own-network"}
    assert {*wanted, "cluster", "gpu", "evonorm", "grafs", "safs"} <= set(shipped_configs())


@every_config
def test_it_loads_unchanged_and_reads_back(name: str) -> None:
    config = Job.load(name).config
    assert checked(json.loads(json.dumps(config.model_dump(mode="json"))), name) == config
    assert to_yaml(config)
    assert config.cohorts.lag >= config.workers.count - 1  # or some workers would have nothing to do
    assert shipped_configs()[name].read_text().startswith("# ")


@every_short_config
def test_a_tiny_budget_is_launched(name: str, tmp_path: Path) -> None:
    run = Job.load(name, tiny(name)).launch(str(tmp_path / "run"))
    status = run.status()
    assert status.trained >= 4
    assert status.controls_repeat
    assert len(run.classes()) == status.trained
    assert (run.path / "front.csv").read_text().startswith("id,expression,gain")


@pytest.mark.slow
@every_config
def test_a_tiny_budget_is_confirmed(name: str, tmp_path: Path) -> None:
    """On the larger networks, where there are some; up to 20 s."""
    changes = ["confirmation.finalists=1", "confirmation.seeds=7"]
    run = Job.load(name, [*tiny(name), *changes]).launch(str(tmp_path / "run"))
    found = confirmation(run)
    sums = [sum(gain or 0.0 for gain in row.by_task.values()) for row in run.front_rows()]
    assert found is not None  # the known functions are there in any case
    finalists = [row for row in found["finalists"] if "of" not in row]
    assert len(finalists) <= any(gain > 0 for gain in sums)  # none is a known function
    assert len(found["carried"]) >= 3


@pytest.mark.slow
@every_config
def test_a_dry_run(name: str) -> None:
    found = dry_run(Job.load(name, tiny(name)).config)
    assert found.counts[Passed.ACCEPTED] == 4
    assert found.classes_per_minute > 0


def test_what_the_configs_are_about() -> None:
    """What a reader of docs/ is told of them."""
    configs = {name: load_config(path) for name, path in shipped_configs().items()}
    assert configs["pangaea"].grammar == "pangaea"
    assert (configs["aquasurf"].grammar, configs["aquasurf"].strategy["choice"]) == ("aquasurf", "nearest")
    assert configs["gpu"].training.device == "cuda"
    assert configs["cluster"].workers.address
    several = configs["several-networks"]
    assert several.aggregate == "minimum"
    assert several.strategy["name"] == "nsga2"
    first = [str(task(name).network()) for name in several.tasks]
    assert ["CoordinateNetwork" in first[0], "Conv2d" in first[1], "Transformer" in first[3]] == [True] * 3
    assert "Conv" not in first[2] and "Linear" in first[2]
    assert [label(name) for name in configs["your-own-network"].tasks] == ["bring_your_own.py:Lines"]


def test_safs_has_both_stages_and_its_control(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The published moves and history; scaled ReLU is tuned as the finalists are."""
    monkeypatch.setattr(PrunedDigits, "dense_steps", 10)  # no other test has networks of this size
    config = load_config("safs")
    assert config.strategy == {
        "name": "late_acceptance", "length": 3, "patience": 20, "move": "point+swap", "by": "accuracy",
    }  # fmt: skip
    assert (config.grammar, config.budget >= 20) == ("safs-layers", True)
    stage_2 = ["confirmation.finalists=1", "confirmation.seeds=5", "confirmation.hpo={trials: 3, seeds: 1}"]
    changes = [*TINY, *stage_2, "tasks=[digits-pruned-0.9-3x17]"]
    found = confirmation(Job.load("safs", changes).launch(str(tmp_path / "run")))
    assert found is not None
    names = {row["name"] for row in found["tuned"]}
    assert names >= {"relu", "gelu", "silu", *config.controls, *(row["id"] for row in found["finalists"])}
    assert {row["name"] for row in found["carried"]} >= {"gelu", "silu", *config.controls}


def _hurdles(tmp_path: Path, start: str) -> tuple[Config, list[dict[str, Any]]]:
    """A cohort of ``several-networks`` that begins with a function that fails."""
    changes = [*TINY, "training.steps=48", "training.rungs=[24]", f"start=['{start}']"]
    run = Job.load("several-networks", [*changes, "tasks=[digits, image-inr]"]).launch(str(tmp_path / "run"))
    record = json.loads((run.path / "cohorts" / "000000.json").read_text())
    return run.config, record["result"]["candidates"]


def test_who_fails_on_one_network_is_not_trained_on_the_next(tmp_path: Path) -> None:
    """Networks are hurdles: they are trained one after the other."""
    config, rows = _hurdles(tmp_path, "sin(30*x)")
    assert rows[0]["reason"] and rows[0]["failed_on"] == "digits"
    assert list(rows[0]["losses"]) == ["digits"]
    whole = [row for row in rows if not row["reason"]]
    assert whole
    assert all(list(row["losses"]) == list(config.tasks) for row in whole)
