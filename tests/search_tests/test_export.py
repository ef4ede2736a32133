"""Promise 4: what is exported computes what was searched, in a process that cannot import this project."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from evaluators.initialisation import normalised
from primitives import ActsearchError, derivative, evaluate, parse
from search import Job, Run, RunError
from search.export import export

STRANGER = """
import importlib.util, sys, torch
path, name, out = sys.argv[1:]
spec = importlib.util.spec_from_file_location(name, path)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
assert not {"primitives", "evaluators", "search"} & set(sys.modules)
function = getattr(module, name)
stem = "".join(part.capitalize() for part in name.split("_"))
x = torch.linspace(-6, 6, 1001, dtype=torch.float64, requires_grad=True)
y = function(x)
(slope,) = torch.autograd.grad(y.sum(), x)
layer = getattr(module, stem)().double()
assert torch.equal(layer(x), y)
torch.save({"x": x.detach(), "y": y.detach(), "slope": slope}, out)
"""


@pytest.fixture
def run(small: Path) -> Run:
    return Job.load(small, ["confirmation.finalists=0", "budget=12"]).launch("one")


def test_exported_file_computes_what_was_searched(run: Run, tmp_path: Path) -> None:
    for row in [row for row in run.classes() if not row["reason"]][:4]:
        path = next(p for p in export(run, [row["id"]], ["torch", "latex"], tmp_path / "out") if p.suffix == ".py")
        result = tmp_path / "result.pt"
        command = [sys.executable, "-I", "-c", STRANGER, str(path), path.stem, str(result)]
        subprocess.run(command, check=True, cwd=tmp_path)
        found = torch.load(result, weights_only=True)
        function = normalised(parse(row["expression"]))
        values = evaluate((function, derivative(function)), found["x"], function.bind({}))
        torch.testing.assert_close(found["y"], values[0], rtol=1e-12, atol=1e-14)
        torch.testing.assert_close(found["slope"], values[1], rtol=1e-9, atol=1e-12)


def test_raw_leaves_the_factor_out(run: Run, tmp_path: Path) -> None:
    row = run.front()[0]
    path = export(run, [row["id"]], ["torch"], tmp_path / "raw", raw=True)[0]
    assert "factor:    1.0 " in path.read_text()
    assert "left out of the files" in (path.parent / "README.md").read_text()


def test_without_ids_the_best_is_exported(run: Run) -> None:
    best = max(run.front(), key=lambda row: row["gain"])
    paths = export(run, [], ["torch"])
    assert paths[0] == run.folder.exports / f"act_{best['id'].replace('.', '_')}" / paths[0].name
    assert best["expression"] in (paths[0].parent / "README.md").read_text()


def test_unknown_id_or_target_writes_nothing(run: Run, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"no candidate '0\.99'"):
        export(run, ["0.99"], ["torch"], tmp_path / "out")
    with pytest.raises(ActsearchError, match="unknown target 'troch'; did you mean 'torch'"):
        export(run, [], ["troch"], tmp_path / "out")
    assert not (tmp_path / "out").exists()
