"""Text in a file, packed by gzip where its name ends in ``.gz``: a table of some thousand functions is some MB."""

from __future__ import annotations

import gzip
import zlib
from io import BytesIO
from pathlib import Path

from primitives.plain_file import MOST, read_plain
from search.storage.files import write_atomically

SUFFIX = ".gz"


def write_text(path: Path, text: str) -> None:
    """Replace a file in one step; the same text makes the same bytes.

    Raises:
        FileError: it cannot be written.
    """
    content = text.encode()
    write_atomically(path, gzip.compress(content, mtime=0) if path.suffix == SUFFIX else content)


def read_text(path: Path, most: int = MOST) -> str:
    """The text of a UTF-8 file.

    Args:
        path: the file.
        most: bytes of the text; the rest of a longer one is not unpacked.

    Raises:
        OSError: it cannot be read, see :func:`primitives.plain_file.read_plain`, is not packed by gzip, or its text is
            too long; ``strerror`` says which.
        UnicodeDecodeError: it is not UTF-8.
    """
    content = read_plain(path, most)
    return (_unpacked(content, most) if path.suffix == SUFFIX else content).decode()


def _unpacked(content: bytes, most: int) -> bytes:
    try:
        text = gzip.GzipFile(fileobj=BytesIO(content)).read(most + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise OSError(None, f"it is not a whole file of gzip: {error}") from None
    if len(text) > most:
        raise OSError(None, f"it has more than {most} bytes when it is unpacked, which is the limit")
    return text
