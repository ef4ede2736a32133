"""Checked access to what a YAML file gave; every message starts with the file and the key."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any, final

from primitives.errors import GrammarError, nearest
from primitives.expression.parameters import GRANULARITIES, Granularity

_KINDS: dict[type, str] = {str: "a text", list: "a list", dict: "a mapping", int: "a whole number"}


@final
class Checks:
    """The checks of one file.

    Args:
        source: its name, for messages.
    """

    def __init__(self, source: str) -> None:
        self._source = source

    def fail(self, key: str, message: str) -> GrammarError:
        """The error for a key of the file; ``""`` is the file itself."""
        return GrammarError(f"{self._source}: {key}: {message}" if key else f"{self._source}: {message}")

    def typed(self, key: str, value: Any, kind: type) -> Any:
        """A value of one of the types that YAML has."""
        if not isinstance(value, kind) or isinstance(value, bool):
            raise self.fail(key, f"expected {_KINDS[kind]}, got {shown(value)}")
        return value

    def mapping(self, key: str, value: object, known: Iterable[str]) -> dict[str, Any]:
        """A mapping without unknown keys."""
        mapping: dict[str, Any] = self.typed(key, value, dict)
        for name in mapping:
            if name not in known:
                where = f"{key}.{short(name)}" if key else short(name)
                raise self.fail(where, f"unknown key{nearest(str(name), known)}; expected {', '.join(known)}")
        return mapping

    def number(self, key: str, value: object) -> float:
        """A finite number."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            # YAML 1.1 takes 1e-7, which has no point, for a text
            hint = "; write it with a point, as 1.0e-7" if _looks_numeric(value) else ""
            raise self.fail(key, f"expected a finite number, got {shown(value)}{hint}")
        return float(value)

    def truth(self, key: str, value: object) -> bool:
        """``true`` or ``false``."""
        if not isinstance(value, bool):
            raise self.fail(key, f"expected true or false, got {shown(value)}")
        return value

    def weight(self, key: str, value: object) -> float:
        """A number from 0."""
        weight = self.number(key, value)
        if weight < 0:
            raise self.fail(key, f"expected a number from 0, got {weight:g}")
        return weight

    def whole(self, key: str, value: object, largest: int, smallest: int = 1) -> int:
        """A whole number from ``smallest`` to ``largest``."""
        number: int = self.typed(key, value, int)
        if not smallest <= number <= largest:
            raise self.fail(key, f"expected {smallest} to {largest}, got {number}")
        return number

    def granularity(self, key: str, value: object) -> Granularity:
        """``layer``, ``channel`` or ``network``."""
        for per in GRANULARITIES:
            if value == per:
                return per
        hint = nearest(value, GRANULARITIES)
        raise self.fail(key, f"expected 'layer', 'channel' or 'network', got {shown(value)}{hint}")


def _looks_numeric(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[-+]?[\d.]+[eE][-+]?\d+", value) is not None


def short(name: object) -> str:
    """A key for a message; the type of one that is no text, or a long one."""
    return name if isinstance(name, str) and len(name) <= 40 else type(name).__name__


def shown(value: object) -> str:
    """A scalar as it is, cut to 60 characters; the type of anything else."""
    if value is None:
        return "nothing"
    if isinstance(value, str | int | float):
        text = repr(value) if isinstance(value, str) or len(str(value)) <= 60 else type(value).__name__
        return text if len(text) <= 60 else f"{text[:57]}..."
    return _KINDS.get(type(value), type(value).__name__)
