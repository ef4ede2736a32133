"""Which versions of packages are installed; a file of its own, since ``--version`` must not wait for torch."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def installed(package: str) -> str:
    """The version of a package; a job also runs from a folder of sources, and in one process without Ray."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
