"""Trends: what a row of the table says of directions, curvature, domain and image, read from short texts.

A direction or a curvature is a list of claims, each on the whole line or on a part of it, the ends included:
``"increasing"``, ``"decreasing to 0, increasing from 0"``, ``"convex from -1 to 1"``. ``"neither"`` claims nothing.
Increasing means that the output never falls. A set of numbers is written as an interval: ``"(0,inf)"``.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache

DIRECTIONS = ("increasing", "decreasing", "neither")
CURVATURES = ("convex", "concave", "affine", "neither")

_CLAIM = re.compile(r"(?P<what>[a-z]+)(?: from (?P<low>\S+))?(?: to (?P<high>\S+))?")
_INTERVAL = re.compile(r"(?P<left>[\[(])(?P<low>[^,]+),(?P<high>[^,]+)(?P<right>[\])])")


@dataclass(frozen=True, slots=True)
class Claim:
    """What holds of an operator where an input is from ``low`` to ``high``."""

    what: str
    low: float = -math.inf
    high: float = math.inf

    def covers(self, low: float, high: float) -> bool:
        """It holds on all of an interval."""
        return self.low <= low and high <= self.high


@dataclass(frozen=True, slots=True)
class Interval:
    """Numbers from ``low`` to ``high``; an end that is open is not among them."""

    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False
    high_open: bool = False


@lru_cache(maxsize=1024)
def claims(text: str, words: tuple[str, ...] = DIRECTIONS) -> tuple[Claim, ...]:
    """The claims of a text; none for "".

    Raises:
        ValueError: the text has another form; the message says which one was expected.
    """
    return tuple([_claim(part.strip(), words) for part in text.split(",")]) if text else ()


def _claim(text: str, words: tuple[str, ...]) -> Claim:
    match = _CLAIM.fullmatch(text)
    if match is None or match["what"] not in words:
        raise ValueError(f"expected {', '.join(words)}, each may have 'from NUMBER' and 'to NUMBER', got {text!r}")
    low, high = _number(match["low"] or "-inf"), _number(match["high"] or "inf")
    if not low < high:
        raise ValueError(f"{text!r}: expected the first number below the second")
    return Claim(match["what"], low, high)


@lru_cache(maxsize=1024)
def interval(text: str) -> Interval:
    """The interval of a text such as ``"[0,inf)"``; the whole line for "".

    Raises:
        ValueError: the text has another form.
    """
    if not text:
        return Interval()
    match = _INTERVAL.fullmatch(text)
    if match is None:
        raise ValueError(f"expected an interval such as '[0,inf)', got {text!r}")
    found = Interval(_number(match["low"]), _number(match["high"]), match["left"] == "(", match["right"] == ")")
    if not found.low < found.high and not (found.low == found.high and "(" not in text and ")" not in text):
        raise ValueError(f"{text!r}: expected the first number below the second")
    return found


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if math.isnan(value):
        raise ValueError(f"expected a number, got {text!r}")
    return value
