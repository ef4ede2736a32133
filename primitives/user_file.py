"""What a user brings along: a name in a Python file, ``path/to/file.py:Name``; a class, or an object.

The file is run, with the rights of the user who names it, and says so before. A reference is pinned by making the path
absolute and by adding the beginning of the SHA-256 of the file: ``/home/me/file.py:Name@0123456789ab``. Then workers
find the file, and a run that is resumed cannot go on with another one.

A run folder may be a stranger's. Where it is only looked at, :func:`running_none` keeps its files from being run.
"""

from __future__ import annotations

import hashlib
import importlib.abc
import importlib.util
import logging
import os
import re
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Generic, TypeGuard, TypeVar

from primitives.errors import ActsearchError, EndsProcessError, UserFileError, nearest
from primitives.plain_file import read_plain
from primitives.quoting import quoted, visible

T = TypeVar("T")

CONSENT = "look at it, then say --trust"  #: the way out where a file of a run folder is not run unasked

_REFERENCE = re.compile(r"(?P<path>.+\.py):(?P<name>[^:@/\\]*)(?:@(?P<digest>[0-9a-f]{12}))?", re.DOTALL)
_LOGGER = logging.getLogger("actsearch")  # without a handler of the program's it prints to stderr
_WITHHELD: ContextVar[set[str] | None] = ContextVar("withheld", default=None)  # None: files are run


class FileNotRun(UserFileError):
    """A file would have to be run, where none is."""


@contextmanager
def running_none(paths: set[str]) -> Iterator[None]:
    """Here :func:`load` gives what was run before in this process, and runs nothing.

    Args:
        paths: gets the files that would have been run.
    """
    token = _WITHHELD.set(paths)
    try:
        yield
    finally:
        _WITHHELD.reset(token)


def withheld() -> bool:
    """True in :func:`running_none` once a file would have been run: what it brings is unknown."""
    return bool(_WITHHELD.get())


@dataclass(frozen=True, slots=True)
class Wanted(Generic[T]):
    """What a reference must name.

    Args:
        noun: what it is called, such as ``"task"``.
        expected: what it must be, such as ``"a subclass of evaluators.Task"``.
        fits: tells whether it is one.
    """

    noun: str
    expected: str
    fits: Callable[[object], TypeGuard[T]]


def is_reference(name: str) -> bool:
    """True for a text that names a Python file rather than what the package has under a name."""
    return ".py" in name


def parts_of(reference: str) -> tuple[str, str, str]:
    """Path, name in the file, and pin, which may be "".

    Raises:
        UserFileError: the text has another form.
    """
    match = _REFERENCE.fullmatch(reference)
    if match is None or not match["name"] or visible(reference) != reference:
        raise UserFileError(f"{quoted(reference)}: expected a file and a name in it, as in path/to/file.py:Name")
    return match["path"], match["name"], match["digest"] or ""


def names_file(text: str) -> bool:
    """True for a text that :func:`load` could take."""
    return _REFERENCE.fullmatch(text) is not None


def label(name: str) -> str:
    """What a name is called in tables: itself; of a reference the file's name and the name in it."""
    if not is_reference(name):
        return name
    path, own, _ = parts_of(name)
    return f"{Path(path).name}:{own}"


def pinned(name: str) -> str:
    """A reference with an absolute path and its pin, which is checked if there is one already; another name as it is.

    Raises:
        UserFileError: there is no such file, or it is not the one that was pinned.
    """
    if not is_reference(name):
        return name
    path, own, _ = parts_of(name)
    content = _content(name)  # first, as it says what is wrong with a path
    return f"{Path(path).resolve()}:{own}@{_digest(content)}"


def was_run(reference: str) -> bool:
    """True if this process has run the file as it is now, and as it is pinned."""
    try:
        content = _content(reference)
        return _name(Path(parts_of(reference)[0]).resolve(), content) in sys.modules
    except UserFileError:
        return False


def load(reference: str, wanted: Wanted[T]) -> T:
    """What a reference names; the same object as long as neither path nor content change.

    Raises:
        UserFileError: there is no such file or name, the file is not the one that was pinned, what it has under the
            name is of another kind, or the file fails; the message names the file and the line.
        FileNotRun: the file would have to be run, in :func:`running_none`.
    """
    path, name, _ = parts_of(reference)
    if (paths := _WITHHELD.get()) is not None and not was_run(reference):
        paths.add(path)
        raise FileNotRun(f"the run names the file {path}, which is not run to look at a run; {CONSENT}")
    content = _content(reference)
    module = _module(Path(path).resolve(), content)
    if name not in vars(module):
        own = [key for key, value in vars(module).items() if wanted.fits(value) and _defined_in(value, module)]
        raise UserFileError(
            f"{path} has no {wanted.noun} {quoted(name)}{nearest(name, own)}; available: {', '.join(own) or 'none'}"
        )
    found: object = vars(module)[name]
    if not wanted.fits(found):
        got = f"the class {found.__name__}" if isinstance(found, type) else f"an object of type {type(found).__name__}"
        raise UserFileError(f"{path}: {name} is no {wanted.noun}: expected {wanted.expected}, got {got}")
    return found


