"""Where libraries lie: in the package, where a wheel has brought them, else in a private cache folder of the user."""

from __future__ import annotations

import os
import stat
from pathlib import Path

#: Of a wheel that brings the libraries.
SHIPPED = Path(__file__).parent / "lib"


def cache_folder() -> Path:
    """The private folder for what was built, ``$XDG_CACHE_HOME/actsearch`` or ``~/.cache/actsearch``; it is made.

    Raises:
        OSError: it cannot be made, or others could put a library into it; the text names the folder.
    """
    folder = _home() / "actsearch"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    real = folder.resolve()
    for path in dict.fromkeys((folder, *folder.parents, real, *real.parents)):
        _check(path, inner=path in (folder, real))
    return folder


def _home() -> Path:
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if named.is_absolute():  # any other is to be ignored, by the specification
        return named
    try:
        return Path.home() / ".cache"
    except RuntimeError as error:
        raise OSError(str(error)) from None


def _check(path: Path, *, inner: bool) -> None:
    """Only the user and root may write there. In a sticky folder, as /tmp is, others may not rename what lies in it."""
    found = path.stat()
    if found.st_uid not in (0, os.geteuid()):
        raise OSError(f"{path} belongs to another user")
    if found.st_mode & 0o022 and (inner or not found.st_mode & stat.S_ISVTX):
        raise OSError(f"{path} is writable by others")
