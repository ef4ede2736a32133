"""``confirmation.json``: a record as JSON and back."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from evaluators.results.json_codec import Fields, JsonObject, all_finite, decoded
from evaluators.results.reasons import TRAINED
from evaluators.results.records_codec import tested_from_json, tested_to_json
from primitives.quoting import command
from search.confirmation.record import (
    Carried,
    Compared,
    Confirmation,
    Estimate,
    Finalist,
    OnTask,
    Over,
    Readings,
    Setting,
    Tried,
    Verdict,
)
from search.errors import DamageError
from search.storage.files import read_sealed, write_sealed
from search.storage.run_folder import RunFolder
from search.tuning.codec import space_from_json, space_to_json, tuned_from_json, tuned_to_json

T = TypeVar("T")


def read_confirmation(path: Path, run: str = "") -> Confirmation | None:
    """The file; None if it is missing.

    Raises:
        DamageError: it is torn or changed.
        RecordError: it is whole and has another shape, or an unknown code.
    """
    content = read_sealed(path, run)
    return None if content is None else confirmation_from_json(Fields(content, str(path)))


def confirmation_of(folder: RunFolder) -> Confirmation | None:
    """What a run's confirmation found; None if there was none yet.

    Raises:
        DamageError: its file is torn, changed or lost.
        RecordError: it has another shape.
    """
    found = read_confirmation(folder.confirmation, folder.run)
    if found is None and folder.timing.exists():  # which is written later
        raise DamageError(
            f"{folder.confirmation} is missing, though {folder.timing.name} is there; "
            f"{command('resume', folder.path)} confirms again"
        )
    return found


def write_confirmation(path: Path, confirmation: Confirmation, run: str = "") -> None:
    """Write the file."""
    write_sealed(path, confirmation_to_json(confirmation), run, indent=1)


def confirmation_to_json(confirmation: Confirmation) -> JsonObject:
    """JSON's types."""
    s = confirmation.setting
    return {
        "trained": confirmation.trained,
        "setting": {
            "seeds": s.seeds,
            "steps": s.steps,
            "tasks": list(s.tasks),
            "unseen": list(s.unseen),
            "networks": dict(s.networks),
            "alpha": s.alpha,
            **({"draw": s.draw} if s.draw else {}),
            **({"tested": tested_to_json(s.tested)} if s.tested else {}),
            **({"tuning": space_to_json(s.tuning)} if s.tuning else {}),
        },
        "finalists": [_compared_to_json(row) for row in confirmation.finalists],
        "nulls": all_finite(confirmation.nulls),
        "earlier": [{"expression": row.expression, "p": row.p} for row in confirmation.earlier],
        **({} if confirmation.smallest_effect is None else {"smallest_effect": confirmation.smallest_effect}),
        **_known_to_json(confirmation),
        **_readings_to_json("reference_readings", confirmation.reference_readings),
        **({"tuned": [tuned_to_json(row) for row in confirmation.tuned]} if confirmation.tuned else {}),
    }


def confirmation_from_json(fields: Fields) -> Confirmation:
    """The record in a file; older files lack what came later, such as short forms and verdicts of tasks.

    Raises:
        RecordError: it has another shape, or an unknown code.
    """
    setting = fields.section("setting")
    networks = setting.section("networks")
    earlier = fields.sections("earlier") if "earlier" in fields else []
    return Confirmation(
        trained=fields.integer("trained"),
        setting=Setting(
            seeds=setting.integer("seeds"),
            steps=setting.integer("steps"),
            tasks=setting.texts("tasks"),
            unseen=setting.texts("unseen") if "unseen" in setting else (),
            networks={task: networks.text(task) for task in networks},
            alpha=setting.number("alpha"),
            draw=setting.text("draw") if "draw" in setting else "",
            tested=tested_from_json(setting),
            tuning=space_from_json(setting.section("tuning")) if "tuning" in setting else None,
        ),
        finalists=tuple(map(_compared_from_json, fields.sections("finalists"))),
        nulls=fields.numbers("nulls"),
        earlier=tuple(Tried(row.expression("expression"), row.number("p")) for row in earlier),
        smallest_effect=fields.number_or_none("smallest_effect"),
        carried=tuple(map(_carried_from_json, fields.sections("carried"))) if "carried" in fields else (),
        known_tried=fields.integer("known_tried") if "known_tried" in fields else 0,
        reference_readings=_readings_from_json(fields, "reference_readings"),
        tuned=tuple(map(tuned_from_json, fields.sections("tuned"))) if "tuned" in fields else (),
    )


def _known_to_json(confirmation: Confirmation) -> JsonObject:
    """Nothing for a record of older versions."""
    if not confirmation.known_tried:
        return {}
    return {
        "known_tried": confirmation.known_tried,
        "carried": [_carried_to_json(row) for row in confirmation.carried],
    }


def _carried_to_json(row: Carried) -> JsonObject:
    made: JsonObject = {"name": row.name, "expression": row.expression, "cost": row.cost}
    if row.gain is None:
        return made
    said: JsonObject = {"gain": _estimate_to_json(row.gain), "by_seed": list(row.by_seed), "p_holm": row.p_holm}
    return {**made, **said, **_readings_to_json("readings", row.readings)}


def _carried_from_json(fields: Fields) -> Carried:
    named = fields.text("name"), fields.expression("expression"), fields.number("cost")
    if "gain" not in fields:
        return Carried(*named)
    gain = _estimate_from_json(fields.section("gain"))
    read = _readings_from_json(fields, "readings")
    return Carried(*named, gain, fields.numbers("by_seed"), fields.number("p_holm"), read)


