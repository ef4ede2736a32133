"""The engine's libraries, loaded once in a process: found in the package or the cache, else built."""

from __future__ import annotations

import ctypes
import os
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from evaluators.errors import EvaluationError
from evaluators.native.build import BuildError, build, whole
from evaluators.native.flags import SOURCE, Recipe, platform_tag, recipe
from evaluators.native.folders import SHIPPED, cache_folder
from evaluators.native.processor import NEEDED, lacking
from primitives.errors import nearest
from primitives.quoting import quoted

#: Variable of the environment that turns the engine off.
VARIABLE, OFF = "ACTSEARCH_ENGINE", "torch"
LOST = "cohorts are trained by torch alone, networks of dense layers several times slower"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A library of this process.

    Attributes:
        library: its functions.
        key: of what it was made of.
        file: where it was found or put; one in a temporary folder is gone.
        seconds: that it took to build now; None if it was found.
        unused: why it is not in the cache folder, or "".
    """

    library: ctypes.CDLL
    key: str
    file: Path
    seconds: float | None = None
    unused: str = ""


class NoEngineError(Exception):
    """There is no engine here; the text is why."""


def library(double: bool = False) -> ctypes.CDLL | None:
    """The engine in float64 or float32; both or none are there.

    Raises:
        EvaluationError: the variable ACTSEARCH_ENGINE has another value than ``torch``.
    """
    found = engine()
    return None if isinstance(found, str) else found[double].library


def why_none() -> str:
    """Why there is no engine, and what is lost, in one line; "" where there is one.

    Raises:
        EvaluationError: as :func:`library`.
    """
    found = engine()
    return f"no native engine: {found}; {LOST}" if isinstance(found, str) else ""


def why_anew() -> str:
    """Why each process builds the engine for itself, in one line; "" where it is kept, or there is none."""
    found = engine()
    unused = "" if isinstance(found, str) else found[0].unused
    return f"each process builds the native engine anew, which takes it seconds: {unused}" if unused else ""


@cache
def engine() -> tuple[Loaded, Loaded] | str:
    """The libraries in float32 and float64, or why there are none.

    Raises:
        EvaluationError: as :func:`library`.
    """
    if _turned_off():
        return f"{VARIABLE}={OFF} turns it off"
    try:
        single, double = (load(each, SHIPPED) for each in recipes(SOURCE))
    except NoEngineError as error:
        return str(error)
    return single, double


def recipes(source: Path) -> tuple[Recipe, Recipe]:
    """How a source is compiled here, in float32 and float64.

    Raises:
        NoEngineError: it cannot run here, or the source is missing.
    """
    try:
        text = source.read_bytes()
    except OSError as error:
        raise NoEngineError(f"its source cannot be read: {error}") from None
    single, double = recipe(text, double=False), recipe(text, double=True)
    if single is None or double is None:
        raise NoEngineError(f"it is for Linux on x86-64 and aarch64, and this is {platform_tag()}")
    if names := lacking():
        raise NoEngineError(f"it needs a processor of level {NEEDED}, and this one lacks {', '.join(names)}")
    return single, double


def load(recipe: Recipe, shipped: Path) -> Loaded:
    """A library, from where a wheel has put it, from the cache folder, or built into that.

    Where the cache folder cannot be used, it is built into a temporary one, which is deleted once it is loaded.

    Raises:
        NoEngineError: it cannot be built or loaded.
    """
    try:
        return _found(recipe, shipped) or _cached(recipe)
    except BuildError as error:
        raise NoEngineError(str(error)) from None


def _cached(recipe: Recipe) -> Loaded:
    try:
        folder = cache_folder()
        return _found(recipe, folder) or _built(recipe, folder)
    except (OSError, BuildError) as error:  # of others, not writable, full, or nothing that lies there may be run
        unused = str(error)
    try:
        with TemporaryDirectory(prefix="actsearch-") as folder_name:
            return _built(recipe, Path(folder_name), unused)
    except OSError as error:
        raise NoEngineError(f"it has no place: {unused}; {error}") from None


def _found(recipe: Recipe, folder: Path) -> Loaded | None:
    """What lies in a folder; None where it is not whole, or was made for a newer library of C than this one."""
    file = folder / recipe.file
    if not whole(file, recipe):
        return None
    try:
        return Loaded(ctypes.CDLL(str(file)), recipe.key, file)
    except OSError:
        return None


def _built(recipe: Recipe, folder: Path, unused: str = "") -> Loaded:
    started = time.perf_counter()
    file = build(recipe, folder)
    seconds = time.perf_counter() - started
    return Loaded(ctypes.CDLL(str(file)), recipe.key, file, seconds, unused)


def _turned_off() -> bool:
    value = os.environ.get(VARIABLE, "")
    if value not in ("", OFF):
        raise EvaluationError(
            f"{VARIABLE}={quoted(value)}: expected {OFF!r}, which turns the engine off, or nothing"
            f"{nearest(value, (OFF,))}"
        )
    return value == OFF