def made(reference: str, noun: str, make: Callable[[], T]) -> T:
    """What a call into a user's file returns.

    Raises:
        UserFileError: it fails; the message names the file and the line.
    """
    path, name, _ = parts_of(reference)
    try:
        with contained():
            return make()
    except ActsearchError:
        raise
    except Exception as error:
        raise UserFileError(f"{noun} {name} fails: {blame(error, str(Path(path).resolve()))}") from error


@contextmanager
def contained() -> Iterator[None]:
    """Run a user's code, which must not end the process by ``sys.exit()`` or a KeyboardInterrupt of its own.

    Raises:
        EndsProcessError: it tries; the message names the file and the line.
        KeyboardInterrupt: of a signal.
    """
    try:
        yield
    except (SystemExit, KeyboardInterrupt) as end:
        if isinstance(end, KeyboardInterrupt) and _of_a_signal(end):
            raise
        at = traceback.extract_tb(end.__traceback__)[-1]
        text = f"{type(end).__name__}: {end}".removesuffix(": ")
        error = EndsProcessError(f"{at.filename}, line {at.lineno}: {text}: a file of yours must not end the process")
        raise error.with_traceback(end.__traceback__) from None


def _of_a_signal(end: KeyboardInterrupt) -> bool:
    """True where a handler of this project has raised it, or may Python's own, which does so wherever it was heard."""
    frame = [frame for frame, _ in traceback.walk_tb(end.__traceback__)][-1]
    ours = str(frame.f_globals.get("__name__")).partition(".")[0] in ("search", "evaluators", "primitives")
    main = threading.current_thread() is threading.main_thread()
    return ours or (main and signal.getsignal(signal.SIGINT) is signal.default_int_handler)


def blame(error: BaseException, file: str | None) -> str:
    """An error in one line: the last line of the file that it came through, its type and its text."""
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, SyntaxError):
        return f"{error.filename}, line {error.lineno}: {type(error).__name__}: {error.msg}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return f"{file}, line {lines[-1]}: {text}" if lines else text


def blame_on(error: BaseException, culprit: object) -> str:
    """:func:`blame` on the file of an object's class."""
    return blame(error, getattr(sys.modules.get(type(culprit).__module__), "__file__", None))


def _defined_in(value: object, module: ModuleType) -> bool:
    """False for a class that the file imports."""
    return not isinstance(value, type) or value.__module__ == module.__name__


def _content(reference: str) -> bytes:
    """The file's bytes, checked against the pin."""
    path, _, expected = parts_of(reference)
    try:
        content = read_plain(path)
    except OSError as error:
        folder, own = os.path.split(path)
        names = os.listdir(folder or ".") if os.path.isdir(folder or ".") else []
        near = nearest(own, (each for each in names if each.endswith(".py")))
        raise UserFileError(f"{quoted(reference)}: cannot read {path}: {error.strerror}{near}") from None
    if expected and _digest(content) != expected:
        raise UserFileError(
            f"{path} was changed: expected a SHA-256 that begins with {expected}, got {_digest(content)}; "
            "put the old file back, or launch a new run with this one"
        )
    return content


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


def _name(path: Path, content: bytes) -> str:
    """What a file is called among Python's modules."""
    return f"actsearch_file_{_digest(str(path).encode() + content)}"


class _Source(importlib.abc.SourceLoader):
    """Loads the bytes that were hashed; neither reads nor writes compiled files, which are told apart by time."""

    def __init__(self, path: Path, content: bytes) -> None:
        self.path, self.content = path, content

    def get_filename(self, fullname: str) -> str:
        return str(self.path)

    def get_data(self, path: str) -> bytes:
        return self.content


def _module(path: Path, content: bytes) -> ModuleType:
    """The file as a module, run once in a process as long as neither path nor content change."""
    name = _name(path, content)
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path, loader=_Source(path, content))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look themselves up there
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))  # for what lies beside it, and last, so that it hides nothing
    _LOGGER.warning("the file %s is run, because the config or the command names it", visible(str(path)))
    try:
        with contained():
            spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, EndsProcessError) or not isinstance(error, Exception):
            raise
        raise UserFileError(f"{path} fails: {blame(error, str(path))}") from error
    return module
