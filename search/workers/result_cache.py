"""The result cache: files that let an interrupted confirmation go on."""

from __future__ import annotations

import shutil
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from evaluators.asked import Request
from evaluators.cohort import CohortRequest
from evaluators.results.json_codec import Fields
from evaluators.results.records_codec import cohort_from_json, cohort_to_json
from evaluators.tasks.base import Part
from search.errors import DamageError
from search.storage.files import read_sealed, write_sealed, writing
from search.workers import Finished, Workers, cohort_of

_WORDS: dict[Part, str] = {"search": "shortening the finalists", "confirmation": "confirming the finalists"}
_TUNING = "tuning the finalists and the controls"


class ResultCache(Workers):
    """Workers whose results lie in a folder, one file for each request; what lies there is not trained again.

    Args:
        workers: that train the rest; they are closed by who made them.
        folder: of the files.
        show: is told how far the requests are.
        run: id of the run.
    """

    def __init__(self, workers: Workers, folder: Path, show: Callable[[str], object] = str, run: str = "") -> None:
        self.workers, self.folder, self._show, self._run = workers, folder, show, run
        self._submitted, self._done = Counter[str](), Counter[str]()
        with writing(folder):
            folder.mkdir(exist_ok=True)
        self._ready: deque[Finished] = deque()
        self._waiting: dict[int, Path] = {}
        self._kinds: dict[int, str] = {}

    def submit(self, number: int, request: Request) -> None:
        assert isinstance(request, CohortRequest)  # there is no mixture in a confirmation
        path = self._path(request)
        is_tuning = request.purpose == "search" and request.recipe is not None
        self._kinds[number] = _TUNING if is_tuning else _WORDS[request.purpose]
        self._submitted[self._kinds[number]] += 1
        with suppress(DamageError):
            if (content := read_sealed(path, self._run)) is not None:
                self._ready.append((number, cohort_from_json(Fields(content, str(path)))))
                return
        self._waiting[number] = path
        self.workers.submit(number, request)

    def next(self) -> Finished | None:
        if self._ready:
            return self._told(self._ready.popleft())
        finished = self.workers.next()
        if finished is None:
            return None
        write_sealed(self._waiting.pop(finished[0]), cohort_to_json(cohort_of(finished[1])), self._run)
        return self._told(finished)

    def _told(self, finished: Finished) -> Finished:
        kind = self._kinds.pop(finished[0])
        self._done[kind] += 1
        self._show(f"{kind}: {self._done[kind]} of {self._submitted[kind]} parts")
        return finished

    def close(self) -> None:
        self._waiting.clear()

    def clear(self) -> None:
        """Remove the files."""
        with writing(self.folder):
            shutil.rmtree(self.folder)

    def _path(self, request: CohortRequest) -> Path:
        """A name that says all of the request, so that another confirmation's results are not taken."""
        return self.folder / f"{request.digest()}.json"
