"""The how-tos: what they tell to save is saved as it stands, and used."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from evaluators.objectives import OBJECTIVES
from evaluators.rejection import CalibrationSet, RecallTarget
from primitives import LoweringError, lower, lowering, parse
from primitives.operators.table import remove_operator
from search import Job
from search.strategies import STRATEGIES
from tests.docs_tests.pages import block
from tests.primitives_tests.contract import FACTOR, differences, points


def saved(page: str, word: str, path: Path) -> ModuleType:
    """A block of Python of a page, saved and imported."""
    path.write_text(block(page, word))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SMALL = """\
tasks: [digits]
budget: 18
cohorts: {size: 6, lag: 0}
training: {steps: 12, learning_rates: [0.002]}
confirmation: {finalists: 0}
workers: {count: 0}
"""


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(SMALL)
    return tmp_path / "small.yaml"


def test_a_strategy(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = saved("add-a-strategy.md", "class Youngest", small.with_name("youngest.py"))
    monkeypatch.setitem(STRATEGIES, "youngest", made.Youngest)
    setting = block("add-a-strategy.md", "fresh: 0.5").strip().replace(": ", "=", 1)
    run = Job.load(small, [setting]).launch("one")
    assert any(row["parents"] for row in run.classes())


def test_a_task(small: Path) -> None:
    saved("add-a-task.md", "class Wine", small.with_name("my_task.py"))
    changes = ["tasks=['my_task.py:Wine', digits]", "confirmation={finalists: 1, seeds: 6, rounds: 0, unseen: null}"]
    run = Job.load(small, changes).launch("one")
    assert all(row["gain_my_task.py:Wine"] is not None for row in run.front())
    assert run.confirmation()


def test_a_rung_rule(tmp_path: Path) -> None:
    rule = saved("rejection.md", "class UpperQuarter", tmp_path / "upper_quarter.py").UpperQuarter()
    rows = np.random.Generator(np.random.PCG64(0)).normal(size=(400, 3))
    known = CalibrationSet(rows, [("task", step) for step in (4, 8, 16)], (4, 4, 8))
    thresholds = rule.calibrate(known, RecallTarget())
    goes = [rule.decide(thresholds, ("task", 4), row[0]) for row in rows]
    assert list(thresholds) == list(known.rungs[:2]) and sum(why is not None for why in goes) == 99


def test_an_objective(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    depth = saved("objectives.md", "class Depth", small.with_name("depth.py")).Depth()
    distance = saved("objectives.md", "class Distance", small.with_name("distance.py")).Distance()
    for each in (depth, distance):
        monkeypatch.setitem(OBJECTIVES, each.name, each)
    run = Job.load(small, ["objectives=[gain, depth, distance]"]).launch("one")
    front = [row.objectives for row in run.front_rows()]
    assert front
    for name, least in (("depth", 1.0), ("distance", 1e-300)):
        assert all(found is not None and found >= least for found in (row[name] for row in front))


def test_an_operator(tmp_path: Path) -> None:
    try:
        saved("add-an-operator.md", "bump", tmp_path / "mine.py")
        assert "torch.sin(x ** 2)" in str(lower(parse("sin_square(x)"), "torch"))
    finally:
        for name in ("bump", "sin_square"):
            remove_operator(name)


def test_a_lowering_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = saved("add-a-lowering-target.md", "JAVASCRIPT", tmp_path / "javascript.py")
    monkeypatch.setitem(lowering.TARGETS, "javascript", made.JAVASCRIPT)
    assert "const t1 = Math.exp(-x);" in str(lower(parse("1/(1+exp(-x))"), "javascript"))
    with pytest.raises(LoweringError, match="'erf' cannot be written in javascript"):
        lower(parse("erf(x)"), "javascript")


def in_node(source: str, given: list[float]) -> list[list[float]]:
    """What the function ``act`` returns at each point."""
    numbers = json.dumps(given).replace("NaN", "0/0").replace("Infinity", "1/0")
    script = (
        f"{source.removeprefix('export ')}\nconsole.log(JSON.stringify([{numbers[1:-1]}].map(x => act(x).map(String))))"
    )
    done = subprocess.run(["node", "-e", script], capture_output=True, text=True, check=True)
    return [[float(text) for text in row] for row in json.loads(done.stdout)]


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_the_lowering_target_computes_what_it_should(tmp_path: Path) -> None:
    write = saved("add-a-lowering-target.md", "JAVASCRIPT", tmp_path / "javascript.py").JAVASCRIPT.write
    for text in ("x*sigmoid(beta*x); beta=1.5", "where(x>0,x,expm1(x))/(x>=-2)", "max(x**3,-cosh(x))"):
        f = parse(text)
        columns = zip(*in_node(write(f, "act", FACTOR), points(f).tolist()), strict=True)
        names = ["value", "x", *(p.name for p in f.parameters)]
        assert differences(f, dict(zip(names, columns, strict=True))) == []
