"""The probe takes the width with the least time a slice, and stops in time."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from evaluators.machine import width
from evaluators.machine.backend import CPU, Backend
from evaluators.tasks import task
from evaluators.tasks.base import Task


def costs(of: Callable[[int], float], asked: list[int]) -> Callable[[Task, int, Backend, float], float]:
    def cost(_: Task, slices: int, __: Backend, ___: float) -> float:
        asked.append(slices)
        return of(slices)

    return cost


@pytest.mark.parametrize("best", width.WIDTHS)
def test_least_time_a_slice_wins(monkeypatch: pytest.MonkeyPatch, best: int) -> None:
    asked: list[int] = []
    monkeypatch.setattr(width, "_cost", costs(lambda slices: 1e-6 * (1 + abs(slices - best)), asked))
    assert width.probe_width(task("digits")) == best
    assert asked == sorted(width.WIDTHS)


def test_what_would_take_too_long_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(width, "_cost", costs(lambda slices: 10.0 / slices, asked))
    assert width.probe_width(task("digits"), widths=(100, 10, 20), seconds=1e-3) == 10
    assert asked == [10]


def test_a_width_without_room_ends_the_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    def cost(_: Task, slices: int, __: Backend, ___: float) -> float:
        if slices > 66:
            raise torch.OutOfMemoryError("no room")
        return 1e-6 / slices

    monkeypatch.setattr(width, "_cost", cost)
    assert width.probe_width(task("digits")) == 66


def test_a_process_probes_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(width, "_found", {})
    monkeypatch.setattr(width, "_cost", costs(lambda slices: 1e-6 / slices, asked))
    assert [width.fastest_width(task("digits"), CPU) for _ in range(3)] == [264] * 3
    assert len(asked) == len(width.WIDTHS)


def test_real_stacks() -> None:
    assert width.probe_width(task("digits"), widths=(6, 12), seconds=0.2) in (6, 12)
