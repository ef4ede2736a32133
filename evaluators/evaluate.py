"""Score functions against the controls, here and now."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from evaluators.cohort import CohortRequest, controls_of, run_cohort
from evaluators.controls import builtin_controls, more_controls
from evaluators.errors import EvaluationError
from evaluators.objectives import DEFAULT, Objective, Trained, check_kinds, gains, measured_names, objective, score
from evaluators.objectives.readings import readings
from evaluators.places.fitting import Fitting
from evaluators.results.reasons import code_of
from evaluators.results.records import MemberResult, reference_name, rivals
from evaluators.results.reference_loss import check_reference
from evaluators.statistics import interval
from evaluators.tasks import task as find_task
from evaluators.tasks.base import Task
from evaluators.tasks.conditions import Conditions, conditions_of, under
from evaluators.tasks.tryout import try_out
from primitives.expression.expression import Expression, variable
from primitives.expression.parsing import parse
from primitives.user_file import is_reference


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Scores of one function.

    Args:
        expression: its text.
        objectives: values by name; those that need training are NaN if it failed.
        gains: mean gain over each control; NaN where it failed, or the control has no finite loss.
        interval: 95 % interval of the gain over the reference, Student's t over the seeds; NaN where it failed.
        reason: why it failed, or "".
        unit: of the gains.
        readings: by name, such as the accuracy on validation examples, mean over the seeds; none if it failed. See
            :meth:`evaluators.tasks.base.Task.readings`.
        reference_readings: those of the reference.
        controls: of each control, by its name, the objectives as those of the function, the reference's first; NaN
            where it failed, and what belongs to a formula where it has none: the network as it stands.
    """

    expression: str
    objectives: dict[str, float]
    gains: dict[str, float]
    interval: tuple[float, float]
    reason: str
    unit: str = "nats"
    readings: Mapping[str, float] = field(default_factory=dict)
    reference_readings: Mapping[str, float] = field(default_factory=dict)
    controls: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def gain(self) -> float:
        """Gain over the reference, in ``unit``."""
        return self.objectives["gain"]


def evaluate(
    expressions: Sequence[str | Expression],
    task: str | Task = "digits",
    *,
    seeds: int = 8,
    steps: int | None = None,
    rates: Sequence[float] = (),
    seed: int = 0,
    objectives: Sequence[str] = DEFAULT,
    initial: str | None = None,
    scale: str | None = None,
    say: Callable[[str], object] | None = None,
    controls: Sequence[str] = (),
) -> list[Evaluation]:
    """Train functions and the controls to the full budget and compare them.

    Args:
        expressions: texts or expressions.
        task: name of a shipped task, or a task.
        seeds: number of seeds, at least 2.
        steps: optimiser steps; the task's default if None.
        rates: learning rates; the task's default if empty.
        seed: what the seeds are derived from.
        objectives: names of what to report besides the gain, see :func:`evaluators.objectives.registry.objective`.
        initial: what the weights begin as, ``"own"`` or ``"drawn"``; None for what the task has.
        scale: of the functions, ``"none"``, ``"unit"`` or ``"critical"``; None for what the task has.
        say: is told what the try-out of a task of one's own has to say, a note a call.
        controls: more of them, expressions or names of the catalogue.

    Returns:
        One evaluation for each expression, in order.

    Raises:
        ExpressionError: a text is no expression.
        TaskError: the task, ``initial`` or ``scale`` is unknown; or the task is one of the user's, and does not work.
        EvaluationError: fewer than 2 seeds, an unknown objective or control, a function that does not fit a place of
            the task's network, or an objective that has no number for a function of such a kind.
        ReferenceLossError: the reference has no finite loss.
    """
    names = dict.fromkeys(("gain", *(objective(name).name for name in objectives)))
    if seeds < 2:
        raise EvaluationError(f"seeds: expected at least 2, for an interval, got {seeds}")
    given = [parse(e) if isinstance(e, str) else e for e in expressions]
    check_kinds(objectives, given)
    texts = tuple(e.text for e in given)
    found, asked = find_task(task), Conditions(initial, scale)
    chosen = under(found, asked)
    conditions_of(chosen)
    if isinstance(task, Task) or is_reference(task):
        for note in try_out(found, asked, steps=steps):
            if say is not None:
                say(note)
    builtin = builtin_controls([chosen])
    named = more_controls(controls, builtin)
    Fitting([chosen]).check(map(parse, (*texts, *dict(named).values())))
    request = CohortRequest(
        texts, (chosen.name,), seed, seeds, steps or chosen.steps, rates=tuple(rates), nulls=0,
        measured=measured_names(objectives), controls=named, readings=True,
    )  # fmt: skip
    result = run_cohort(request, lambda _: chosen)
    check_reference(result, request.tasks, "give it smaller learning_rates")
    compared = rivals(result.controls)
    unit = result.reference.comparison(chosen.name).unit_of_gain
    own = reference_name(compared)

    def values(expression: Expression | None, row: MemberResult) -> dict[str, float]:
        gain = float(gains(row, result.reference, request.tasks)[0].mean())
        known = Trained(expression or variable(), row, gain, result.reference, request.tasks, chosen.scale)
        return _values(names, known, has_formula=expression is not None)

    functions = controls_of(request, [chosen])
    of_controls = {name: values(functions[name], compared[name]) for name in sorted(compared, key=own.__ne__)}
    evaluations = []
    for text, row in zip(texts, result.candidates, strict=True):
        over = {name: gains(row, rival, request.tasks)[0] for name, rival in compared.items()}
        mean = {name: float(values.mean()) for name, values in over.items()}
        bounds = None if row.reason else interval(over[own].tolist())
        evaluations.append(
            Evaluation(
                text, values(parse(text), row), mean, bounds or (np.nan, np.nan), code_of(row.reason), unit,
                readings(row, chosen.name), readings(result.reference, chosen.name), of_controls,
            )
        )  # fmt: skip
    return evaluations


def _values(names: Iterable[str], trained: Trained, *, has_formula: bool) -> dict[str, float]:
    """The objectives by name; of a member that failed, those of its formula; NaN where a kind of function has none."""
    known = [name for name in names if _has(objective(name), trained, has_formula)]
    scores = score(known, trained)
    return {name: scores.get(name, np.nan) for name in names}


def _has(of: Objective, trained: Trained, has_formula: bool) -> bool:
    return has_formula and not of.lacks(trained.expression) if of.kind == "formula" else not trained.row.reason
