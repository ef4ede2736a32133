"""docs/export.md: every block of code runs in a folder with the exported files."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from primitives.expression.parsing import parse
from primitives.lowering import files

PAGE = Path(__file__).parents[2] / "docs" / "export.md"
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)


@pytest.mark.parametrize(("language", "block"), BLOCKS, ids=[f"{n}-{kind}" for n, (kind, _) in enumerate(BLOCKS)])
def test_the_blocks_run(language: str, block: str, tmp_path: Path) -> None:
    if language == "sh" and shutil.which("cc") is None:
        pytest.skip("there is no C compiler")
    for package in ("onnx", "onnxruntime", "jax"):
        if package in block and find_spec(package) is None:  # importing jax here would make forks of other tests warn
            pytest.skip(f"the block needs {package}")
    for target in ("torch", "numpy", "sympy", "c", "jax", "triton", *(["onnx"] if "onnx" in block else [])):
        for name, content in files(parse("x*sigmoid(beta*x); beta=1.5"), target, name="act_3_7").items():
            (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    (tmp_path / "block.py").write_text(block, encoding="utf-8")
    command = [sys.executable, "-s", "-W", "error", "block.py"] if language == "python" else ["sh", "-c", block]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
