"""`actsearch fewbit`: the levels as text and JSON, the module that it writes, and what it refuses."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch

from primitives.expression.parsing import parse
from primitives.fewbit.fit import few_bit
from search.commands.cli import main
from tests.primitives_tests.loading import loaded


def fewbit(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["actsearch", "fewbit", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


def test_text_has_everything(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert fewbit(monkeypatch, "gelu(x)", "--bits", "2", "--fit", "value") == 0
    out = capsys.readouterr().out
    found = few_bit(parse("gelu(x)"), 2, "value")
    for part in (
        "1.04945",
        "-3.16868",
        "4 levels, 2 bits an element",
        "0.0095",
        found.pair.text,
        "differentiated once",
    ):
        assert part in out


@pytest.mark.parametrize("bits", [1, 2, 3, 4])
def test_json_and_the_module_agree(
    bits: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "tanh_few.py"
    assert fewbit(monkeypatch, "tanh(x)", "--bits", str(bits), "--output", str(path), "--json") == 0
    found = json.loads(capsys.readouterr().out)
    module = loaded(path.read_text(), tmp_path / "again.py")
    assert [*module.LEVELS] == found["levels"]
    assert [*module.BORDERS] == found["borders"]
    assert (module.BITS, found["saved_bytes"], found["fit"]) == (bits, bits / 8, "slope")
    assert found["pair"].startswith("paired(tanh(x),")
    assert torch.equal(module.TanhFew()(x := torch.randn(9)), torch.tanh(x))
    before = path.read_bytes()
    assert fewbit(monkeypatch, "tanh(x)", "--bits", str(bits), "--output", str(path)) == 0
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["gelu(x)", "--bits", "5"], "the nearest is 4"),
        (["gelu(x)", "--fit", "slpe"], "did you mean 'slope'"),
        (["gleu(x)"], "did you mean 'gelu'"),
        (["x*sigmoid(b*x); b=1"], "'b' is learned"),
        (["gelu(x)", "--output", "few.txt"], "few.py"),
        (["gelu(x)", "--output", "nowhere/few.py"], "'nowhere' does not exist"),
        (["gelu(x)", "--output", "X-1.py"], "snake case"),
    ],
)
def test_wrong_usage_is_said_and_nothing_is_written(
    arguments: list[str],
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert fewbit(monkeypatch, *arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert expected in captured.err
    assert list(tmp_path.iterdir()) == []
