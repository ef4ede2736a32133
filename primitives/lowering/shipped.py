"""The text files that stand beside the targets: what their modules are written from."""

from __future__ import annotations

from importlib.resources import files
from string import Template


def text(name: str) -> str:
    """The content of a file, named as in ``"numpy/module.txt"``."""
    return files("primitives.lowering").joinpath(name).read_text(encoding="utf-8")


def template(name: str) -> Template:
    """The content of a file, with ``$names`` to be filled in."""
    return Template(text(name))
