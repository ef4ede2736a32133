"""Functions for tasks with places of any kind: of each kind one, put together where a network has several kinds."""

from __future__ import annotations

from collections.abc import Mapping

from evaluators.places.survey import survey_of
from evaluators.tasks.base import Part, Task
from evaluators.tasks.place import Place, PlaceKind
from primitives.expression.expression import Expression, operation
from primitives.expression.parsing import parse
from primitives.operators.operator import LAYERS

OfKind = Mapping[PlaceKind, str]

_SOFTMAX = "exp(x-max_c(x))/sum_c(exp(x-max_c(x)))"
#: Softmax with one more score, which is 0 where ``beta`` is 1. A mask of minus infinity does it no harm.
_ONE_MORE = "exp(x-max_c(x))/(sum_c(exp(x-max_c(x)))+beta*exp(-max_c(x))); beta=1.0"

#: What tries a task out: a function without parameters, one with a parameter per channel, and a smooth one.
PLAIN: OfKind = {"pointwise": "relu(x)", "layer": "relu(x)", "gate": "relu(x)*z", "row": _SOFTMAX}
LEARNED: OfKind = {
    "pointwise": "x*sigmoid(beta*x); beta=1.0:channel",
    "layer": "(x-mean_np(x))/std_np(x)*beta; beta=1.0:channel",
    "gate": "x*sigmoid(beta*x)*z; beta=1.0:channel",
    "row": _ONE_MORE,
}
SMOOTH: OfKind = {"pointwise": "x*sigmoid(x)", "layer": "x*sigmoid(x)", "gate": "x*sigmoid(x)*z", "row": _SOFTMAX}


def kinds_of(task: Task) -> tuple[PlaceKind, ...]:
    """The kinds of a task's places, as it declares them, each once."""
    entries = task.replaced if isinstance(task.replaced, tuple) else ()  # what is no entry is refused elsewhere
    kinds = (entry.kind if isinstance(entry, Place) else "pointwise" for entry in entries)
    return tuple(dict.fromkeys(kinds)) or ("pointwise",)


def in_each_place(task: Task, of_kind: OfKind, part: Part = "search") -> Expression:
    """The function of the kind of a task's places; where they have several, ``layers(...)`` with a part for each.

    Raises:
        TaskError: a network with several kinds of places cannot be looked at; see
            :func:`evaluators.places.survey.survey_of`.
    """
    kinds = kinds_of(task)
    if len(kinds) == 1:
        return parse(of_kind[kinds[0]])
    return operation(LAYERS, *(parse(of_kind[site.place_kind]) for site in survey_of(task, part).sites))
