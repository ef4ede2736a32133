"""What is named as a file and is none is refused at once, with the reason."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from primitives.plain_file import read_plain, read_text


def test_a_plain_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("ä", encoding="utf-8")
    assert read_text(path) == "ä" and read_plain(path, most=2) == b"\xc3\xa4"


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    """A pipe without a writer would wait for ever; /dev/zero has no end."""
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(tmp_path / "socket"))
        wrong: dict[str | Path, str] = {
            tmp_path / "pipe": "a named pipe",
            "/dev/zero": "a device",
            tmp_path: "Is a directory",
        }
        for path, why in wrong.items():
            with pytest.raises(OSError, match=why):
                read_plain(path)
        for path in (tmp_path / "socket", tmp_path / "none", "a\0b", tmp_path / ("x" * 300)):
            with pytest.raises(OSError) as caught:
                read_plain(path)
            assert caught.value.strerror


def test_a_large_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"123")
    with pytest.raises(OSError, match="more than 2 bytes"):
        read_plain(path, most=2)
