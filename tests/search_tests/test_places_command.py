"""``actsearch places``: what is there, what is replaced, and why the rest is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

FILE = """
import torch
import torch.nn.functional as F
from torch import nn

from evaluators import Task


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.head, self.spare, self.gate = nn.Conv1d(1, 4, 3), nn.Linear(4 * 6, 2), nn.ReLU(), nn.Sigmoid()

    def forward(self, x):
        return self.head(self.gate(F.relu(self.conv(x[:, None])).clamp(max=9).flatten(1)))


class Mine(Task):
    def network(self):
        return Net()

    def data(self, part):
        x = torch.randn(96, 8, generator=torch.Generator().manual_seed(len(part)))
        return x, (x[:, 0] > 0).long()
"""

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(FILE)


def test_each_activation_is_a_row_with_the_reason(file: None, command: Command) -> None:
    code, text, _ = command("places", "mine.py:Mine", "--json")
    assert code == 0
    rows = {row["place"]: (row["what"], row["input"], row["channels"], row["replaced"]) for row in json.loads(text)}
    assert rows == {
        "relu#1": ("call of relu", "4x6", "4 in dim -2", "yes"),
        "spare": ("ReLU", "", "", "no: never used"),
        "gate": ("Sigmoid", "24", "24", "no: of another kind"),
        "(the network)": ("call of clamp", "", "", "no: a bound"),
    }


def test_the_table_fits_a_terminal_and_says_how_others_are_chosen(file: None, command: Command) -> None:
    code, text, _ = command("places", "mine.py:Mine")
    assert code == 0
    table, _, hint = text.partition("Others are chosen in the task")
    assert max(len(line.rstrip()) for line in table.splitlines()) <= 80
    assert "4 in dim -2" in table
    assert "replaced = (" in hint


def test_shipped_tasks_and_mistakes(file: None, command: Command) -> None:
    assert [row["place"] for row in json.loads(command("places", "digits", "--json")[1])] == ["1", "3"]
    code, _, errors = command("places", "digit")
    assert code == 2
    assert "did you mean 'digits'" in errors
    Path("mine.py").write_text(FILE.replace("F.relu(self.conv", "self.gate(self.conv"))
    code, _, errors = command("places", "mine.py:Mine")
    assert code == 2
    assert 'found gate (Sigmoid). Name what the candidate takes the place of: replaced = ("gate",)' in errors
