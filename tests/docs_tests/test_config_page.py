"""docs/config.md: it has every key of a config, with its default."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import yaml

from search.config import Config

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "config.md").read_text()


def test_every_key_is_there_with_its_default() -> None:
    block = re.search(r"(?:^(?: {4}.*)?\n)*^ {4}.*\n", PAGE, re.MULTILINE)
    assert block
    shown = yaml.safe_load(textwrap.dedent(block[0]))
    assert shown == Config.model_validate({"budget": shown["budget"]}).model_dump(mode="json")
    keys = [line for line in block[0].splitlines() if line.strip() and not line.rstrip().endswith(":")]
    assert all("#" in line for line in keys)  # each is explained
