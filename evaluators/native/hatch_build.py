"""Hatchling's hook for a wheel that brings the engine's libraries; off by default, see ``docs/engine.md``."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Libraries(BuildHookInterface[Any]):
    """Compiles both libraries, puts them into the wheel and tags it for this platform."""

    def initialize(self, version: str, build_data: Any) -> None:
        """Before the files are collected.

        Raises:
            BuildError: there is no compiler, or it has failed.
            ValueError: there is no engine for this platform.
        """
        if version != "standard":
            return  # an editable installation builds its own
        self._import_without_torch()
        from evaluators.native.build import build
        from evaluators.native.flags import SOURCE, recipe

        self._folder = TemporaryDirectory(prefix="actsearch-")
        for double in (False, True):
            if (made := recipe(SOURCE.read_bytes(), double=double)) is None:
                raise ValueError("the engine is for Linux on x86-64 and aarch64")
            build_data["force_include"][str(build(made, Path(self._folder.name)))] = (
                f"evaluators/native/lib/{made.file}"
            )
        build_data["tag"] = f"py3-none-{sysconfig.get_platform().translate(str.maketrans('-.', '__'))}"
        build_data["pure_python"] = False

    def finalize(self, version: str, build_data: Any, artifact_path: str) -> None:
        """When the wheel is written."""
        if version == "standard":
            self._folder.cleanup()

    def _import_without_torch(self) -> None:
        """The packages by their folders: their own tables of contents need torch, which is not here."""
        for name in ("evaluators", "evaluators.native"):
            package = sys.modules[name] = ModuleType(name)
            package.__path__ = [str(Path(self.root, *name.split(".")))]
