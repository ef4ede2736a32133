"""The protocol of a confirmation: finalists, short forms, trainings, verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from evaluators.cohort import CohortRequest
from evaluators.controls import more_controls
from evaluators.objectives import cost
from evaluators.rejection.stability import is_unstable
from evaluators.results.reasons import Reason
from evaluators.results.records import MemberResult
from evaluators.seeds import derive
from evaluators.statistics import ALPHA
from evaluators.tasks import task
from primitives.equivalence.signs import sign_class
from primitives.expression.parsing import parse
from primitives.user_file import is_reference, label
from search.baseline.functions import catalogue_name
from search.config import Config
from search.confirmation.carried import carried, known_in
from search.confirmation.comparison import (
    carried_rows,
    null_gains,
    over_best_on,
    reference_readings,
    smallest_shown,
    verdicts,
    without_failed,
)
from search.confirmation.field import train_fields
from search.confirmation.record import Compared, Confirmation, Field, Finalist, Setting, Tried
from search.confirmation.selection import finalists
from search.confirmation.short_forms import short_forms
from search.engine.rivals import keeps_current
from search.engine.study import Study
from search.tuning.each_function import Function, train_each
from search.tuning.record import Chosen, Tuned
from search.tuning.tune import tune
from search.workers import Workers

#: Shipped tasks for a job that did not search them, in this order; a photograph differs most from a table of classes.
UNSEEN = ("image-inr", "digits-cnn", "tabular-cancer")


def confirm(config: Config, study: Study, workers: Workers, before: Confirmation | None = None) -> Confirmation:
    """Train the finalists, their short forms and the best known functions, and compare.

    Args:
        config: the job.
        study: what was trained.
        workers: train the fields.
        before: what an earlier confirmation of this run found: its finalists count as tried.

    Returns:
        The finalists with their verdicts. A short form that is another function is one of its own. Without finalists,
        the known functions alone.
    """
    known = {each.name: each.trial.expression for each in carried(study, config, workers)}
    rows = finalists(study, config)
    if not rows and not known:
        return Confirmation(study.trials, _settings(config), (), earlier=tuple(_tried(before)))
    rows, met = _with_short_forms(rows, config, workers)
    known |= met
    texts = tuple(row.expression for row in rows)
    current = keeps_current(config, study.store)
    setting = replace(_settings(config), draw=_draw(config, (*texts, *known.values())))
    requests = [
        replace(_request(config, texts, name, known), current=current, draw=setting.draw) for name in config.tasks
    ]
    fields, recipes = _trained(requests, config, workers)
    results = without_failed(fields, known)
    if config.confirmation.stability:
        results = _without_unstable(results, texts, config.seed)
    earlier = tuple(row for row in _tried(before) if row.expression not in texts)
    said = verdicts(results, [row.p for row in earlier])
    compared = [Compared(row, verdict) for row, verdict in zip(rows, said, strict=True)]
    if rows and (name := unseen(config)) is not None:
        request = replace(_request(config, texts, name, known), rates=(), nulls=0, draw=setting.draw)
        (other,) = without_failed(train_fields([request], workers), known)
        compared = [replace(row, unseen={label(name): over_best_on(other, n)}) for n, row in enumerate(compared)]
    setting = replace(setting, tested={label(each.task): each.tested for each in results if each.tested})
    return Confirmation(
        study.trials, setting, tuple(compared), null_gains(results), earlier,
        smallest_shown(said, len(said) + len(earlier), setting.ratio),
        carried_rows(results, _controls(config) | known), len(known_in(study, config)) + len(_controls(config)),
        reference_readings(results), _tuned(recipes, requests, rows),
    )  # fmt: skip


def _trained(
    requests: Sequence[CohortRequest], config: Config, workers: Workers
) -> tuple[list[Field], list[dict[Function, Chosen]]]:  # fmt: skip
    """The fields; where the job tunes, each function by the recipe that was found for it on the task."""
    if (space := config.confirmation.space) is None:
        return train_fields(requests, workers), []
    chosen = tune(requests, space, workers)
    recipes = [{function: each.recipe for function, each in row.items()} for row in chosen]
    return train_each(requests, recipes, workers), chosen


def _tuned(
    chosen: Sequence[Mapping[Function, Chosen]], requests: Sequence[CohortRequest], rows: Sequence[Finalist]
) -> tuple[Tuned, ...]:
    """What was found for each function; finalists by their ids."""
    functions = dict.fromkeys(function for of_task in chosen for function in of_task)
    labels = [label(request.tasks[0]) for request in requests]
    return tuple(
        Tuned(
            rows[int(function.name)].id if function.is_finalist else function.name,
            function.text,
            {name: row[function] for name, row in zip(labels, chosen, strict=True) if function in row},
        )
        for function in functions
    )


def to_confirm(config: Config, study: Study) -> bool:
    """True if finalists are wanted, and there are some, or known functions to choose among."""
    wanted = config.confirmation.finalists > 0
    return wanted and (any(known.gain is not None for known in study.baseline) or bool(finalists(study, config)))


def _controls(config: Config) -> dict[str, str]:
    """The controls of every cohort, names with texts."""
    return dict(config.all_controls)


def unseen(config: Config) -> str | None:
    """The task of the confirmation that was not searched: the config's, or the first shipped one of another kind."""
    asked = config.confirmation.unseen
    if asked != "auto":
        return asked
    kinds = {type(task(name)) for name in config.tasks if not is_reference(name)}
    return next((name for name in UNSEEN if kinds and type(task(name)) not in kinds), None)


