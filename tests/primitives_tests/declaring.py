"""Shared by the tests of grammars: one made of a text, and random numbers by a seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from primitives.grammars import Grammar, grammar


def loaded(tmp_path: Path, text: str) -> Grammar:
    """The grammar that a file with this text declares."""
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return grammar(path)


def rng(seed: int = 0) -> np.random.Generator:
    """Equal numbers for equal seeds."""
    return np.random.Generator(np.random.PCG64(seed))
