"""A mixture as JSON and back: what was asked for and what came of it."""

from __future__ import annotations

from evaluators.mixture.request import Dropped, Mark, MixtureRequest, MixtureResult
from evaluators.mixture.settings import MixtureSettings
from evaluators.mixture.space import Space
from evaluators.results.json_codec import Fields, JsonObject, finite
from evaluators.tasks.conditions import Conditions


def request_to_json(request: MixtureRequest) -> JsonObject:
    """JSON's types."""
    space, settings = request.space, request.settings
    return {
        "form": space.form,
        "unary": list(space.unary),
        "binary": list(space.binary),
        "task": request.task,
        "seed": request.seed,
        "rate": request.rate,
        "settings": {
            "steps": settings.steps,
            "warm": settings.warm,
            "shrink": settings.shrink,
            "rate": settings.rate,
            "weights": settings.weights,
        },
        "device": request.device,
        "autocast": request.autocast,
        "operators": list(request.operators),
        "initial": request.conditions.initial,
        "scale": request.conditions.scale,
    }


def request_from_json(fields: Fields) -> MixtureRequest:
    """The request in an object of a file.

    Raises:
        RecordError: it has another shape.
    """
    settings = fields.section("settings")
    return MixtureRequest(
        Space(fields.text("form"), fields.texts("unary"), fields.texts("binary")),
        fields.text("task"),
        fields.integer("seed"),
        fields.number("rate"),
        MixtureSettings(
            settings.integer("steps"),
            settings.number("warm"),
            settings.number("shrink"),
            settings.number("rate"),
            settings.text("weights"),
        ),
        fields.text("device"),
        _text_or_none(fields, "autocast"),
        fields.texts("operators"),
        Conditions(_text_or_none(fields, "initial"), _text_or_none(fields, "scale")),
    )


def result_to_json(result: MixtureResult) -> JsonObject:
    """JSON's types."""
    return {
        "expression": result.expression,
        "reason": result.reason,
        "slots": [list(rules) for rules in result.slots],
        "marks": [_mark_to_json(mark) for mark in result.marks],
        "dropped": [
            {"step": each.step, "slot": each.slot, "rule": each.rule, "seconds": each.seconds}
            for each in result.dropped
        ],
        "steps": result.steps,
        "seconds": dict(result.seconds),
    }


def result_from_json(fields: Fields) -> MixtureResult:
    """The result in an object of a file.

    Raises:
        RecordError: it has another shape.
    """
    return MixtureResult(
        expression=fields.expression("expression") if fields.text("expression") else "",
        reason=fields.text("reason"),
        slots=tuple(Fields({"rules": rules}, fields.place).texts("rules") for rules in fields.rows("slots")),
        marks=tuple(map(_mark_from_json, fields.sections("marks"))),
        dropped=tuple(
            Dropped(each.integer("step"), each.integer("slot"), each.text("rule"), each.number("seconds"))
            for each in fields.sections("dropped")
        ),
        steps=fields.integer("steps"),
        seconds=fields.numbers_by_name("seconds"),
    )


def _mark_to_json(mark: Mark) -> JsonObject:
    return {
        "step": mark.step,
        "weights": [list(weights) for weights in mark.weights],
        "loss": finite(mark.loss),
        "held_out": finite(mark.held_out),
    }


def _mark_from_json(fields: Fields) -> Mark:
    weights = tuple(Fields({"weights": row}, fields.place).numbers("weights") for row in fields.rows("weights"))
    return Mark(fields.integer("step"), weights, fields.number("loss"), fields.number("held_out"))


def _text_or_none(fields: Fields, key: str) -> str | None:
    return fields.text(key) if key in fields else None
