"""Generated modules, imported from files."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType


def loaded(source: str, path: Path) -> ModuleType:
    """Write the source to a file and import it, without an entry in ``sys.modules``."""
    path.write_text(source, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
