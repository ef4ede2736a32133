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
    home = _home()
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = home / "actsearch"
    folder.mkdir(mode=0o700, exist_ok=True)
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
    """Only the user and root may write there.

    Folders above may be sticky, as /tmp is: others may not rename what lies in it. And they may be writable by the
    group that the user is alone in, as folders are where the umask is 002.
    """
    found = path.stat()
    if found.st_uid not in (0, os.geteuid()):
        raise OSError(f"{path} belongs to another user")
    writable = found.st_mode & 0o022
    if not inner and (found.st_mode & stat.S_ISVTX or (writable == 0o020 and _alone_in(found.st_gid))):
        return
    if writable:
        raise OSError(f"{path} is writable by others")


def _alone_in(group: int) -> bool:
    """True for a group that was made for the user: of the same name, and without other members."""
    import grp  # not on Windows, where this module is imported, too
    import pwd

    try:
        user, found = pwd.getpwuid(os.geteuid()), grp.getgrgid(group)
    except KeyError:
        return False
    return user.pw_gid == group and found.gr_name == user.pw_name and {*found.gr_mem} <= {user.pw_name}
