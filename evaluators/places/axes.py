"""Which axes the inputs of a task's places have."""

from __future__ import annotations

from evaluators.places.survey import survey_of
from evaluators.tasks.base import Part, Task
from evaluators.training.randomness import own_random_numbers
from primitives.operators.axes import mask


def axes_of_places(task: Task, part: Part = "search") -> int:
    """The axes of the inputs of all places together, as a mask of :mod:`primitives.operators.axes`.

    Examples and channels are always there; positions are where an input has more than two dimensions.

    Args:
        task: under the conditions that hold.
        part: the part of the data that a few examples are taken from.

    Raises:
        TaskError: see :func:`evaluators.places.survey.survey_of`.
    """
    with own_random_numbers():
        sites = survey_of(task, part).sites
    return mask("ncp" if any(len(shape) > 2 for site in sites for shape in site.shapes) else "nc")
