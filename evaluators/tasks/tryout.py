"""A try-out of a task: one step of training on each part, so that faults show before anything is written."""

from __future__ import annotations

import hashlib

from evaluators.errors import TaskError
from evaluators.places.each_place import LEARNED, PLAIN, in_each_place
from evaluators.places.notes import place_notes
from evaluators.places.survey import survey_of
from evaluators.tasks.base import Part, Task
from evaluators.tasks.checks.alike import check_prepared
from evaluators.tasks.checks.attention import check_attention
from evaluators.tasks.checks.data import check_finite, check_labels, check_losses, check_size
from evaluators.tasks.checks.first_call import first_output
from evaluators.tasks.checks.gradients import check_gradients
from evaluators.tasks.checks.loss_options import check_loss_options
from evaluators.tasks.checks.makings import check_makings, check_memory
from evaluators.tasks.checks.metric import check_comparison, check_metric, check_values
from evaluators.tasks.checks.settings import check_floor, check_settings, check_warmup, has_current
from evaluators.tasks.checks.weights import check_seeds, left_as_made
from evaluators.tasks.conditions import OWN, Conditions, under
from evaluators.tasks.examples import digestible_rows, examples_of
from evaluators.tasks.loop_task import LoopTask
from evaluators.training.initialisation import prepares
from evaluators.training.member import CohortMember, Schedule
from evaluators.training.outputs import of_loss
from evaluators.training.randomness import own_random_numbers
from evaluators.training.stacking.stackable import unstackable
from evaluators.training.train import train
from primitives.ending import contained
from primitives.errors import ActsearchError
from primitives.user_file import blame_on


def try_out(task: Task, asked: Conditions = OWN, *, steps: int | None = None) -> tuple[str, ...]:
    """Train two functions, and the network as it stands, for one step on both parts.

    The second part is trained with the larger network if there is one.

    Args:
        task: of the user's.
        asked: what the job asks of the weights and the scale.
        steps: of the trainings that follow; default: the task's.

    Returns:
        Notes for people, such as which weights are not drawn.

    Raises:
        TaskError: something is wrong with the task's settings, data, network, loss or loop; where it fails in the
            file of the task's class, the message names file and line.
    """
    standing = [None] if has_current(task) else []
    notes: list[str] = []
    try:
        with own_random_numbers(), contained():
            if not isinstance(task, LoopTask):
                _check_parts(task)
            pairs: list[tuple[Part, Task]] = [("search", task), ("confirmation", task.larger() or task)]
            for part, each in ((part, under(own, asked)) for part, own in pairs):
                check_settings(each)
                check_warmup(each, steps or each.steps)
                check_floor(each)
                check_comparison(each)
                if not (loop := isinstance(each, LoopTask)):
                    check_size(each, part)
                    check_finite(each, part)
                    _check_outputs(each, part)
                check_attention(each)
                check_memory(each)
                if not loop or prepares(each):
                    check_makings(each)
                check_prepared(each, part)
                if not loop:
                    check_gradients(each, part)
                    notes += _stack_notes(each, part)
                notes += place_notes(each, survey_of(each, part))
                check_seeds(each)
                notes += left_as_made(each)
                tried = [*standing, *(in_each_place(each, of_kind, part) for of_kind in (PLAIN, LEARNED))]
                members = [CohortMember(expression, (0,), protected=True) for expression in tried]
                check_values(each, train(each, part, members, Schedule(1, (), each.learning_rates[:1])))
    except ActsearchError:
        raise
    except Exception as error:
        raise TaskError(f"task {task.name!r} fails: {blame_on(error, task)}") from error
    return tuple(dict.fromkeys(notes))


def _stack_notes(task: Task, part: Part) -> list[str]:
    """What keeps the network from being stacked."""
    reason = unstackable(task, part)
    if not reason:
        return []
    return [
        f"task {task.name!r}: its models are trained one at a time, since they cannot be stacked: {reason}. Small "
        "networks train some 3 times as fast in a stack"
    ]


def _check_parts(task: Task) -> None:
    """Refuse parts that have examples in common."""
    shared = _digests(task, "search") & _digests(task, "confirmation")
    if shared:
        raise TaskError(
            f"task {task.name!r}: data: expected parts without a common example, but {len(shared)} of the confirmation "
            "are in the search too"
        )


def _digests(task: Task, part: Part) -> set[bytes]:
    return {hashlib.blake2b(row, digest_size=16).digest() for row in digestible_rows(examples_of(task, part))}


def _check_outputs(task: Task, part: Part) -> None:
    """Refuse what the untrained network shows to be wrong: labels, losses."""
    output = of_loss(task, first_output(task, part))
    check_labels(task, part, output)
    check_losses(task, part, output)
    check_loss_options(task, part, output)
    check_metric(task, part, output)
