"""Environment: the properties of a machine that decide the bits of results."""

from __future__ import annotations

import os
import platform
import sys

import torch

from evaluators.machine.rounding import rounding
from evaluators.results.json_codec import JsonObject
from evaluators.training.chains.identity import digest
from search.records.packages import installed

#: What must be equal for equal bits.
DECISIVE = ("torch", "cpu_capability", "machine", "threads_per_worker", "rounding", "engine")


def environment() -> JsonObject:
    """Versions and processor of this machine, JSON's types."""
    packages = ("actsearch", "numpy", "optuna", "ray", "scikit-learn", "scipy")
    return {
        "torch": torch.__version__,
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "machine": platform.machine(),
        "threads_per_worker": 1,
        "rounding": rounding(),
        "engine": digest(),
        "cores": os.cpu_count(),
        "python": sys.version.split()[0],
        "system": platform.system(),
        "packages": {name: installed(name) for name in packages},
    }


def differences(old: JsonObject, new: JsonObject) -> list[str]:
    """What differs of that which decides the bits, one line each; a run of an older version may lack a key."""
    return [f"{key}: {old[key]} -> {new[key]}" for key in DECISIVE if key in old and old[key] != new[key]]
