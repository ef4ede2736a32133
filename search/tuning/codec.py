"""Tuning in ``confirmation.json``."""

from __future__ import annotations

from dataclasses import asdict

from evaluators.results.json_codec import Fields, JsonObject, finite
from evaluators.tasks.optimisers import OPTIMISERS, SGD, Optimiser
from evaluators.tasks.recipe import Recipe
from evaluators.training.schedules import SCHEDULES
from search.tuning.recipes import made, optimiser_name, schedule_name
from search.tuning.record import Chosen, Space, Tuned


def space_to_json(space: Space) -> JsonObject:
    """JSON's types."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(space).items()}


def space_from_json(fields: Fields) -> Space:
    """What was written.

    Raises:
        RecordError: it has another shape.
    """
    return Space(
        fields.integer("trials"), fields.integer("seeds"), fields.texts("optimisers"), fields.texts("schedules"),
        _pair(fields, "learning_rates"), _pair(fields, "weight_decay"),
    )  # fmt: skip


def tuned_to_json(tuned: Tuned) -> JsonObject:
    """JSON's types."""
    by_task = {task: {**_recipe_to_json(c.recipe), "value": finite(c.value)} for task, c in tuned.by_task.items()}
    return {"name": tuned.name, "expression": tuned.expression, "by_task": by_task}


def tuned_from_json(fields: Fields) -> Tuned:
    """What was written.

    Raises:
        RecordError: it has another shape, or an unknown optimiser or schedule.
    """
    tasks = fields.section("by_task")
    by_task = {task: _chosen(tasks.section(task)) for task in tasks}
    return Tuned(fields.text("name"), fields.text("expression") and fields.expression("expression"), by_task)


def _chosen(fields: Fields) -> Chosen:
    schedule = fields.coded("schedule", SCHEDULES)
    return Chosen(Recipe(_optimiser(fields), fields.number("rate"), schedule), fields.number("value"))


def _recipe_to_json(recipe: Recipe) -> JsonObject:
    own = recipe.optimiser
    return {
        "optimiser": optimiser_name(own),
        **({"momentum": own.momentum} if isinstance(own, SGD) else {}),
        "weight_decay": own.weight_decay,
        "rate": recipe.rate,
        "schedule": schedule_name(recipe.schedule),
    }


def _optimiser(fields: Fields) -> Optimiser:
    own, decay = fields.coded("optimiser", OPTIMISERS), fields.number("weight_decay")
    return made(own, decay, fields.number("momentum") if isinstance(own, SGD) else 0.0)


def _pair(fields: Fields, key: str) -> tuple[float, float]:
    numbers = fields.numbers(key)
    if len(numbers) != 2:
        raise fields.refusal(key, "two numbers")
    return numbers[0], numbers[1]
