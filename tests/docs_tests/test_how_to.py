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

from evaluators.rejection import CalibrationSet, RecallTarget
from primitives import LoweringError, lower, lowering, parse
from search import Job
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
