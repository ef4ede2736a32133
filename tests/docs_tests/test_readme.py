"""README.md: its Python runs as it stands, but for the budget, and the export that it shows gives what it imports."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path

from search.commands.cli import app

ROOT = Path(__file__).resolve().parents[2]
BLOCKS = [
    textwrap.dedent(block).strip("\n")
    for block in re.findall(r"(?:^(?: {4}.*)?\n)*^ {4}.*\n", (ROOT / "README.md").read_text(), re.MULTILINE)
]
TINY = (
    '["budget=14", "cohorts.size=14", "training.steps=8", "training.rungs=[4]", "workers.count=0", '
    '"confirmation.finalists=0"]'
)
EXPORT = """
from pathlib import Path
from search import Run
from search.export.export import export
export(Run.open("quickstart"), ["0.13"], ["torch"], Path("found"))
"""


def python(code: str, folder: Path) -> str:
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{code}"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_from_python(tmp_path: Path) -> None:
    (code,) = [block for block in BLOCKS if block.startswith("import torch")]
    smaller = code.replace('Job.load("quickstart")', f'Job.load("quickstart", {TINY})').replace("seeds=8", "seeds=2")
    assert TINY in smaller
    assert "x*atan(x) " in python(smaller, tmp_path)
    python(EXPORT, tmp_path)
    (use,) = [block for block in BLOCKS if "from act_0_13 import" in block]
    assert use.count("\nreplace(") == 1
    network = "model = nn.Sequential(nn.ReLU(), nn.ReLU())\nassert 2 == replace("
    python("sys.path.append('found/act_0_13')\n" + use.replace("\nreplace(", f"\n{network}"), tmp_path)


def test_the_commands_are_those_that_there_are() -> None:
    (text,) = [block for block in BLOCKS if block.startswith("actsearch launch CONFIG")]
    shown = re.findall(r"^actsearch (\w+)", text, re.MULTILINE)
    assert sorted(shown) == sorted(c.name or str(c.callback.__name__) for c in app.registered_commands if c.callback)
