"""The files of trained mixtures: each written at once, with what was asked for and a hash of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from evaluators.errors import EvaluationError, RecordError
from evaluators.mixture.mixture_codec import request_from_json, request_to_json, result_from_json, result_to_json
from evaluators.mixture.request import MixtureRequest, MixtureResult
from evaluators.results.json_codec import Fields, JsonObject
from search.errors import DamageError, FileError
from search.storage.files import read_sealed, write_sealed, writing
from search.storage.run_folder import RunFolder

Trained = tuple[MixtureRequest, MixtureResult]


def keep_mixture(folder: RunFolder, request: MixtureRequest, result: MixtureResult) -> None:
    """Write a trained mixture; from here on it cannot be lost.

    Raises:
        FileError: it cannot be written.
    """
    with writing(folder.mixtures):
        folder.mixtures.mkdir(exist_ok=True)
    content: JsonObject = {"request": request_to_json(request), "result": result_to_json(result)}
    write_sealed(folder.mixture(request.seed), content, folder.run)


def whole_mixture(folder: RunFolder, request: MixtureRequest) -> MixtureResult | None:
    """The result of a request; None if its file is missing, torn or changed, or has another request's."""
    found = _read(folder.mixture(request.seed), folder.run)
    return found[1] if found is not None and found[0] == request else None


def mixtures_of(folder: RunFolder) -> Iterator[Trained]:
    """All that are whole, in the order of their names."""
    for path in sorted(folder.mixtures.glob("*.json")):
        if (found := _read(path, folder.run)) is not None:
            yield found


def _read(path: Path, run: str) -> Trained | None:
    with suppress(DamageError, FileError, RecordError, EvaluationError):
        if (content := read_sealed(path, run)) is not None:
            fields = Fields(content, str(path))
            return request_from_json(fields.section("request")), result_from_json(fields.section("result"))
    return None
