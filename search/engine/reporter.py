"""The reporter of a job: where it tells its progress."""

from __future__ import annotations

from typing import Protocol

from search.engine.loop import Progress


class Reporter(Protocol):
    """Shows a job at work."""

    def say(self, text: str) -> None:
        """A line of text."""

    def step(self, progress: Progress) -> None:
        """A cohort was recorded."""

    def part(self, text: str) -> None:
        """How far it is with what takes long; it takes the place of what was told before, and "" takes that away."""


class Silent:
    """Shows nothing."""

    def say(self, text: str) -> None:
        """Nothing."""

    def step(self, progress: Progress) -> None:
        """Nothing."""

    def part(self, text: str) -> None:
        """Nothing."""
