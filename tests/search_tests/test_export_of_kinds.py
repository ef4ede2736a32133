"""Exports of gates, layers with statistics, one function per place: files of the targets that have them, and a card."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from primitives.analysis import output_factor
from primitives.errors import LoweringError
from primitives.expression.parsing import parse
from search import Job, Run
from search.export.export import export

GATE = "gelu(x)*z"
NORM = "relu((x-mean_np(x))/std_np(x)*w+b); w=1:channel, b=0:channel"
LAYERS = "layers(sin(2*x),relu(x))"

Found = Callable[[str], Run]


@pytest.fixture
def found(small: Path, monkeypatch: pytest.MonkeyPatch) -> Found:
    """A run of one class, and another function in its place when it is exported."""
    changes = ["start=['tanh(x)*x']", "budget=1", "cohorts.size=1", "confirmation.finalists=0"]
    run = Job.load(small, changes).launch("one")

    def of(text: str) -> Run:
        monkeypatch.setattr("search.export.export.parse", lambda _: parse(text))
        return run

    return of


def card_of(folder: Path) -> str:
    """The card of a folder whose self-tests pass."""
    tests = sorted(folder.glob("test_*.py"))
    assert tests
    for test in tests:
        done = subprocess.run([sys.executable, test.name], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    return (folder / "README.md").read_text()


def test_a_gate(found: Found) -> None:
    card = card_of(export(found(GATE), [], ["torch", "numpy", "c", "latex"])[0].parent)
    for part in (
        f"f(x, z) = {GATE}",
        "kind: a gate of x and z; inputs: x and z",
        "for standard normal inputs",
        "known as: ",
    ):
        assert part in card
    assert "not written" not in card


def test_a_layer_with_statistics(found: Found) -> None:
    run = found(NORM)
    paths = export(run, [], ["torch", "c", "numpy"])
    folder = paths[0].parent
    card = card_of(folder)
    assert "kind: a layer with statistics; inputs: x" in card
    assert "- not written, c: statistics need a tensor and its axes; targets that have them: torch, numpy" in card
    assert not [path for path in paths if path.suffix == ".h"]
    with pytest.raises(LoweringError, match="triton: statistics need a tensor"):
        export(run, [], ["triton", "c"], folder.parent / "none")
    assert not (folder.parent / "none").exists()


def test_one_function_per_place_has_a_factor_for_each(found: Found) -> None:
    paths = export(found(LAYERS), [], ["torch", "latex"])
    folder = paths[0].parent
    card, stem = card_of(folder), folder.name
    ends = (".py", "_1.py", "_2.py", "_1.svg", "_2.tex")
    assert {path.name for path in paths} >= {f"{stem}{end}" for end in ends}
    for number, part in enumerate(parse(LAYERS).parts, 1):
        factor = output_factor(part)
        assert f"factor:    {factor!r} " in (folder / f"{stem}_{number}.py").read_text()
        assert repr(factor) in card
        assert f"Part {number}, `{part.text}`:" in card
    assert "one function per place, 2 for equal runs of places" in card
