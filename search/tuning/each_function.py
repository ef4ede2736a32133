"""Requests in which each function has a recipe of its own: those that share one are trained together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from evaluators.cohort import CohortRequest, controls_of
from evaluators.results.control_labels import CURRENT
from evaluators.results.records import MemberResult, reference_name
from evaluators.tasks import task
from evaluators.tasks.recipe import Recipe
from search.confirmation.field import train_fields
from search.confirmation.record import Field
from search.workers import Workers


@dataclass(frozen=True, slots=True)
class Function:
    """A finalist or a control of a request.

    Args:
        name: of a control, or a finalist's number.
        text: of its expression; "" for the network as it stands.
        is_finalist: it is a candidate of the request.
    """

    name: str
    text: str
    is_finalist: bool = False


def functions_of(request: CohortRequest) -> list[Function]:
    """The finalists of a request of one task, then its controls, those that tasks have included."""
    finalists = [Function(str(n), text, is_finalist=True) for n, text in enumerate(request.expressions)]
    named = controls_of(request, map(task, request.tasks))
    return [*finalists, *(Function(name, "" if each is None else each.text) for name, each in named.items())]


def request_for(base: CohortRequest, group: Sequence[Function], recipe: Recipe) -> CohortRequest:
    """What trains some functions by a recipe; null controls beside the reference alone."""
    controls = [each for each in group if not each.is_finalist]
    return replace(
        base,
        expressions=tuple(each.text for each in group if each.is_finalist),
        controls=tuple((each.name, each.text) for each in controls if each.text),
        current=any(not each.text for each in controls),
        alone=True,
        recipe=recipe,
    )


def rows_of(field: Field, group: Sequence[Function]) -> dict[Function, MemberResult]:
    """What each function of a group did."""
    finalists = [each for each in group if each.is_finalist]
    return {
        **dict(zip(finalists, field.candidates, strict=True)),
        **{each: field.controls[each.name] for each in group if not each.is_finalist},
    }


def train_each(
    requests: Sequence[CohortRequest], recipes: Sequence[Mapping[Function, Recipe]], workers: Workers
) -> list[Field]:
    """As :func:`search.confirmation.field.train_fields`, each function by a recipe of its own on each task.

    Args:
        requests: of one task each.
        recipes: for each request, of all its functions.
        workers: train them.
    """
    groups = [by_recipe(of_functions) for of_functions in recipes]
    keys = [(number, recipe) for number, own in enumerate(groups) for recipe in own]
    asked = [_with_nulls(requests[number], groups[number][recipe], recipe, recipes[number]) for number, recipe in keys]
    fields = dict(zip(keys, train_fields(asked, workers), strict=True))
    return [
        _whole(request, recipes[number], [(fields[number, recipe], own) for recipe, own in groups[number].items()])
        for number, request in enumerate(requests)
    ]


def by_recipe(recipes: Mapping[Function, Recipe]) -> dict[Recipe, list[Function]]:
    """The functions of each recipe, in order."""
    groups: dict[Recipe, list[Function]] = {}
    for function, recipe in recipes.items():
        groups.setdefault(recipe, []).append(function)
    return groups


def _with_nulls(
    base: CohortRequest, group: Sequence[Function], recipe: Recipe, all_functions: Iterable[Function]
) -> CohortRequest:
    """Null controls are trained beside the reference."""
    reference = reference_name([each.name for each in all_functions if not each.is_finalist])
    has_reference = any(each.name == reference and not each.is_finalist for each in group)
    return replace(request_for(base, group, recipe), nulls=base.nulls if has_reference else 0)


def _whole(
    request: CohortRequest, functions: Iterable[Function], parts: Sequence[tuple[Field, Sequence[Function]]]
) -> Field:
    """One field of those of the recipes, in the order of the functions; first the network as it stands."""
    rows: dict[Function, MemberResult] = {}
    for field, group in parts:
        rows |= rows_of(field, group)
    ordered = list(functions)
    controls = {each.name: rows[each] for each in ordered if not each.is_finalist}
    return Field(
        task=request.tasks[0],
        candidates=tuple(rows[each] for each in ordered if each.is_finalist),
        controls=dict(sorted(controls.items(), key=lambda pair: pair[0] != CURRENT)),
        nulls=next((field.nulls for field, _ in parts if field.nulls), ()),
        tested=next((field.tested for field, _ in parts if field.tested), None),
    )
