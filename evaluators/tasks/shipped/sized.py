"""Shared by the shipped tasks: a network of a depth and a width, a larger one for confirmation, drawn weights."""

from __future__ import annotations

from typing import Self

from evaluators.results.control_labels import RELU
from evaluators.tasks.base import Task


class SizedTask(Task):
    """A task that makes networks of any depth and width. Their activation is ReLU, and ReLU is the reference.

    Its weights are drawn and its candidates have unit scale: what is searched on it should not depend on an
    initialisation that was made for ReLU.

    Attributes:
        title: its name at the usual size; at another one that follows, as in ``digits-10x32``.
        usual: depth and width.
    """

    initial = "drawn"
    scale = "unit"

    title: str
    usual: tuple[int, int]
    reference = RELU

    def __init__(self, depth: int | None = None, width: int | None = None) -> None:
        self.depth, self.width = depth or self.usual[0], width or self.usual[1]
        is_usual = (self.depth, self.width) == self.usual
        self.name = self.title if is_usual else f"{self.title}-{self.depth}x{self.width}"

    def resized(self, depth: int, width: int) -> Self:
        """The same task with another network."""
        return type(self)(depth, width)

    def larger(self) -> Task:
        """One layer more, and 5/4 of the width."""
        return self.resized(self.depth + 1, self.width * 5 // 4)
