"""Reading a file that somebody named: a plain one, of bounded size, and at once."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

MOST = 64 << 20  #: bytes; a journal of a million classes is larger, and is read line by line
_KINDS = {stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}


def read_plain(path: str | Path, most: int = MOST) -> bytes:
    """The bytes of a file.

    What is no plain file is refused at once: a named pipe or a terminal would wait for a writer, a device may have no
    end.

    Args:
        path: the file.
        most: bytes; a larger file is refused.

    Raises:
        OSError: it cannot be read, is no plain file, or is too large; ``strerror`` says which.
    """
    name = os.fspath(path)
    if "\0" in name:
        raise OSError(errno.EINVAL, "the path holds a NUL character", name)
    descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
        if not stat.S_ISREG(found.st_mode):
            kind = _KINDS.get(stat.S_IFMT(found.st_mode), "no file")
            raise OSError(errno.EINVAL, f"it is {kind}; expected a plain file", name)
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"it has more than {most} bytes, which is the limit", name)
    return content


def read_text(path: str | Path, most: int = MOST) -> str:
    """The text of a UTF-8 file; see :func:`read_plain`.

    Raises:
        OSError: see there.
        UnicodeDecodeError: it is not UTF-8.
    """
    return read_plain(path, most).decode("utf-8")
