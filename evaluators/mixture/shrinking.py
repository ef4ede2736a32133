"""Shrinking: when operators are dropped, and which."""

from __future__ import annotations

from collections.abc import Sequence

from evaluators.mixture.settings import MixtureSettings


def drop_steps(settings: MixtureSettings, drops: int) -> tuple[int, ...]:
    """The steps before which operators are dropped, one each, in equal ratios from the first drop to the end.

    So most go early, while the slots have many. Where steps are few, several go before the same one.

    Args:
        settings: of the training.
        drops: how many operators have to go.
    """
    first, ratio = settings.first_drop, settings.steps / settings.first_drop
    return tuple(min(settings.steps - 1, round(first * ratio ** (number / drops))) for number in range(drops))


def next_drop(alphas: Sequence[dict[int, float]]) -> tuple[int, int]:
    """The slot that has most operators left, the first of several, and the number of its operator of lowest alpha.

    Args:
        alphas: for each slot the operators that are left, by number.
    """
    slot = max(range(len(alphas)), key=lambda number: (len(alphas[number]), -number))
    left = alphas[slot]
    return slot, min(left, key=lambda number: (left[number], number))
