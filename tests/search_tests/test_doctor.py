"""``actsearch doctor`` says what is here in short lines, whatever is wrong with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from search.terminal import doctor
from search.terminal.doctor import OPTIONAL, WIDTH, examined, lines

NAMES = ["engine", "processor", "threads", "blas", "torch", "ray", "gpu", *OPTIONAL]
ROOT = Path(__file__).resolve().parents[2]


def asked(*words: str, **environment: str) -> str:
    code = "from search.commands.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "doctor", *words], capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
    )  # fmt: skip
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return done.stdout


def test_every_part_has_short_lines() -> None:
    said = lines(examined())
    assert max(map(len, said)) <= WIDTH
    names = [line.split()[0] for line in said if not line.startswith(" ")]
    assert [name for name in names if name in NAMES] == NAMES


@pytest.mark.parametrize(
    ("value", "says"), [("torch", "none: ACTSEARCH_ENGINE=torch turns it off"), ("Torch", "did you mean 'torch'?")]
)
def test_an_engine_that_is_not_there_is_no_error(value: str, says: str) -> None:
    assert says in json.loads(asked("--json", ACTSEARCH_ENGINE=value))["engine"]
    assert asked(ACTSEARCH_ENGINE=value).startswith("engine ")


def test_packages_that_are_missing_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "installed", lambda name: "not installed")
    found = examined()
    assert found["ray"] == "not installed"
    assert all(found[name] == f"not installed: {use}" for name, use in OPTIONAL.items())


def test_what_comes_from_outside_is_made_visible() -> None:
    assert lines({"engine": "none: \x1b[31m"}) == ["engine     none: \\u001b[31m"]
    folded = lines({"float32": "found, " + "x" * 200})
    assert max(map(len, folded)) <= WIDTH and "".join(folded).count("x") == 200
