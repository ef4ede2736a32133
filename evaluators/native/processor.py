"""What the processor can do, by what the kernel says of it."""

from __future__ import annotations

import platform
from pathlib import Path

#: Names in /proc/cpuinfo of what each level of x86-64 adds; ``abm`` has lzcnt.
_ADDS = {
    "x86-64-v2": {"cx16", "lahf_lm", "popcnt", "sse4_1", "sse4_2", "ssse3"},
    "x86-64-v3": {"abm", "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe", "xsave"},
    "x86-64-v4": {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"},
}
NEEDED = "x86-64-v3"
CPUINFO = Path("/proc/cpuinfo")


def lacking(cpuinfo: Path = CPUINFO) -> list[str]:
    """What an engine needs of the processor and this one lacks, by name; nothing where it will run.

    The kernel leaves out what a hypervisor or it itself has turned off. Without the file nothing is known, and all is
    lacking.
    """
    if platform.machine() != "x86_64":
        return []  # armv8-a is what every aarch64 has
    needed = _ADDS["x86-64-v2"] | _ADDS[NEEDED]
    return sorted(needed - _flags(cpuinfo))


def level(cpuinfo: Path = CPUINFO) -> str:
    """The level of this processor, such as ``x86-64-v4``, or its name where levels have none."""
    if platform.machine() != "x86_64":
        return platform.machine()
    flags, reached = _flags(cpuinfo), "x86-64"
    for name, adds in _ADDS.items():
        if not adds <= flags:
            break
        reached = name
    return reached


def _flags(cpuinfo: Path) -> frozenset[str]:
    """Of all cores: a virtual machine may have several kinds."""
    try:
        lines = cpuinfo.read_text(errors="replace").splitlines()
    except OSError:
        return frozenset()
    cores = [frozenset(line.partition(":")[2].split()) for line in lines if line.startswith("flags")]
    return frozenset.intersection(*cores) if cores else frozenset()
