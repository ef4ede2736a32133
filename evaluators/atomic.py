"""Atomic writing: a file has its old or its new content, never a part."""

from __future__ import annotations

import os
from pathlib import Path


def replace_file(path: Path, data: bytes, temporary: Path, *, sync: bool = True) -> None:
    """Replace a file in one step; after a crash it has the old or the new content.

    Args:
        path: the file.
        data: its content.
        sync: wait until it is on the disk; without it, after a loss of power it may be empty.
        temporary: in the same folder; it does not stay, where it would take the room that is left on a full disk.

    Raises:
        OSError: it cannot be written.
    """
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            if sync:
                os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
