"""The conditions of a job: what the weights of each task begin as, and what scale candidates have there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from evaluators.tasks import task
from evaluators.tasks.conditions import Conditions, conditions_of, under
from primitives.errors import nearest
from primitives.quoting import quoted
from primitives.user_file import is_reference, label

#: A setting of a config: one value for all tasks, one for each, or None for the tasks' own.
Setting = str | tuple[str, ...] | None
#: What jobs did before these settings were there, whatever the task.
BEFORE = {"initial": "drawn", "scale": "unit"}
#: Likewise, with tasks of files and with shipped ones.
NO_SIGNS: dict[str, object] = {"signs": ()}


def checked_setting(value: object, known: Sequence[str]) -> Setting:
    """A setting as a config has it.

    Raises:
        ValueError: it is none; the message names the nearest value.
    """
    if value is None:
        return None
    values = tuple(value) if isinstance(value, list | tuple) else (value,)
    for each in values:
        if each not in known:
            expected = f"{' or '.join(known)}, a list of one for each task, or null for the tasks' own"
            raise ValueError(f"expected {expected}; got {quoted(each)}{nearest(each, known)}")
    return tuple(map(str, values)) if isinstance(value, list | tuple) else str(value)


def asked_of(initial: Setting, scale: Setting, number: int | None) -> Conditions:
    """What is asked of a task.

    Args:
        initial: setting.
        scale: setting.
        number: of the task in the job; None for one that is not searched.
    """
    return Conditions(_part(initial, number), _part(scale, number))


def as_it_was_meant(config: Mapping[str, object]) -> Mapping[str, object]:
    """The config of a run with what it lacks from before there was such a setting.

    Without a setting of the weights and the scale users' tasks had drawn weights and were scaled; without one of the
    baseline or of the race there was none, and without one of the signs they were told apart.
    """
    config = {"baseline": {"functions": "none"}, **config}
    tasks, training = config.get("tasks"), config.get("training")
    if isinstance(training, dict):
        training = {"seeds": 2, "race": []} | training
        config = {**config, "training": training}
    if not isinstance(tasks, list) or not isinstance(training, dict):
        return config
    own = any(isinstance(name, str) and is_reference(name) for name in tasks)
    return {**config, "training": NO_SIGNS | (BEFORE if own else {}) | training}


def _part(setting: Setting, number: int | None) -> str | None:
    if isinstance(setting, tuple):
        return None if number is None else setting[number]
    return setting


def resolved(tasks: Sequence[str], asked: Sequence[Conditions]) -> tuple[Conditions, ...]:
    """The conditions of each task; a task is looked up, and its file run, only where it is asked for its own."""
    return tuple(_resolved(name, each) for name, each in zip(tasks, asked, strict=True))


def _resolved(name: str, asked: Conditions) -> Conditions:
    complete = asked.initial is not None and asked.scale is not None
    return asked if complete else conditions_of(under(task(name), asked))


def in_words(tasks: Sequence[str], conditions: Sequence[Conditions]) -> str:
    """Both settings for people, as ``initial weights drawn, scale unit``; task by task where they differ."""
    words = [f"initial weights {each.initial}, scale {each.scale}" for each in conditions]
    if len(set(words)) == 1:
        return words[0]
    return "; ".join(f"{label(name)}: {said}" for name, said in zip(tasks, words, strict=True))
