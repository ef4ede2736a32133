"""Trust: whose files a run folder may have run. Its config may be a stranger's, and so may what the config names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from primitives.errors import UserFileError
from primitives.quoting import quoted
from primitives.user_file import CONSENT, names_file, parts_of, was_run
from search.errors import RunError

RUNS = Path("runs")  #: where run folders lie, in the working folder


def check_references(data: Mapping[str, object], place: Path, *, trust: bool) -> None:
    """Refuse files that a config in a run folder must not run.

    Each must be named by an absolute path with its hash. One that is not the user's own needs his word, unless this
    process has run it before.

    Args:
        data: the config as plain data.
        place: of the config, for messages.
        trust: the user's word.

    Raises:
        UserFileError: the message names the key and the file.
    """
    for key, reference in _references(data, ""):
        path, _, pin = parts_of(reference)
        if not (pin and Path(path).is_absolute()):
            raise UserFileError(
                f"{place}: {key}: {quoted(reference)} is not pinned: in a run folder a file is named by its absolute "
                "path and its hash, as launch writes them"
            )
        if not trust and not was_run(reference) and (why := _foreign(Path(path), place.parent)):
            raise UserFileError(f"{place}: {key}: the run names the file {path}, which lies {why}; {CONSENT}")


def names_files(data: Mapping[str, object]) -> bool:
    """True if plain data name a file of the user's, which is code."""
    return next(_references(data, ""), None) is not None


def check_address(address: str | None, place: Path) -> None:
    """Refuse a Ray cluster that a config in a run folder names and the user does not: it sends objects that are code.

    Raises:
        RunError: the message names the address and the ways out.
    """
    if address not in (None, "auto", "local"):
        raise RunError(
            f"{place}: workers.address: the run names the Ray cluster {quoted(address)}, which can run code here; "
            "if it is yours, say --address or --trust"
        )


def in_run_folder(path: Path) -> bool:
    """True for a path in a run folder, or beneath the working folder's ``runs/``."""
    parents = path.resolve().parents
    return RUNS.resolve() in parents or any(map(_is_run_folder, parents))


def _foreign(path: Path, run: Path) -> str:
    """Where a file lies that is not the user's own; "" for one of his: beneath the working folder, and of no run."""
    here, file = Path.cwd().resolve(), path.resolve()
    if file != path:  # as /proc/self/cwd, which is any user's folder; launch writes a path without links
        return f"behind a link, at {file}"
    if here not in file.parents or here == here.parent:
        return "outside this folder"
    return "in a run folder" if run.resolve() in file.parents or in_run_folder(file) else ""


def _is_run_folder(folder: Path) -> bool:
    parts = ("cohorts", "cohorts.jsonl", "study.journal", "environment.json")
    return (folder / "config.yaml").exists() and any((folder / part).exists() for part in parts)


def _references(value: object, key: str) -> Iterator[tuple[str, str]]:
    """What names a file in plain data, with its key."""
    if isinstance(value, str) and names_file(value):
        yield key, value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _references(inner, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _references(inner, key)
