"""A user's own task: a class in a Python file, named as ``path/to/my_task.py:MyTask``.

The file is run, with the rights of the user who names it. A reference is pinned by making the path absolute and by
adding the beginning of the SHA-256 of the file: ``/home/me/my_task.py:MyTask@0123456789ab``. Then workers find the
file, and a run that is resumed cannot go on with another one.
"""

from __future__ import annotations

import hashlib
import importlib.abc
import importlib.util
import re
import sys
import traceback
from pathlib import Path
from types import ModuleType

from evaluators.errors import TaskError
from evaluators.tasks.base import Task
from primitives.errors import nearest

_REFERENCE = re.compile(r"(?P<path>.+\.py):(?P<kind>[^:@/\\]*)(?:@(?P<digest>[0-9a-f]{12}))?", re.DOTALL)


def is_reference(name: str) -> bool:
    """True for a text that names a Python file rather than a shipped task."""
    return ".py" in name


def parts_of(reference: str) -> tuple[str, str, str]:
    """Path, class and pin, which may be "".

    Raises:
        TaskError: the text has another form.
    """
    match = _REFERENCE.fullmatch(reference)
    if match is None or not match["kind"]:
        raise TaskError(f"task {reference!r}: expected a file and a class in it, as in path/to/my_task.py:MyTask")
    return match["path"], match["kind"], match["digest"] or ""


def pinned(reference: str) -> str:
    """The reference with an absolute path and its pin, which is checked if there is one already.

    Raises:
        TaskError: there is no such file, or it is not the one that was pinned.
    """
    path, kind, _ = parts_of(reference)
    return f"{Path(path).resolve()}:{kind}@{_digest(_content(reference))}"


def load(reference: str) -> Task:
    """A task of a class in a file.

    The class is made without arguments. A task without a name gets the class's.

    Raises:
        TaskError: there is no such file or class, the file is not the one that was pinned, the class is no task, or
            file or class fail; the message names the file and the line.
    """
    path, kind, _ = parts_of(reference)
    module = _module(Path(path).resolve(), _content(reference))
    classes = {name: each for name, each in vars(module).items() if isinstance(each, type)}
    if kind not in classes:
        named = [
            name for name, each in classes.items() if issubclass(each, Task) and each.__module__ == module.__name__
        ]
        raise TaskError(f"{path} has no class {kind!r}{nearest(kind, named)}; available: {', '.join(named) or 'none'}")
    if not issubclass(classes[kind], Task):
        raise TaskError(f"{path}: {kind} is no task: it must be a subclass of evaluators.Task")
    try:
        made: Task = classes[kind]()
    except Exception as error:
        raise TaskError(f"task {kind} cannot be made: {blame(error, module)}") from error
    made.name = made.name or kind
    return made


def blame(error: BaseException, module: ModuleType | None) -> str:
    """An error in one line: the last line of the module that it came through, its type and its text."""
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, SyntaxError):
        return f"{error.filename}, line {error.lineno}: {type(error).__name__}: {error.msg}"
    file = module.__file__ if module else None
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return f"{file}, line {lines[-1]}: {text}" if lines else text


def _content(reference: str) -> bytes:
    """The file's bytes, checked against the pin."""
    path, _, expected = parts_of(reference)
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        near = nearest(Path(path).name, (other.name for other in Path(path).parent.glob("*.py") if other.is_file()))
        raise TaskError(f"task {reference!r}: cannot read {path}: {error.strerror}{near}") from None
    if expected and _digest(content) != expected:
        raise TaskError(
            f"{path} was changed: expected a SHA-256 that begins with {expected}, got {_digest(content)}; "
            "put the old file back, or launch a new run with this one"
        )
    return content


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


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
    name = f"actsearch_task_{_digest(str(path).encode() + content)}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path, loader=_Source(path, content))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look themselves up there
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))  # for what lies beside it, and last, so that it hides nothing
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if not isinstance(error, Exception):
            raise
        raise TaskError(f"task file {path} fails: {blame(error, module)}") from error
    return module
