"""Source text of Python's standard library, byte by byte."""

from __future__ import annotations

import hashlib
import math
import sysconfig
from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn

from evaluators.errors import TaskError
from evaluators.networks import Transformer
from evaluators.tasks.base import Part
from evaluators.tasks.place import Place
from evaluators.tasks.shipped.sized import SizedTask

CONTEXT = 16  # bytes that an example shows; the last one's successor is asked for too
ASCII = 128  # tokens; no file has another byte

#: Files of the standard library by part, with the SHA-256 of their bytes; equal in CPython 3.11.2, 3.11.7, 3.12.1 and
#: 3.13.0.
FILES = {
    "search": {
        "pyclbr.py": "e8ca09333701ba41244e20b8c2c37b7ed0499b88c4b2ca82cac51ef89ca9e647",
        "stringprep.py": "60b6c83581093029312efb6670b11c540090b3f78bcf72264467b494f02f21a5",
        "tracemalloc.py": "c2cc84a05b824df79840c98729a0e94ef8909b11c528a1b2c5a00aa436b97b25",
        "xml/dom/pulldom.py": "614b88673d496a360e6b10efe8d733c7c0826fb214470ff12f24a1e597699870",
        "xml/etree/ElementPath.py": "ae8a80a8b51567b4f0965481682705e70c73dd6bfa145283f630d6833f1b4975",
        "xml/sax/handler.py": "64c7aae49f1dd382a7b9012610307bfa1d43a14a5dc09a5c8da30903f6805c3d",
    },
    "confirmation": {
        "email/_encoded_words.py": "4178321600c0a19ca04cfe8542ce44487f339d15d89a473b58cea63c0b230217",
        "email/contentmanager.py": "2d81026aef17e4786b15d9ec0629304987e3f275a0fd0a421a81b4ed87234b2c",
        "email/headerregistry.py": "fada56c25b6a457c6a62af43f9f929bbc29424103ce65f40f114adb4fdf3d39f",
        "email/quoprimime.py": "77b454bd3ba3b5e3776be28ae3a0fd8de5d1e50d5b8ee10dd539c37c2bd68082",
        "multiprocessing/reduction.py": "4999f8b9ae7b3e8a7f5de302612b4131498dc2e238a2c47f894905c1c63294fe",
        "xml/sax/saxutils.py": "3fe2cdb6386e0c4d42d37c657bbecb78b69c57aedb1610dbd8bf4043944130ab",
    },
}


class SourceText(SizedTask):
    """The next byte of some files of CPython's standard library, by a small transformer; the parts share no file."""

    title, usual = "bytes-lm", (1, 32)
    chance = math.log(ASCII)
    batch_size = 32
    learning_rates = (3e-3, 1e-2, 3e-2)
    steps = 100

    def network(self) -> nn.Module:
        return Transformer(self.width, self.depth, heads=2, context=CONTEXT, vocabulary=ASCII)

    def data(self, part: Part) -> tuple[Tensor, Tensor]:
        return _windows(part)


class GatedSourceText(SourceText):
    """The text of ``bytes-lm`` with gates in the transformer's layers: a candidate is f(x, z), as ``silu(x)*z``."""

    title = "bytes-lm-gated"
    replaced = (Place(nn.ReLU, kind="gate"),)

    def network(self) -> nn.Module:
        return Transformer(self.width, self.depth, heads=2, context=CONTEXT, vocabulary=ASCII, gated=True)


@cache
def _windows(part: Part) -> tuple[Tensor, Tensor]:
    """The first 16 bytes of each window and the last 16; what the search has is left out of the confirmation."""
    windows = _cut("search") if part == "search" else _cut("confirmation") - _cut("search")
    tokens = torch.tensor([list(window) for window in sorted(windows)], device="cpu")
    return tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()


def _cut(part: Part) -> set[bytes]:
    """Windows of 17 bytes that do not overlap."""
    folder = Path(sysconfig.get_path("stdlib"))
    text = b"".join(pinned_bytes(folder, name, expected) for name, expected in FILES[part].items())
    size = CONTEXT + 1
    return {text[start : start + size] for start in range(0, len(text) - CONTEXT, size)}


def pinned_bytes(folder: Path, name: str, expected: str) -> bytes:
    """The bytes of a file.

    Raises:
        TaskError: it is missing, or its SHA-256 is another than expected.
    """
    path = folder / name
    try:
        content = path.read_bytes()
    except OSError as error:
        raise TaskError(f"task 'bytes-lm' needs {path} of the standard library's source: {error.strerror}") from None
    digest = hashlib.sha256(content).hexdigest()
    if digest != expected:
        raise TaskError(
            f"task 'bytes-lm': {path} is not the text that the task is made of: expected SHA-256 {expected}, as in "
            f"CPython 3.11.2 to 3.13.0, got {digest}; use one of these, or another task"
        )
    return content