def _compared_to_json(row: Compared) -> JsonObject:
    f, v = row.finalist, row.verdict
    return {
        "id": f.id,
        "expression": f.expression,
        "cost": f.cost,
        "search_gain": f.search_gain,
        **_expected_to_json(f.expected),
        **({} if f.of is None else {"of": f.of}),
        **({"short": f.short} if f.short else {}),
        "gains": _estimates_to_json(v.gains),
        "by_seed": {name: list(gains) for name, gains in v.by_seed.items()},
        "drop_in": _estimates_to_json(v.drop_in),
        "best_control": v.best_control,
        "gain_over_best_control": v.gain_over_best_control,
        "p": v.p,
        "reason": v.reason,
        "by_task": _estimates_to_json(v.by_task),
        "p_holm": v.p_holm,
        "confirmed": v.confirmed,
        **({"on_task": {name: _on_task_to_json(each) for name, each in v.on_task.items()}} if v.on_task else {}),
        **_readings_to_json("readings", v.readings),
        **({"unseen": {name: _over_to_json(each) for name, each in row.unseen.items()}} if row.unseen else {}),
    }


def _compared_from_json(fields: Fields) -> Compared:
    return Compared(
        _finalist_from_json(fields), _verdict_from_json(fields), _by_name(fields, "unseen", _over_from_json)
    )


def _finalist_from_json(fields: Fields) -> Finalist:
    return Finalist(
        id=fields.id("id"),
        expression=fields.expression("expression"),
        cost=fields.number("cost"),
        search_gain=fields.number_or_none("search_gain"),
        expected=_expected_from_json(fields),
        of=fields.id("of") if "of" in fields else None,
        short=fields.text("short") if "short" in fields else "",
    )


def _expected_to_json(expected: Estimate | None) -> JsonObject:
    ends = None if expected is None or expected.low is None else [expected.low, expected.high]
    return {"shrunk_gain": None if expected is None else expected.mean, **({"shrunk_interval": ends} if ends else {})}


def _expected_from_json(fields: Fields) -> Estimate | None:
    """Older files have no interval."""
    mean = fields.number_or_none("shrunk_gain")
    ends = _ends(fields, "shrunk_interval") if "shrunk_interval" in fields else ()
    return None if mean is None else Estimate(mean, *ends)


def _verdict_from_json(fields: Fields) -> Verdict:
    seeds = fields.section("by_seed") if "by_seed" in fields else None
    over = fields.section("gains")
    return Verdict(
        gains={name: _estimate_from_json(over.section(name)) for name in over},
        by_seed={} if seeds is None else {name: seeds.numbers(name) for name in seeds},
        drop_in=_estimates(fields, "drop_in"),
        best_control=fields.text("best_control") if "best_control" in fields else None,
        gain_over_best_control=fields.number_or_none("gain_over_best_control"),
        p=fields.number("p"),
        reasons=tuple(decoded(code, TRAINED, f"{fields.place}: 'reason'") for code in fields.text("reason").split()),
        by_task=_estimates(fields, "by_task"),
        p_holm=fields.number("p_holm"),
        confirmed=fields.flag("confirmed"),
        on_task=_by_name(fields, "on_task", _on_task_from_json),
        readings=_readings_from_json(fields, "readings"),
    )


def _readings_to_json(key: str, readings: Readings) -> JsonObject:
    """Under a key; nothing where there are none."""
    return {key: {task: dict(by_name) for task, by_name in readings.items()}} if readings else {}


def _readings_from_json(fields: Fields, key: str) -> dict[str, dict[str, float]]:
    """Nothing where a file lacks the key."""
    if key not in fields:
        return {}
    section = fields.section(key)
    return {task: section.numbers_by_name(task) for task in section}


def _on_task_to_json(on_task: OnTask | None) -> JsonObject | None:
    if on_task is None:
        return None
    over = _over_to_json(on_task.over_best)
    return {**(over or {}), "p": on_task.p, "p_holm": on_task.p_holm, "confirmed": on_task.confirmed}


def _on_task_from_json(fields: Fields) -> OnTask:
    return OnTask(
        _over_from_json(fields), fields.number("p"), fields.number("p_holm"), confirmed=fields.flag("confirmed")
    )


def _over_to_json(over: Over | None) -> JsonObject | None:
    if over is None:
        return None
    named: JsonObject = {"over": over.control} if over.control else {}
    return {**named, **_estimate_to_json(over.gain)}


def _over_from_json(fields: Fields) -> Over:
    return Over(fields.text("over") if "over" in fields else "", _estimate_from_json(fields))


def _estimate_to_json(estimate: Estimate) -> JsonObject:
    return {"mean": estimate.mean, "interval": [estimate.low, estimate.high]}


def _estimates_to_json(estimates: Mapping[str, Estimate | None]) -> JsonObject:
    return {name: None if e is None else _estimate_to_json(e) for name, e in estimates.items()}


def _estimates(fields: Fields, key: str) -> dict[str, Estimate | None]:
    """Estimates by name; none where an older file lacks the key."""
    return _by_name(fields, key, _estimate_from_json)


def _by_name(fields: Fields, key: str, read: Callable[[Fields], T]) -> dict[str, T | None]:
    """What an object's values are, None for null; nothing where an older file lacks the key."""
    if key not in fields:
        return {}
    section = fields.section(key)
    return {name: read(section.section(name)) if name in section else None for name in section}


def _estimate_from_json(fields: Fields) -> Estimate:
    return Estimate(fields.number("mean"), *_ends(fields, "interval"))


def _ends(fields: Fields, key: str) -> tuple[float, ...]:
    ends = fields.numbers(key)
    if len(ends) != 2 or not all(map(math.isfinite, ends)):
        raise fields.refusal(key, "two numbers")
    return ends
