"""A file of arrays that only saves time: what is torn, changed or of another run counts as missing."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from search.errors import FileError
from search.storage.files import read_file, write_atomically

_DIGEST = 32  # bytes before the arrays


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray], run: str) -> None:
    """Write named arrays of numbers or text, with a SHA-256 of them and of the run's id.

    Raises:
        FileError: it cannot be written.
    """
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **dict(arrays))
    data = content.getvalue()
    write_atomically(path, _digest(data, run) + data, sync=False)


def read_arrays(path: Path, run: str) -> dict[str, np.ndarray]:
    """The arrays of a file; none if it is missing or not whole."""
    try:
        content = read_file(path) or b""
    except FileError:
        return {}
    data = content[_DIGEST:]
    if content[:_DIGEST] != _digest(data, run):
        return {}
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as found:
            return {name: found[name] for name in found.files}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return {}


def _digest(data: bytes, run: str) -> bytes:
    return hashlib.sha256(run.encode() + b":" + data).digest()
