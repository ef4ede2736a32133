"""Whether a candidate fits the places of a network: a gate uses z, a row reduces its row, statistics need axes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from evaluators.errors import EvaluationError
from evaluators.places.each_place import kinds_of
from evaluators.places.site import Site
from evaluators.places.survey import survey_of
from evaluators.tasks.base import Part, Task
from primitives.expression.expression import Expression, at_place
from primitives.expression.traversal import postorder
from primitives.layers.population import population
from primitives.operators.table import reduces


class Fitting:
    """Whether candidates fit all places of some tasks, and of their larger networks.

    Networks are looked at when a candidate asks for that.

    Args:
        tasks: of a job.
    """

    def __init__(self, tasks: Iterable[Task]) -> None:
        self.tasks: list[tuple[Task, Part]] = []
        for task in tasks:
            self.tasks.append((task, "search"))
            if (larger := task.larger()) is not None:
                self.tasks.append((larger, "confirmation"))
        self._sites: dict[int, Sequence[Site]] = {}

    def misfit(self, expression: Expression) -> str:
        """Why a candidate does not fit a task, with its name; "" if it fits all.

        Raises:
            TaskError: see :func:`evaluators.places.survey.survey_of`.
        """
        for number, (task, part) in enumerate(self.tasks):
            if kinds_of(task) == ("pointwise",) and expression.is_pointwise:
                continue
            if number not in self._sites:
                self._sites[number] = survey_of(task, part).sites
            if why := misfit(expression, self._sites[number]):
                return f"task {task.name!r}: {why}"
        return ""

    def check(self, expressions: Iterable[Expression]) -> None:
        """Refuse candidates that do not fit.

        Raises:
            EvaluationError: the message names the first one, with the task, the place and the reason.
            TaskError: see :meth:`misfit`.
        """
        for expression in expressions:
            if why := self.misfit(expression):
                raise EvaluationError(why)


def misfit(expression: Expression, sites: Sequence[Site]) -> str:
    """Why a candidate cannot stand in some places, with the first one's name; "" if it can."""
    for number, site in enumerate(sites):
        if why := _misfit(at_place(expression, number, len(sites)), site):
            return f"{expression.text} does not fit the place {site.path!r}, of kind {site.place_kind!r}: {why}"
    return ""


def check_fits(expression: Expression, sites: Sequence[Site]) -> None:
    """Refuse a candidate that cannot stand in its places.

    Raises:
        EvaluationError: see :func:`misfit`.
    """
    if why := misfit(expression, sites):
        raise EvaluationError(why)


def _misfit(f: Expression, site: Site) -> str:
    if site.place_kind == "gate" and "z" not in f.inputs:
        return f"expected a function of x and z, such as silu(x)*z, got {f.text}, which leaves z out"
    if site.place_kind != "gate" and "z" in f.inputs:
        return f"expected a function of x, got {f.text}; a second input z comes to places of kind 'gate'"
    if site.place_kind == "row" and not any("c" in reduces(node.op) for node in postorder((f,))):
        return (
            "expected a function that reduces the row, such as exp(x-max_c(x))/sum_c(exp(x-max_c(x))), got "
            f"{f.text}, which is the same for each entry alone"
        )
    return _without_axes(f, site) if f.has_statistics else ""


def _without_axes(f: Expression, site: Site) -> str:
    """Why statistics cannot be taken there."""
    if any(len(shape) < 2 for shape in site.shapes):
        return "statistics need an input of shape (examples, channels, ...), and there it has one dimension"
    if site.place_kind == "row":
        moving = site.inputs.differ and population(f).running
        return "statistics over examples need rows of one length, and there they differ" if moving else ""
    if site.inputs.differ:
        return "statistics need inputs with the same channels in every call, and there they differ"
    if not site.inputs.known:
        return f'statistics need known channels: say Place("{site.path}", channel_dim=...) in replaced'
    return ""
