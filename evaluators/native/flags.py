"""How the engine's source is compiled: one fixed level of processor, so that machines of many kinds run one code."""

from __future__ import annotations

import hashlib
import platform
import sys
from dataclasses import dataclass
from pathlib import Path

#: No -ffast-math: special values and the order of sums are the source's. A step counter or an index may wrap.
COMMON = (
    *("-std=c11", "-O3", "-mtune=generic", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=off"),
    *("-fwrapv", "-fPIC", "-shared"),
)
#: By the name that the system gives the processor; on others there is no engine.
LEVELS = {"x86_64": "-march=x86-64-v3", "aarch64": "-march=armv8-a"}
REALS = {False: ("-DREAL=float",), True: ("-DREAL=double", "-DDOUBLE")}

#: The source that the package ships.
SOURCE = Path(__file__).parent / "engine.c"


def platform_tag() -> str:
    """System and processor, such as ``linux-x86_64``; no compiler, no library of C."""
    return f"{sys.platform}-{platform.machine()}"


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a library is made of.

    Attributes:
        source: text of the C file.
        flags: of the compiler.
        platform: see :func:`platform_tag`.
    """

    source: bytes
    flags: tuple[str, ...]
    platform: str

    @property
    def key(self) -> str:
        """Sixteen hexadecimal digits that change with the source, a flag or the platform."""
        parts = (*self.flags, self.platform)
        return hashlib.sha256("\0".join(parts).encode() + b"\0" + self.source).hexdigest()[:16]

    @property
    def file(self) -> str:
        """Name of the library's file."""
        return f"engine-{self.key}.so"


def recipe(source: bytes, *, double: bool) -> Recipe | None:
    """How a source is compiled here, in float64 or float32; None on a platform without an engine."""
    if sys.platform != "linux" or (level := LEVELS.get(platform.machine())) is None:
        return None
    return Recipe(source, (*COMMON, level, *REALS[double]), platform_tag())
