"""The machine that a run was made on: what decides the bits of its results."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version

import torch

from evaluators.json_codec import JsonObject

#: What must be equal for equal bits.
DECISIVE = ("torch", "cpu_capability", "machine", "threads_per_worker")


def environment() -> JsonObject:
    """Versions and processor of this machine, JSON's types."""
    packages = ("actsearch", "numpy", "optuna", "ray", "scikit-learn", "scipy")
    return {
        "torch": torch.__version__,
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "machine": platform.machine(),
        "threads_per_worker": 1,
        "cores": os.cpu_count(),
        "python": sys.version.split()[0],
        "system": platform.system(),
        "packages": {name: installed(name) for name in packages},
    }


def installed(package: str) -> str:
    """The version of a package; a job also runs from a folder of sources, and in one process without Ray."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def differences(old: JsonObject, new: JsonObject) -> list[str]:
    """What differs of that which decides the bits, one line each."""
    return [f"{key}: {old.get(key)} -> {new.get(key)}" for key in DECISIVE if old.get(key) != new.get(key)]
