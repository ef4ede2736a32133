"""The Pareto front, kept as trials come in."""

from __future__ import annotations

from collections.abc import Sequence


class Front:
    """The trials that no other one dominates; equals Optuna's ``best_trials``.

    Args:
        directions: ``"maximize"`` or ``"minimize"`` for each value.
    """

    def __init__(self, directions: Sequence[str]) -> None:
        self._signs = [1.0 if direction == "minimize" else -1.0 for direction in directions]
        self._members: dict[int, tuple[float, ...]] = {}

    @property
    def numbers(self) -> list[int]:
        """Trial numbers of the front, in order of entry."""
        return list(self._members)

    def add(self, number: int, values: Sequence[float]) -> bool:
        """Enter a trial; True if it is on the front now."""
        point = tuple(sign * value for sign, value in zip(self._signs, values, strict=True))
        if any(_dominates(other, point) for other in self._members.values()):
            return False
        self._members = {n: other for n, other in self._members.items() if not _dominates(point, other)}
        self._members[number] = point
        return True


def _dominates(a: Sequence[float], b: Sequence[float]) -> bool:
    """No value worse, one better; smaller is better."""
    return all(x <= y for x, y in zip(a, b, strict=True)) and tuple(a) != tuple(b)
