"""Promise 4: what is exported computes what was searched, in a process that cannot import this project."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from evaluators.training.initialisation import normalised
from primitives import ActsearchError, derivative, evaluate, parse
from primitives.equivalence.nearest import nearest_known
from primitives.errors import LoweringError
from search import Job, Run, RunError
from search.export.export import export
from search.export.lineage import ancestors
from search.records.class_row import ClassRow
from tests.plain import confirmation, number

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
    for row in [row for row in run.class_rows() if not row.reason][:4]:
        path = next(p for p in export(run, [row.id], ["torch", "latex"], tmp_path / "out") if p.suffix == ".py")
        result = tmp_path / "result.pt"
        command = [sys.executable, "-I", "-c", STRANGER, str(path), path.stem, str(result)]
        subprocess.run(command, check=True, cwd=tmp_path)
        found = torch.load(result, weights_only=True)
        function = normalised(parse(row.expression))
        values = evaluate((function, derivative(function)), found["x"], function.initial_values)
        torch.testing.assert_close(found["y"], values[0], rtol=1e-12, atol=1e-14)
        torch.testing.assert_close(found["slope"], values[1], rtol=1e-9, atol=1e-12)


def test_raw_leaves_the_factor_out(run: Run, tmp_path: Path) -> None:
    row = run.front_rows()[0]
    path = export(run, [row.id], ["torch"], tmp_path / "raw", raw=True)[0]
    assert "factor:    1.0 " in path.read_text()
    assert "left out of the files" in (path.parent / "README.md").read_text()


def test_an_id_given_twice_is_exported_once(run: Run, tmp_path: Path) -> None:
    row = run.front_rows()[0]
    paths = export(run, [row.id, row.id], ["latex"], tmp_path / "out")
    assert len(paths) == len(set(paths)) == 3


def test_without_ids_the_best_is_exported(run: Run) -> None:
    best = max(run.front_rows(), key=lambda row: number(row.gain))
    paths = export(run, [], ["torch"])
    assert paths[0] == run.folder.exports / f"act_{best.id.replace('.', '_')}" / paths[0].name
    assert best.expression in (paths[0].parent / "README.md").read_text()


def test_unknown_id_or_target_writes_nothing(run: Run, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"no candidate '0\.99'"):
        export(run, ["0.99"], ["torch"], tmp_path / "out")
    with pytest.raises(ActsearchError, match="unknown target 'troch'; did you mean 'torch'"):
        export(run, [], ["troch"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_file_in_the_place_of_the_folder_is_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(RunError, match="out is there and no folder"):
        export(run, [], ["torch"], tmp_path / "out")
    assert (tmp_path / "out").read_text() == "mine"


def test_a_target_that_cannot_say_an_operator_writes_nothing(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def files(expression: object, target: str, **_: object) -> dict[str, str]:
        if target == "latex":
            raise LoweringError("latex has no word for the operator 'odd'")
        return {"a.py": "pass"}

    monkeypatch.setattr("search.export.export.files", files)
    with pytest.raises(LoweringError, match="odd"):
        export(run, [], ["torch", "latex"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_card_says_what_the_function_is_and_what_speaks_for_it(small: Path, tmp_path: Path) -> None:
    changes = ["start=['x/(1+abs(silu(x)))', 'tanh(x)+0.01*sin(cos(x))']", "cohorts.size=2", "budget=4"]
    run = Job.load(
        small, [*changes, "confirmation.finalists=2", "confirmation.seeds=8", "confirmation.rounds=1"]
    ).launch()
    found = confirmation(run)
    assert found is not None and found["finalists"]
    ids = [row["id"] for row in found["finalists"]]
    export(run, ids, ["torch"], tmp_path / "out")
    for row in found["finalists"]:
        folder = tmp_path / "out" / f"act_{row['id'].replace('.', '_').replace('-', '_')}"
        card = (folder / "README.md").read_text()
        for part in (row["expression"], "Evidence", "Lineage", "Properties", "Licence", "8 fresh seeds", "smoothness"):
            assert part in card
        assert f"{row['gains']['silu']['mean']:+.3f}" in card
        assert "known as: no" not in card or "nearest known function" in card
        assert (folder / f"{folder.name}.svg").read_text().startswith("<?xml")
        for name in re.findall(r"^- `(.+)`$", card, re.MULTILINE):
            assert (folder / name).is_file()
        if "of" in row:
            assert f"short form of candidate {row['of']}" in card


def test_a_card_of_a_known_function_has_what_the_fresh_seeds_say_of_it(small: Path, tmp_path: Path) -> None:
    run = Job.load(small, ["baseline.functions=[Tanh]", "budget=6"]).launch()
    found = run.confirmation()
    assert found is not None
    (gain,) = (row.gain for row in found.carried if row.name == "Tanh")
    assert gain is not None
    export(run, ["known.0"], ["torch"], tmp_path / "out")
    card = (tmp_path / "out" / "act_known_0" / "README.md").read_text()
    assert f"confirmation: {gain.mean:+.3f}" in card
    assert "No parents: it was proposed from the grammar or the start list, or is a known function." in card


def test_the_nearest_known_function() -> None:
    for text in ("3*tanh(x)", "gelu(x)", "x*sigmoid(1.702*x)"):
        near = nearest_known(parse(text))
        assert near is not None and near.distance < 1e-6, text
    near = nearest_known(parse("x*sigmoid(x)+0.001*sin(3*x)"))
    assert near is not None
    assert (near.entry.name, 0 < near.distance < 0.01) == ("SiLU", True)
    assert nearest_known(parse("1/x")) is None or nearest_known(parse("log(x)")) is None


def test_lineage_names_each_ancestor_once_and_ends() -> None:
    rows = {
        name: ClassRow(name, "x", {}, parents=tuple(parents.split()))
        for name, parents in {"0.0": "", "0.1": "", "1.0": "0.0 0.1", "2.0": "1.0 0.0", "3.0": "3.0 2.0"}.items()
    }
    assert [row.id for row in ancestors("2.0", rows, 12)] == ["1.0", "0.0", "0.1"]
    assert [row.id for row in ancestors("2.0", rows, 2)] == ["1.0", "0.0"]
    assert ancestors("0.0", rows, 12) == []
