"""What ``actsearch doctor`` says of this machine."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Mapping
from pathlib import Path

import torch

from evaluators.errors import EvaluationError
from evaluators.native.blas import blas
from evaluators.native.library import Loaded, engine
from evaluators.native.processor import level
from evaluators.training.chains.identity import digest
from primitives.quoting import visible
from search.records.packages import installed

WIDTH = 80  # columns of a line
HEAD = 10  # of them for a name

#: Optional packages, and what they are for.
OPTIONAL = {
    "datasets": "MNIST, Fashion-MNIST, CIFAR",
    "jax": "runs exports to jax",
    "onnx": "writes exports to onnx",
    "triton": "checks exports to triton",
}


def examined() -> dict[str, str]:
    """What is there, by name, a line each; an engine that can be built is built.

    What is wrong with a part is said in its line: this command is for when something is wrong.
    """
    return {
        **_engine(),
        "processor": f"{level()}, torch uses {torch.backends.cpu.get_cpu_capability()}",
        "threads": _threads(),
        "blas": f"{blas().name} in float32, {blas(double=True).name} in float64",
        "torch": torch.__version__,
        "ray": installed("ray"),
        "gpu": _gpu(),
        **{name: f"{installed(name)}: {use}" for name, use in OPTIONAL.items()},
    }


def lines(found: Mapping[str, str]) -> list[str]:
    """Each part in a line of at most 80 columns; a longer one is folded at its blanks."""
    return [line for name, text in found.items() for line in _folded(name, visible(text))]


def _folded(name: str, text: str) -> list[str]:
    head, indent = f"{name:<{HEAD}} ", " " * (HEAD + 1)
    return textwrap.wrap(text, WIDTH, initial_indent=head, subsequent_indent=indent, break_on_hyphens=False)


def _engine() -> dict[str, str]:
    try:
        found = engine()
    except EvaluationError as error:
        return {"engine": str(error)}
    if isinstance(found, str):
        return {"engine": f"none: {found}"}
    single, double = found
    rows = {"engine": f"digest {digest()}", "float32": _library(single), "float64": _library(double)}
    return rows | ({"cache": f"not used: {single.unused}"} if single.unused else {})


def _library(loaded: Loaded) -> str:
    how = "found" if loaded.seconds is None else f"built in {loaded.seconds:.1f} s"
    return f"{how}, key {loaded.key}, {_short(loaded.file.parent)}"


def _short(folder: Path) -> str:
    """A folder with ~ for the user's own."""
    home = os.path.expanduser("~")
    text = str(folder)
    return f"~{text[len(home) :]}" if home != "/" and text.startswith(f"{home}/") else text


def _threads() -> str:
    cores = os.cpu_count() or 1
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores
    return f"{usable} of {cores} cores are usable; a worker takes 1"


def _gpu() -> str:
    if not torch.cuda.is_available():
        return "none that this torch can use"
    count = torch.cuda.device_count()
    return f"{count} of {torch.cuda.get_device_name(0)}, CUDA {torch.version.cuda}"
