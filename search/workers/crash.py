"""Where a worker crashed, as by a call of C that aborts: what Python's faulthandler wrote of it before the end."""

from __future__ import annotations

import faulthandler
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from primitives.user_file import is_reference, label, parts_of

_LINE = re.compile(r'^  File "(?P<file>.*)", line (?P<line>\d+) in ', re.MULTILINE)


def written_to(path: str) -> TextIO:
    """From here on the lines in which this process is at a crash go to a file, to be kept open."""
    file = Path(path).open("w")  # noqa: SIM115
    faulthandler.enable(file, all_threads=False)
    return file


def crash_in(path: str | None, names: Iterable[str]) -> str:
    """File, line and kind of a crash; where none was written, what was running.

    Args:
        path: of what was written.
        names: of the tasks; the innermost line in the folder of a user's file is the one to name.
    """
    text, names = "", list(names)
    if path is not None:
        with suppress(OSError):
            text = Path(path).read_text(errors="replace")
    lines = [(match["file"], match["line"]) for match in _LINE.finditer(text)]
    if not lines:
        return f"the worker died in training on {', '.join(map(label, names))}"
    folders = {Path(parts_of(name)[0]).parent for name in names if is_reference(name)}
    file, line = next((each for each in lines if not folders.isdisjoint(Path(each[0]).parents)), lines[0])
    return f"{file}, line {line}: {text.partition(chr(10))[0]}"
