"""What a run notes of its machine."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError

import pytest

import search.records.packages
from evaluators.training.chains.identity import digest
from search.records.environment import differences, environment


def test_a_package_that_is_not_installed_is_named_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job with ``workers: 0`` runs from the sources alone, on a machine without Ray."""

    def version(name: str) -> str:
        if name in {"actsearch", "ray"}:
            raise PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(search.records.packages, "version", version)
    packages = environment()["packages"]
    assert isinstance(packages, dict)
    assert packages["ray"] == packages["actsearch"] == "not installed"
    assert packages["numpy"] == "1.0"


def test_another_engine_is_another_kind_of_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    old = environment()
    assert old["engine"] == digest()
    monkeypatch.setattr("search.records.environment.digest", lambda: "0123456789abcdef")
    assert differences(old, environment()) == [f"engine: {digest()} -> 0123456789abcdef"]
    assert differences({key: old[key] for key in old if key != "engine"}, environment()) == []  # of an older version
