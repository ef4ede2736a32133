"""How long a worker may be silent: a hung one is told from a slow one by what the same work took before."""

from __future__ import annotations

from evaluators.asked import Request
from evaluators.controls import CONTROLS
from evaluators.mixture.request import MixtureRequest

#: Seconds that every piece of work is given.
FLOOR = 300.0
#: Seconds for work of a kind of which nothing was finished yet: six hours, as nothing is known of it.
FIRST = 21_600.0
FACTOR = 20.0


class Clock:
    """Time limits from measured times: a multiple of what the slowest finished work of the kind took for its size.

    Args:
        floor: seconds that every piece of work is given at least.
        first: seconds for work of a kind of which nothing was finished yet.
        factor: the multiple.
    """

    def __init__(self, floor: float = FLOOR, first: float = FIRST, factor: float = FACTOR) -> None:
        self.floor, self.first, self.factor = floor, first, factor
        self._pace: dict[tuple[str, ...], float] = {}

    def finished(self, request: Request, seconds: float) -> None:
        """Note the time that a piece of work took."""
        kind = _kind(request)
        self._pace[kind] = max(self._pace.get(kind, 0.0), seconds / _size(request))

    def limit(self, request: Request) -> float:
        """Seconds after which the worker counts as hung."""
        pace = self._pace.get(_kind(request))
        return max(self.floor, self.first if pace is None else self.factor * pace * _size(request))


def _kind(request: Request) -> tuple[str, ...]:
    """Work on the same networks and data: the larger ones of confirmation are another kind."""
    if isinstance(request, MixtureRequest):
        return "mixture", request.task
    return request.purpose, *request.tasks


def _size(request: Request) -> int:
    """Steps of all models, if none is rejected and all run the whole race; of a mixture the weights' steps."""
    if isinstance(request, MixtureRequest):
        return request.settings.steps
    members = len(request.expressions) + len(CONTROLS) + len(request.controls) + request.nulls
    seeds = request.seeds + sum(lap.seeds for lap in request.race)
    return members * seeds * max(1, len(request.rates)) * request.steps
