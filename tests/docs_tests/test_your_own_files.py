"""The pages' own files, named as the pages say, in one job on two Ray workers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from evaluators.objectives import registry
from evaluators.rejection import base
from primitives import lower, parse
from primitives.operators.table import remove_operator
from search import Job, Run
from search.export.export import export
from tests.docs_tests.pages import block

FILES = {
    "youngest.py": ("add-a-strategy.md", "class Youngest"),
    "depth.py": ("objectives.md", "class Depth"),
    "distance.py": ("objectives.md", "class Distance"),
    "upper_quarter.py": ("rejection.md", "class UpperQuarter"),
    "mine.py": ("add-an-operator.md", "sin_square = Operator"),
    "javascript.py": ("add-a-lowering-target.md", "JAVASCRIPT = Target"),
}
NAMED = {
    "add-a-strategy.md": "path/to/youngest.py:Youngest, fresh",
    "objectives.md": "path/to/depth.py:Depth",
    "rejection.md": "path/to/upper_quarter.py:UpperQuarter}",
    "add-an-operator.md": "path/to/mine.py:bump,",
}
SMALL = """\
tasks: [digits]
budget: 48
cohorts: {size: 12, lag: 1}
training: {steps: 12, rungs: [4], learning_rates: [0.002]}
baseline: {functions: none}
confirmation: {finalists: 0}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the pages' files under path/to/ and a config with the pages' lines; the working directory."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "path" / "to").mkdir(parents=True)
    for name, (page, word) in FILES.items():
        (folder / "path" / "to" / name).write_text(block(page, word))
    config = yaml.safe_load(SMALL)
    for page, word in NAMED.items():
        config |= yaml.safe_load(block(page, word))
    config["rejection"] |= {"warmup": 12, "audit": 0.2}
    (folder / "own.yaml").write_text(yaml.safe_dump(config))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(registry, "_LOADED", {})
        patch.setattr(base, "SMALLEST_SET", 8)
        yield folder
    for name in ("bump", "sin_square"):
        remove_operator(name)


@pytest.fixture(scope="module")
def run(folder: Path) -> Run:
    return Job.load("own.yaml").launch("two", workers=2)


def test_workers_change_nothing(run: Run) -> None:
    alone = Job.load("own.yaml").launch("none", workers=0)
    assert alone.folder.front.read_text() == run.folder.front.read_text()
    assert alone.classes() == run.classes()


def test_the_strategy_has_proposed(run: Run) -> None:
    assert "youngest.py:Youngest" in run.config.strategy_label
    assert run.config.strategy["fresh"] == 0.5
    assert any(row["parents"] for row in run.classes())


def test_the_objectives_are_on_the_front(run: Run) -> None:
    rows = [row.objectives for row in run.front_rows()]
    assert rows and all((row["depth"] or 0.0) >= 1.0 and (row["distance"] or 0.0) > 0.0 for row in rows)


def test_the_rung_rule_has_rejected(run: Run) -> None:
    assert any(row["reason"] == "unpromising" for row in run.classes())


def test_the_operators_are_trained(run: Run) -> None:
    assert any("bump(" in str(row["expression"]) and row["gain"] is not None for row in run.classes())
    assert "torch.sin(x ** 2)" in str(lower(parse("sin_square(x)"), "torch"))


def test_the_target_is_exported(run: Run, folder: Path) -> None:
    ids = [str(row["id"]) for row in run.front() if "erf" not in str(row["expression"])][:1]
    paths = export(run, ids, ["path/to/javascript.py:JAVASCRIPT"], folder / "out")
    (code,) = [path.read_text() for path in paths if path.suffix == ".js"]
    assert code.startswith("export function act_")
