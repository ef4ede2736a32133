"""A line of ``looks.jsonl``: a look as JSON and back."""

from __future__ import annotations

from evaluators.results.json_codec import Fields, JsonObject
from search.records.look import Look


def look_to_json(look: Look) -> JsonObject:
    """JSON's types."""
    return {
        "time": look.time,
        "run": look.run,
        "task": look.task,
        "data": look.data,
        "draw": look.draw,
        "seeds": look.seeds,
        "finalists": list(look.finalists),
        "p": list(look.p),
    }


def look_from_json(fields: Fields) -> Look:
    """The look in a line.

    Raises:
        RecordError: it has another shape.
    """
    return Look(
        time=fields.text("time"),
        run=fields.text("run"),
        task=fields.text("task"),
        data=fields.text("data"),
        draw=fields.text("draw"),
        seeds=fields.integer("seeds"),
        finalists=fields.texts("finalists"),
        p=fields.numbers("p"),
    )
