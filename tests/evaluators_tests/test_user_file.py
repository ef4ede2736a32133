"""A class in a file as a task: found, pinned by its content, and every mistake named with file and line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from evaluators.errors import TaskError
from evaluators.tasks import task
from evaluators.tasks.tryout import try_out
from primitives.errors import UserFileError
from primitives.user_file import label, pinned

GOOD = """\
import torch
from torch import nn
from evaluators import Task

class Mine(Task):
    batch_size = 32

    def network(self):
        return nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 2))

    def data(self, part):
        x = torch.randn(96, 2, generator=torch.Generator().manual_seed(len(part)))
        return x, (x[:, 0] > 0).long()

def helper():
    pass
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    path = tmp_path / "mine.py"
    path.write_text(GOOD)
    return path


def test_a_class_is_found_from_anywhere(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = task("mine.py:Mine")
    assert made.name == "Mine"
    try_out(made)
    reference = pinned("mine.py:Mine")
    assert reference.startswith(f"{file}:Mine@")
    assert pinned(reference) == reference
    monkeypatch.chdir("/")
    again = task(reference)
    assert type(again) is type(made)
    assert again is not made
    assert label(reference) == "mine.py:Mine"


def test_a_changed_file_is_loaded_afresh_but_not_under_the_old_pin(file: Path) -> None:
    reference = pinned("mine.py:Mine")
    old = task(reference)
    file.write_text(GOOD.replace("batch_size = 32", "batch_size = 64"))  # the same size, within the same second
    assert (old.batch_size, task("mine.py:Mine").batch_size) == (32, 64)
    for look in (task, pinned):
        with pytest.raises(UserFileError, match=r"mine.py was changed: expected .* begins with \w{12}, got \w{12}"):
            look(reference)
    assert not list(file.parent.rglob("*.pyc"))


def test_the_file_says_that_it_is_run_once_and_before(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    file.write_text(
        GOOD.replace("def helper", "import logging\nlogging.getLogger('mine').warning('run')\n\ndef helper")
    )
    for _ in range(2):
        task("mine.py:Mine")
    said = f"the file {file} is run, because the config or the command names it"
    assert [record.getMessage() for record in caplog.records] == [said, "run"]


def test_what_lies_beside_the_file_can_be_imported(file: Path) -> None:
    (file.parent / "my_width_for_this_test.py").write_text("WIDTH = 4\n")
    file.write_text(GOOD.replace("import torch\n", "import torch\nfrom my_width_for_this_test import WIDTH\n", 1))
    sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
    try:
        assert task("mine.py:Mine").name == "Mine"
    finally:
        sys.dont_write_bytecode = before


def changed(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


MADE = "    batch_size = 32\n"
BAD = [
    (GOOD, "mine.py:Mien", "mine.py has no task 'Mien'; did you mean 'Mine'.*available: Mine"),
    (
        GOOD,
        "mine.py:helper",
        "helper is no task: expected .* evaluators.Task, got an object of type function",
    ),
    (GOOD, "mine.py:nn", "nn is no task: .*, got an object of type module"),
    (GOOD, "mine.py", "expected a file and a name in it, as in path/to/file.py:Name"),
    (GOOD, "mine.py:", "expected a file and a name"),
    (GOOD, "mime.py:Mine", "cannot read mime.py: No such file or directory; did you mean 'mine.py'"),
    (
        changed("(Task)", ""),
        "mine.py:Mine",
        "Mine is no task: expected a subclass of evaluators.Task, got the class",
    ),
    (changed("def data", "def date"), "mine.py:Mine", "task Mine fails: TypeError: .*abstract.*data"),
    (changed("def helper():", "def helper()"), "mine.py:Mine", r"mine.py fails: .*mine.py, line 15: SyntaxError"),
    (
        changed("from torch import nn", "import nn_"),
        "mine.py:Mine",
        r"mine.py fails: .*mine.py, line 2: ModuleNotFound",
    ),
    (changed(MADE, "    def __init__(self):\n        1 / 0\n"), "mine.py:Mine", "mine.py, line 7: ZeroDivisionError"),
]
WRONG = [
    (changed("nn.Linear(2, 4)", "nn.Linear(3, 4)"), "RuntimeError.*96x2 and 3x4|RuntimeError.*shapes"),
    (changed(".long()", ".lnog()"), r"mine.py, line 13: AttributeError: .*lnog"),
    (changed("nn.ReLU()", "nn.Dropout(0.5)"), r"expected an activation like ReLU or tanh in its network, found none"),
    (changed("nn.ReLU()", "nn.Sigmoid()"), r"like ReLU or tanh in its network, found 1 \(Sigmoid\)\. Name what"),
    (changed("batch_size = 32", "batch_size = 33"), "batch_size: expected a multiple of 32, got 33; the nearest is 32"),
    (changed("len(part)", "0"), "parts without a common example, but 96 of the confirmation are in the search too"),
    (changed("> 0).long()", "> 0).long()[1:]"), "expected a target for each of 96 inputs, got 95"),
    (
        changed("randn(96", "randn(40"),
        "at least 45 examples in the search, of which 30 % validate .* got 40",
    ),
]


@pytest.mark.parametrize(("text", "reference", "message"), BAD)
def test_what_cannot_be_loaded(file: Path, text: str, reference: str, message: str) -> None:
    file.write_text(text)
    with pytest.raises(UserFileError, match=message):
        task(reference)


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_what_does_not_work(file: Path, text: str, message: str) -> None:
    file.write_text(text)
    with pytest.raises(TaskError, match=message):
        try_out(task("mine.py:Mine"))


def test_a_loss_of_another_shape(file: Path) -> None:
    file.write_text(
        changed("def helper", "    def loss(self, output, target):\n        return output.sum()\n\ndef helper")
    )
    with pytest.raises(
        TaskError, match=r"loss: expected one number for each of 32 examples, shape \(32,\), got shape \(\)"
    ):
        try_out(task("mine.py:Mine"))


def test_random_numbers_of_the_process_are_left_alone(file: Path) -> None:
    state = torch.random.get_rng_state()
    try_out(task("mine.py:Mine"))
    assert torch.equal(torch.random.get_rng_state(), state)
