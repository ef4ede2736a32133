"""Refusal of jobs that would average gains in different units."""

from __future__ import annotations

from collections.abc import Sequence

from evaluators.comparison import averages, comparison_of
from evaluators.objectives import measured_objectives
from evaluators.tasks import task
from primitives.user_file import is_reference, label
from search.errors import ConfigError


def check_losses_units(tasks: Sequence[str], objectives: Sequence[str]) -> None:
    """Refuse objectives of losses, such as robustness, whose mean would take nats of some tasks and losses of others.

    Raises:
        ConfigError: the message names the objectives.
    """
    relative = [each.name for each in measured_objectives(objectives) if each.relative]
    if relative and any(map(is_reference, tasks)) and len({comparison_of(task(name)).compare for name in tasks}) > 1:
        raise ConfigError(
            f"objectives: {', '.join(relative)}: a mean of nats and of differences of losses means nothing; leave them "
            "out, or search tasks that compare alike"
        )


def check_units(tasks: Sequence[str], aggregate: str, finalists: int) -> None:
    """Refuse tasks whose gains have no common unit, but by rank and without a confirmation, which takes a mean.

    Raises:
        ConfigError: the message names the tasks with their units, and the two ways out.
    """
    if not any(map(is_reference, tasks)):  # all shipped ones are in nats
        return
    comparisons = [comparison_of(task(name)) for name in tasks]
    if averages(comparisons) or (aggregate == "rank" and not finalists):
        return
    units = ", ".join(f"{label(n)} in {each.unit_of_gain}" for n, each in zip(tasks, comparisons, strict=True))
    raise ConfigError(
        f"tasks: their gains have different units, which have no mean: {units}; set aggregate: rank with "
        "confirmation.finalists: 0, or gain_scale in each task that compares by difference: the difference that counts "
        "as 1 nat"
    )
