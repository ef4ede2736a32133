"""The controls of a job: those of the kind of its tasks' places, and more of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

from evaluators.errors import EvaluationError
from evaluators.places.each_place import OfKind, in_each_place, kinds_of
from evaluators.results.control_labels import FAMILIES
from evaluators.tasks.base import Task
from evaluators.tasks.place import PlaceKind
from primitives.catalogue import every_entry
from primitives.equivalence.classes import fingerprint
from primitives.errors import ExpressionError, nearest
from primitives.expression.expression import Expression
from primitives.expression.parsing import parse
from primitives.quoting import quoted

Named = tuple[tuple[str, str], ...]

#: Trained in every cohort on the candidates' seeds, names with texts. The first one is the reference of gains where a
#: task has none of its own: ReLU; GLU (arXiv 1612.08083); BatchNorm and ReLU; softmax. Beside it stand SwiGLU (arXiv
#: 2002.05202), LayerNorm over a sample, and StableMax (arXiv 2501.04697).
CONTROLS_OF: Mapping[PlaceKind, Mapping[str, str]] = {
    "pointwise": {"relu": "relu(x)", "gelu": "gelu(x)", "silu": "silu(x)"},
    "gate": {"glu": "sigmoid(x)*z", "swiglu": "silu(x)*z"},
    "layer": {
        "batchnorm-relu": "relu((x-mean_np(x))/std_np(x)*w+b); w=1.0:channel, b=0.0:channel",
        "layernorm-relu": "relu((x-mean_cp(x))/std_cp(x)*w+b); w=1.0:channel, b=0.0:channel",
    },
    "row": {
        "softmax": "exp(x-max_c(x))/sum_c(exp(x-max_c(x)))",
        "stablemax": "(relu(x)+1/(1+relu(-x)))/sum_c(relu(x)+1/(1+relu(-x)))",
    },
}
#: Those of tasks whose candidates are functions of one number.
CONTROLS = dict(CONTROLS_OF["pointwise"])


def builtin_controls(tasks: Iterable[Task]) -> dict[str, str]:
    """The controls of the kind of some tasks' places, names with texts, the reference first.

    Where the places of a network are of several kinds, each gets the control of its own: ``layers(...)``.

    Raises:
        EvaluationError: tasks have places of kinds that no candidate fits, or that differ in number.
        TaskError: a network with several kinds of places cannot be looked at.
    """
    tasks = list(tasks)
    of_tasks = [(task.name, kinds_of(task)) for task in tasks]
    kinds: set[frozenset[PlaceKind]] = {frozenset(of) for _, of in of_tasks}
    if kinds == {frozenset(("pointwise",)), frozenset(("layer",))}:  # a function of one number fits both
        kinds = {frozenset(("pointwise",))}
    if len(kinds) > 1:
        said = ", ".join(f"{name} ({' and '.join(of)})" for name, of in of_tasks)
        raise EvaluationError(f"tasks: expected places of one kind, which a candidate fits, got {said}")
    alike = next(iter(kinds), frozenset[PlaceKind](("pointwise",)))
    if len(alike) == 1:
        return dict(CONTROLS_OF[next(iter(alike))])
    return {name: _for_all(name, tasks, row) for row, name in enumerate(FAMILIES[-1])}


def _for_all(name: str, tasks: Iterable[Task], row: int) -> str:
    """One control for networks with several kinds of places, the same for all tasks."""
    of_kind: OfKind = {kind: tuple(texts.values())[row] for kind, texts in CONTROLS_OF.items()}
    texts = {expression.text for expression in map(partial(in_each_place, of_kind=of_kind), tasks)}
    if len(texts) > 1:
        raise EvaluationError(
            f"tasks: expected the same kinds of places in the same order, since a control has a part for each, got "
            f"{' and '.join(sorted(texts))} for {name!r}"
        )
    return texts.pop()


def more_controls(entries: Iterable[str], builtin: Mapping[str, str] = CONTROLS) -> Named:
    """The controls that are named beside the built-in ones: each entry with its expression's text.

    Args:
        entries: expressions such as ``"sin(30*x)"``, or names of the catalogue such as ``"swish"``, in any case.
        builtin: the others, names with texts.

    Raises:
        EvaluationError: one is neither, the message has the nearest name; or it equals another control.
    """
    known = {fingerprint(parse(text)).exact: name for name, text in builtin.items()}
    named = []
    for entry in entries:
        expression = function_of(entry)
        key = fingerprint(expression).exact
        if key in known:
            raise EvaluationError(f"{quoted(entry)} is the control {quoted(known[key])} already; leave it out")
        known[key] = entry
        named.append((entry, expression.text))
    return tuple(named)


def function_of(entry: str) -> Expression:
    """An expression; where the text is none, the catalogue's function of that name.

    Raises:
        EvaluationError: it is neither, the message has the nearest name.
    """
    by_name = {each.name.lower(): each.expression for each in reversed(every_entry())}  # the first of a name counts
    if entry.lower() in by_name:
        return by_name[entry.lower()]
    try:
        return parse(entry)
    except ExpressionError as error:
        raise EvaluationError(
            f"{quoted(entry)} is no expression: {error}; nor is it a name of the catalogue{nearest(entry, by_name)}"
        ) from None
