"""Work under way; a cohort is cut into pieces where a worker died or hung, to find the candidate that does it."""

from __future__ import annotations

import itertools
import math
from collections import deque
from dataclasses import dataclass, field, replace

from evaluators.asked import Answer, Request
from evaluators.cohort import CohortRequest
from evaluators.mixture.request import MixtureResult
from evaluators.results.reasons import Reason
from evaluators.results.records import CohortResult, MemberResult
from search.errors import WorkerError
from search.workers.base import Finished

ATTEMPTS = 2
#: How often a piece may lose its machine before that counts against it.
LOSSES = 3


@dataclass(slots=True)
class Piece:
    """Some candidates of a cohort, or a mixture as a whole, and how often their worker was lost."""

    ticket: int
    request: Request
    slots: list[int]
    attempts: int = 0
    losses: int = 0


@dataclass(slots=True)
class _Partial:
    """A cohort's result as its pieces come in."""

    number: int
    candidates: dict[int, MemberResult] = field(default_factory=dict)
    rest: CohortResult | None = None
    mixture: MixtureResult | None = None
    open: int = 1
    begun: bool = False


class Pieces:
    """The queue of pieces. One that fails twice is halved, until a candidate is alone and fails twice by itself.

    A worker that goes down with its machine is held against nobody, the first three times.
    """

    def __init__(self) -> None:
        self._queue: deque[Piece] = deque()
        self._partial: dict[int, _Partial] = {}
        self._whole: deque[int] = deque()
        self._tickets = itertools.count()

    def submit(self, number: int, request: Request) -> None:
        """Add a cohort or a mixture."""
        ticket = next(self._tickets)
        size = len(request.expressions) if isinstance(request, CohortRequest) else 0
        self._partial[ticket] = _Partial(number)
        self._queue.append(Piece(ticket, request, list(range(size))))

    def waiting(self, *, begun_only: bool = False) -> bool:
        """True if there is a piece to be trained; on request only of cohorts of which a piece was taken before."""
        if begun_only:  # their pieces stand in front
            return bool(self._queue) and self._partial[self._queue[0].ticket].begun
        return bool(self._queue)

    def take(self) -> Piece:
        """The next piece to be trained."""
        piece = self._queue.popleft()
        self._partial[piece.ticket].begun = True
        return piece

    def finished(self, piece: Piece, result: Answer) -> None:
        """Enter a piece's result."""
        partial = self._partial[piece.ticket]
        if isinstance(result, MixtureResult):
            partial.mixture = result
            self._close(piece)
            return
        partial.candidates.update(zip(piece.slots, result.candidates, strict=True))
        if partial.rest is None or _length(partial.rest) < _length(result):
            partial.rest = result
        self._close(piece)

    def failed(self, piece: Piece, reason: Reason, error: str) -> None:
        """Put a piece whose worker was lost back into the queue, whole or halved, or give up its single candidate.

        Raises:
            WorkerError: it is the controls that fail, or a mixture.
        """
        if reason is Reason.NODE_LOST and piece.losses < LOSSES:
            piece.losses += 1
            self._queue.appendleft(piece)
            return
        piece.attempts += 1
        if piece.attempts < ATTEMPTS:
            self._queue.appendleft(piece)
        elif len(piece.slots) > 1:
            middle = math.ceil(len(piece.slots) / 2)
            self._queue.extendleft([_part(piece, middle, None), _part(piece, 0, middle)])
            self._partial[piece.ticket].open += 1
        elif piece.slots:
            self._give_up(piece, reason, error)
        else:
            number, why = self._partial[piece.ticket].number, error.partition(chr(10))[0]
            what = f"the controls of cohort {number}" if isinstance(piece.request, CohortRequest) else "a mixture"
            raise WorkerError(f"{what} cannot be trained: {why}")

    def _give_up(self, piece: Piece, reason: Reason, error: str) -> None:
        partial = self._partial[piece.ticket]
        assert isinstance(piece.request, CohortRequest)
        partial.candidates[piece.slots[0]] = MemberResult(reason=reason, overflows_in=None, error=error[-4000:])
        if partial.open == 1 and partial.rest is None:  # the controls are still owed
            self._queue.appendleft(Piece(piece.ticket, replace(piece.request, expressions=()), []))
        else:
            self._close(piece)

    def _close(self, piece: Piece) -> None:
        self._partial[piece.ticket].open -= 1
        if not self._partial[piece.ticket].open:
            self._whole.append(piece.ticket)

    def whole(self) -> Finished | None:
        """A cohort of which all pieces are done, or a mixture; or None."""
        if not self._whole:
            return None
        partial = self._partial.pop(self._whole.popleft())
        if partial.mixture is not None:
            return partial.number, partial.mixture
        assert partial.rest is not None
        return partial.number, replace(
            partial.rest, candidates=tuple(partial.candidates[slot] for slot in sorted(partial.candidates))
        )


def _length(result: CohortResult) -> int:
    """How far a race went: seeds of the reference, which has the most, on all tasks; 0 without controls."""
    return max((sum(len(row.final(task)) for task in row.losses) for row in result.controls.values()), default=0)


def _part(piece: Piece, start: int, stop: int | None) -> Piece:
    """Some of a piece's candidates. Several get one more attempt together, one gets two."""
    assert isinstance(piece.request, CohortRequest)
    slots = piece.slots[start:stop]
    request = replace(piece.request, expressions=piece.request.expressions[start:stop])
    return Piece(piece.ticket, request, slots, attempts=0 if len(slots) == 1 else ATTEMPTS - 1)