def _with_short_forms(
    rows: Sequence[Finalist], config: Config, workers: Workers
) -> tuple[list[Finalist], dict[str, str]]:
    """The finalists, each with its short form; behind them those forms that are other functions.

    Returns:
        These, and the forms that are known functions, names with texts: they are compared with.
    """
    originals = [parse(row.expression) for row in rows]
    forms = short_forms(originals, config, workers)
    named = [replace(row, short=form.text) for row, form in zip(rows, forms, strict=True)]
    exact, signs = config.exact, config.scoring.signs
    seen, added = {sign_class(each, exact=exact, signs=signs) for each in originals}, list[Finalist]()
    met: dict[str, str] = {}
    for row, form in zip(rows, forms, strict=True):
        if (key := sign_class(form, exact=exact, signs=signs)) in seen:
            continue
        seen.add(key)
        if config.baseline.functions != "none" and (name := catalogue_name(form, exact=exact, signs=signs)):
            met[name] = form.text
        else:
            added.append(Finalist(f"{row.id}-short", form.text, cost(form), None, None, row.id, form.text))
    return [*named, *added], met


def _request(config: Config, texts: Sequence[str], name: str, known: Mapping[str, str]) -> CohortRequest:
    c, t = config.confirmation, config.training
    return CohortRequest(
        tuple(texts), (name,), config.seed, c.seeds, c.steps or t.steps, rates=t.learning_rates,
        purpose="confirmation", width=t.width, device=t.device, autocast=t.autocast, operators=config.operators,
        conditions=config.asked(name),
        controls=(*more_controls(config.controls), *known.items()),
    )  # fmt: skip


def _draw(config: Config, texts: Sequence[str]) -> str:
    """What the seeds are derived from besides the run's: another confirmation than this one looks at new numbers.

    Else a second one with more seeds, or after more search, would extend what was seen already. The same one again,
    as after an interruption, draws the same.
    """
    c = config.confirmation
    return f"{derive(config.seed, c.seeds, c.steps or config.training.steps, *sorted(texts)):016x}"


def _without_unstable(results: Sequence[Field], texts: Sequence[str], seed: int) -> list[Field]:
    """The results with those finalists failed whose gradients can be made to explode."""
    failed = MemberResult(reason=Reason.UNSTABLE)
    unstable = [is_unstable(parse(text), seed) for text in texts]
    return [
        replace(
            each,
            candidates=tuple(failed if bad else row for bad, row in zip(unstable, each.candidates, strict=True)),
        )
        for each in results
    ]


def _tried(before: Confirmation | None) -> list[Tried]:
    """All functions that earlier confirmations tried, each once."""
    if before is None:
        return []
    rows = [Tried(row.finalist.expression, row.verdict.p) for row in before.finalists]
    texts = {row.expression for row in rows}
    return [*rows, *(row for row in before.earlier if row.expression not in texts)]


def _settings(config: Config) -> Setting:
    names = [*config.tasks, *filter(None, [unseen(config)])]
    return Setting(
        seeds=config.confirmation.seeds,
        steps=config.confirmation.steps or config.training.steps,
        tasks=tuple(map(label, config.tasks)),
        unseen=tuple(map(label, names[len(config.tasks) :])),
        networks={label(name): _network(name) for name in names},
        alpha=ALPHA,
        tuning=config.confirmation.space,
    )


def _network(name: str) -> str:
    larger = task(name).larger()
    return larger.name if larger else f"{label(name)} (same network)"
