"""The config of a run: what it was launched with is in ``run.json``, what its user makes of it in ``config.yaml``.

Budget and workers may be edited, as no result depends on them. Any other edit is refused by the key.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping

from evaluators.results.json_codec import JsonObject
from primitives.grammars import is_pinned
from primitives.quoting import command
from primitives.user_file import names_file, parts_of
from search.conditions import as_it_was_meant
from search.config import Config, checked, plain, read_yaml, yaml_text
from search.errors import ConfigError, DamageError, RunError
from search.storage.files import run_in, write_atomically
from search.storage.run_folder import RunFolder
from search.storage.run_record import RunRecord, read_run_record, write_run_record

FREE = ("budget", "workers")  #: keys that results do not depend on
_QUOTED = 80  # characters of a value in a message


def record_of(config: Config) -> RunRecord:
    """The record of a run that is launched now."""
    settings = plain(config)
    return RunRecord(id_of(settings), settings)


def id_of(settings: Mapping[str, object]) -> str:
    """The id of a run: 16 hexadecimal digits of a hash of all settings that decide its results.

    Runs of one config and seed have one id, wherever the files of their user lie.
    """
    return hashlib.sha256(_text(settings).encode()).hexdigest()[:16]


def config_of(folder: RunFolder) -> Config:
    """The config as the run last took it; an edit counts from the next resume on.

    Raises:
        DamageError: ``run.json`` is damaged, or ``config.yaml`` is missing.
        ConfigError: ``config.yaml`` cannot be read.
        RunError: it was edited where results depend on it.
    """
    record = read_run_record(folder.record)
    if record is None:
        return _checked(read_yaml(folder.config), folder)
    if not folder.config.exists():
        raise DamageError(f"{folder.config} is missing; {command('resume', folder.path)} writes it from run.json")
    _edited(folder, record)
    return checked(as_it_was_meant(record.settings), str(folder.record))


def taken_up(folder: RunFolder, say: Callable[[str], object], budget: int | None = None) -> Config:
    """The config to resume a run with: what is damaged is written again, and an edit is taken, or refused.

    Args:
        folder: of the run; the caller holds the lock.
        say: is told what was mended, and what changes.
        budget: a larger one.

    Raises:
        RunError: an edit is not allowed, the budget is smaller, or ``run.json`` is damaged and ``config.yaml`` is not
            the config of the run's other files.
        ConfigError: ``config.yaml`` cannot be read.
        FileError: a file cannot be written.
    """
    record = _mended(folder, say)
    if record is None:
        say(f"{folder.path} is of an older version: its files do not say which run they are of, nor what it began with")
        settings = read_yaml(folder.config)
        before = _checked(settings, folder).budget
    else:
        settings, before = _edited(folder, record), _checked(record.settings, folder).budget
    config = _checked(settings if budget is None else settings | {"budget": budget}, folder)
    if config.budget < before:
        what = f"{folder.config}: budget" if budget is None else "--set budget"
        raise RunError(f"{what}={config.budget}: the budget can only grow, from {before}")
    if budget is not None:
        settings |= {"budget": budget}
        write_atomically(folder.config, yaml_text(settings))
    if record is not None and settings != record.settings:
        write_run_record(folder.record, RunRecord(record.id, settings))
    return config


def _checked(settings: Mapping[str, object], folder: RunFolder) -> Config:
    return checked(as_it_was_meant(settings), str(folder.config))


def _edited(folder: RunFolder, record: RunRecord) -> JsonObject:
    """The settings in ``config.yaml``, without any edit that results depend on."""
    try:
        settings = read_yaml(folder.config)
        if _text(settings) == _text(record.settings):
            return settings
        edited, begun = (dict(_flat(_decisive(plain(_checked(each, folder))))) for each in (settings, record.settings))
    except ConfigError as error:
        raise ConfigError(
            f"{error}\nThe settings of the run are in {folder.record}: delete {folder.config.name}, and "
            f"{command('resume', folder.path)} writes it from them"
        ) from None
    for key in sorted(edited.keys() | begun.keys()):
        if (now := edited.get(key)) != (was := begun.get(key)):
            raise RunError(
                f"{folder.config}: {key} is {_shown(now)}, but the run was launched with {_shown(was)}: results would "
                "change; put it back, or launch a new run"
            )
    return settings


def _mended(folder: RunFolder, say: Callable[[str], object]) -> RunRecord | None:
    """What the run was launched as; None for one of an older version."""
    record, wrong = _found(folder)
    own = next(filter(None, map(run_in, (folder.environment, folder.cohort(0), folder.known(0)))), "")
    if record is None and (own or wrong == "damaged"):
        settings = read_yaml(folder.config)
        if own not in ("", id_of(settings)):
            settings = plain(_checked(settings, folder))  # an edit may have left defaults out
        record = RunRecord(id_of(settings), settings)
        if own not in ("", record.id):
            raise DamageError(
                f"{folder.record} is {wrong}, and {folder.config} is not the config of run {own}, which the other "
                "files are of; put the old config.yaml back"
            )
        write_run_record(folder.record, record)
        say(f"{folder.record} was {wrong}; written again from {folder.config.name}")
    if record is not None and not folder.config.exists():
        write_atomically(folder.config, yaml_text(record.settings))
        say(f"{folder.config} was missing; written again from {folder.record.name}")
    return record


def _found(folder: RunFolder) -> tuple[RunRecord | None, str]:
    """The record, or what is wrong with it."""
    try:
        return read_run_record(folder.record), "missing"
    except DamageError:
        return None, "damaged"


def _text(settings: Mapping[str, object]) -> str:
    """All that decides results as one text, in which False is not 0."""
    return json.dumps(_decisive(settings), sort_keys=True, default=str)  # a date of YAML's


def _decisive(settings: Mapping[str, object]) -> JsonObject:
    return {key: _portable(value) for key, value in settings.items() if key not in FREE}


def _portable(value: object) -> object:
    """A value with pinned files by their names alone: the pin says which file it is."""
    if isinstance(value, dict):
        return {key: _portable(each) for key, each in value.items()}
    if isinstance(value, list):
        return list(map(_portable, value))
    if isinstance(value, str) and names_file(value):
        path, name, pin = parts_of(value)
        return f"{path.rpartition('/')[2]}:{name}@{pin}"
    if isinstance(value, str) and is_pinned(value):
        return value.rpartition("/")[2]
    return value


def _flat(settings: Mapping[str, object], before: str = "") -> Iterator[tuple[str, object]]:
    """Keys with dots and their values."""
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value


def _shown(value: object) -> str:
    text = "missing" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _QUOTED else f"{text[: _QUOTED - 3]}..."
