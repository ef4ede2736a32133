"""Where a file of a user's hides one of Python's own modules: whatever fails of that is put down to the file."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from types import TracebackType


def hidden() -> Iterator[tuple[str, str]]:
    """Python's own modules of which others were imported, and the files of those."""
    own = os.path.dirname(os.__file__)
    for name in sorted(sys.stdlib_module_names & sys.modules.keys()):
        file = getattr(sys.modules[name], "__file__", None)
        if file and not file.startswith(own) and "site-packages" not in file:  # setuptools replaces distutils
            yield name, file


def tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """For ``sys.excepthook``: name such files instead of what came of them."""
    lines = [
        f"actsearch: {file} hides Python's own module {name}: rename it, or take its folder from PYTHONPATH"
        for name, file in hidden()
    ]
    if lines:
        print(*lines, sep="\n", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)
