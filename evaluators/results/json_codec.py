"""Shared by all codecs: strict JSON, read key by key; the one place where non-finite numbers become null."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np

from evaluators.errors import RecordError
from evaluators.training.member import Array
from primitives.errors import ActsearchError
from primitives.expression.parsing import parse
from primitives.quoting import quoted

T = TypeVar("T")
JsonObject = dict[str, object]  #: as JSON's writer takes it and its reader gives it

DEEPEST = 64  #: objects and lists within one another
_DIGITS = 20  # of a whole number: those of 64 bits
_ID = re.compile(r"(\d{1,9}|known)\.\d{1,9}(-short)?")
_QUOTED = 80  # characters of a value in a message


def parsed_json(text: bytes | str, place: str) -> object:
    """What strict JSON says: UTF-8, numbers that are finite, at most :data:`DEEPEST` levels.

    Args:
        text: of a file, or of a line.
        place: names it in messages.

    Raises:
        RecordError: it is no such JSON.
    """
    try:
        text = text.decode() if isinstance(text, bytes) else text
        value: object = json.loads(text, parse_constant=_no_number, parse_float=_finite_float, parse_int=_short_integer)
    except json.JSONDecodeError as error:
        raise RecordError(f"{place} is no JSON: {error.msg} at character {error.pos}") from None
    except UnicodeDecodeError as error:
        raise RecordError(f"{place} is no JSON: {error.reason} at byte {error.start}") from None
    except ValueError as error:
        raise RecordError(f"{place}: {error}") from None
    except RecursionError:
        raise RecordError(f"{place}: more than {DEEPEST} objects and lists within one another") from None
    if text.count("[") + text.count("{") > DEEPEST and _is_deep(value):
        raise RecordError(f"{place}: more than {DEEPEST} objects and lists within one another")
    return value


def _no_number(text: str) -> float:
    raise ValueError(f"expected finite numbers or null, got {text}")


def _finite_float(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _no_number(text[:_DIGITS])


def _short_integer(text: str) -> int:
    if len(text) > _DIGITS:
        raise ValueError(f"expected whole numbers of at most {_DIGITS} digits, got {text[:_DIGITS]}...")
    return int(text)


def _is_deep(value: object) -> bool:
    level = [value]
    for _ in range(DEEPEST):
        parts = [each.values() if isinstance(each, dict) else each for each in level if isinstance(each, dict | list)]
        level = [each for part in parts for each in part]
    return any(isinstance(each, dict | list) for each in level)


def finite(value: float) -> float | None:
    """A number for JSON: null where it is not finite."""
    return value if math.isfinite(value) else None


def all_finite(values: Iterable[float]) -> list[float | None]:
    """Numbers for JSON, null where one is not finite."""
    return [finite(value) for value in values]


def table_to_json(table: Array) -> list[list[float | None]]:
    """A matrix for JSON, null where a number is not finite."""
    return [all_finite(row) for row in table.tolist()]


class Fields:
    """An object of a JSON file.

    Args:
        value: as JSON's reader gives it.
        place: the file, and the keys that lead to this object, for messages.

    Raises:
        RecordError: it is no object, or, from the methods, a key is missing or has another kind of value.
    """

    def __init__(self, value: object, place: str) -> None:
        if not isinstance(value, dict):
            raise RecordError(f"{place}: expected an object, got {_kind(value)}")
        self.values: JsonObject = value
        self.place = place

    def __contains__(self, key: str) -> bool:
        return self.values.get(key) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self.values)

    def refusal(self, key: str, expected: str) -> RecordError:
        """What is raised where a key has no value of the expected kind."""
        if key not in self.values:
            return RecordError(f"{self.place}: {quoted(key)} is missing; expected {expected}")
        return RecordError(f"{self.place}: {quoted(key)}: expected {expected}, got {_kind(self.values[key])}")

    def text(self, key: str) -> str:
        """A string."""
        return self._of(key, str, "a string")

    def expression(self, key: str) -> str:
        """The text of an expression."""
        text = self.text(key)
        try:
            parse(text)
        except ActsearchError as error:
            raise RecordError(f"{self.place}: {key!r}: {error}") from None
        return text

    def id(self, key: str) -> str:
        """The id of a candidate, of a known function, or of a short form."""
        text = self.text(key)
        if not _ID.fullmatch(text):
            raise self.refusal(key, "an id such as 12.7, known.3 or 12.7-short")
        return text

    def flag(self, key: str) -> bool:
        """True or false."""
        return self._of(key, bool, "true or false")

    def integer(self, key: str) -> int:
        """A whole number."""
        if isinstance(self.values.get(key), bool):
            raise self.refusal(key, "a whole number")
        return self._of(key, int, "a whole number")

    def number(self, key: str) -> float:
        """A number, NaN for null."""
        return self._number(key, self._value(key, "a number or null"), math.nan)

    def number_or_none(self, key: str) -> float | None:
        """A number; None where the key is null or missing: there is nothing that the number could be of."""
        return self.number(key) if key in self else None

    def numbers(self, key: str, absent: float = math.nan) -> tuple[float, ...]:
        """A list of numbers, with ``absent`` for null."""
        return tuple(self._number(key, value, absent) for value in self._list(key))

    def numbers_or_none(self, key: str) -> tuple[float | None, ...]:
        """A list of numbers, with None for null."""
        return tuple(None if value is None else self._number(key, value, math.nan) for value in self._list(key))

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of strings."""
        texts = self._list(key)
        if not all(isinstance(value, str) for value in texts):
            raise self.refusal(key, "a list of strings")
        return tuple(map(str, texts))

    def table(self, key: str) -> Array:
        """A matrix of numbers, NaN for null."""
        try:
            table = np.array(self._list(key), dtype=np.float64)
        except (TypeError, ValueError):
            raise self.refusal(key, "rows of numbers, all of one length") from None
        if table.ndim != 2:
            raise self.refusal(key, "rows of numbers, all of one length")
        return table

    def rows(self, key: str) -> Sequence[object]:
        """A list of whatever; its entries are read as values of an object of their own."""
        return self._list(key)

    def section(self, key: str) -> Fields:
        """An object."""
        return Fields(self._value(key, "an object"), f"{self.place}: {key}")

    def sections(self, key: str) -> list[Fields]:
        """A list of objects."""
        return [Fields(value, f"{self.place}: {key}[{n}]") for n, value in enumerate(self._list(key))]

    def numbers_by_name(self, key: str) -> dict[str, float]:
        """An object of numbers, NaN for null."""
        section = self.section(key)
        return {name: section.number(name) for name in section}

    def integers_by_name(self, key: str) -> dict[str, int]:
        """An object of whole numbers."""
        section = self.section(key)
        return {name: section.integer(name) for name in section}

    def coded(self, key: str, known: Mapping[str, T]) -> T:
        """What a string stands for."""
        return decoded(self.text(key), known, f"{self.place}: {quoted(key)}")

    def reason(self, key: str, known: Mapping[str, T]) -> T | None:
        """What a reason's code stands for, None for ""."""
        return self.coded(key, known) if self.text(key) else None

    def counts(self, key: str, known: Mapping[str, T]) -> dict[T, int]:
        """An object of whole numbers by what their names stand for."""
        section = self.section(key)
        return {decoded(name, known, section.place): section.integer(name) for name in section}

    def _of(self, key: str, kind: type[T], expected: str) -> T:
        value = self._value(key, expected)
        if not isinstance(value, kind):
            raise self.refusal(key, expected)
        return value

    def _value(self, key: str, expected: str) -> object:
        if key not in self.values:
            raise self.refusal(key, expected)
        return self.values[key]

    def _list(self, key: str) -> Sequence[object]:
        return self._of(key, list, "a list")

    def _number(self, key: str, value: object, absent: float) -> float:
        if value is None:
            return absent
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.refusal(key, "numbers or null")
        return float(value)


def decoded(code: str, known: Mapping[str, T], place: str) -> T:
    """What a code stands for.

    Raises:
        RecordError: it is none of those that are known.
    """
    if code not in known:
        raise RecordError(f"{place}: unknown code {quoted(code)}; available: {', '.join(known)}")
    return known[code]


def _kind(value: object) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int | float | str):
        return repr(value)[:_QUOTED]
    return "an object" if isinstance(value, dict) else "a list"
