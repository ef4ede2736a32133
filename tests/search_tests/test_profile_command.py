"""``actsearch profile``: a table, CSV, JSON, a picture; refusals come before anything is trained."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest

Command = Callable[..., tuple[int, str, str]]

FEW = ("--seeds", "2", "--side", "tables")


def test_the_table_has_a_row_a_side_and_a_summary(command: Command) -> None:
    code, out, err = command("profile", "x*tanh(x)", *FEW)
    assert code == 0 and "training tabular-cancer" in err
    assert "x*tanh(x), 95 % interval" in out and "GELU" in out and "tabular-cancer " in out
    assert "of 1 sides" in out


def test_csv_and_json_have_the_same_rows(command: Command, tmp_path: Path) -> None:
    plot = tmp_path / "profile.svg"
    _, out, _ = command("profile", "x*tanh(x)", *FEW, "--current", "elu(x)", "--csv", "--plot", str(plot))
    rows = list(csv.DictReader(StringIO(out)))
    assert [row["name"] for row in rows] == ["ReLU", "x*tanh(x)", "GELU", "SiLU", "yours"]
    assert float(rows[0]["over_relu"]) == 0.0 and rows[1]["unit"] == "nats" and rows[0]["blocks"] == "2"
    assert b"<svg" in plot.read_bytes()
    _, out, _ = command("profile", "x*tanh(x)", *FEW, "--current", "elu(x)", "--json")
    assert [row["over_relu"] for row in json.loads(out)] == [float(row["over_relu"]) for row in rows]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["x*tanh(x)", "--side", "dept"], "unknown side 'dept'; did you mean 'depth'"),
        (["x*tanh(x)", "--plot", "profile.jpg"], "the name must end in .svg, .png, .pdf"),
        (["x*tanh(x)", "--plot", "no/where.svg"], "there is no folder 'no'"),
        (["silu(x)*z"], "functions of one number"),
        (["x*tanh(x"], "position 8: expected"),
        (["x*tanh(x)", "--task", "digit"], "did you mean 'digits'"),
    ],
)
def test_refusals_name_what_was_expected(command: Command, arguments: list[str], message: str) -> None:
    code, out, err = command("profile", *arguments)
    assert code == 2 and message in err and "training" not in err and not out
