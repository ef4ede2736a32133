"""Which axes the inputs of a task's places have."""

from __future__ import annotations

from evaluators.machine.backend import CPU
from evaluators.places.survey import find_sites
from evaluators.tasks.base import BLOCK, Part, Task
from evaluators.tasks.examples import examples_of
from evaluators.training.initialisation import initial_network
from evaluators.training.randomness import own_random_numbers
from primitives.operators.axes import mask


def axes_of_places(task: Task, part: Part = "search") -> int:
    """The axes of the inputs of all places together, as a mask of :mod:`primitives.operators.axes`.

    Examples and channels are always there; positions are where an input has more than two dimensions.

    Args:
        task: under the conditions that hold.
        part: the part of the data that its first examples are taken from.

    Raises:
        TaskError: see :func:`evaluators.places.survey.survey`.
    """
    with own_random_numbers():
        inputs = examples_of(task, part).rows(slice(BLOCK)).mapped(CPU.place).inputs
        sites = find_sites(initial_network(task, 0), task, inputs)
    return mask("ncp" if any(len(shape) > 2 for site in sites for shape in site.shapes) else "nc")
