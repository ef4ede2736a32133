"""Confirm: finalists, their short forms, the fields that are trained, and what is said of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from evaluators.cohort import CohortRequest
from evaluators.objectives import cost
from evaluators.seeds import numpy_generator
from evaluators.stability import UNSTABLE, is_unstable
from evaluators.statistics import ALPHA
from evaluators.tasks import is_reference, label, task
from primitives.classes import fingerprint
from primitives.parsing import parse
from search.config import Config
from search.confirmation.comparison import null_gains, summary_on, verdicts
from search.confirmation.field import train_fields
from search.confirmation.selection import finalists
from search.confirmation.short_forms import short_forms
from search.study import CohortStudy
from search.workers import Workers

Row = dict[str, Any]

#: Keys without which a file is no confirmation.
CONFIRMED = ("trained", "finalists")
#: Shipped tasks for a job that did not search them, in this order; a photograph differs most from a table of classes.
UNSEEN = ("image-inr", "digits-cnn", "tabular-cancer")


def confirm(config: Config, study: CohortStudy, workers: Workers, before: Row | None = None) -> Row:
    """Train the finalists and their short forms and compare each with the controls.

    Args:
        config: the job.
        study: what was trained.
        workers: train the fields.
        before: what an earlier confirmation of this run found: its finalists count as tried.

    Returns:
        JSON's types: ``trained`` (classes at the time), ``finalists`` (for each, what the search said and what
        :func:`search.confirmation.verdicts` says; ``short`` is the text of its short form, and a short form that is
        another function is a row of its own, with the finalist's id in ``of``; ``unseen``: gain over ReLU on a task
        that was not searched), ``nulls`` (gains of the null controls over ReLU), ``earlier`` (what was tried before),
        ``setting`` (seeds, steps, networks).
    """
    setting = _settings(config)
    rows = finalists(study, config)
    if not rows:
        return {"trained": study.trials, "setting": setting, "finalists": [], "nulls": [], "earlier": _tried(before)}
    rows = _with_short_forms(rows, config, workers)
    texts = tuple(row["expression"] for row in rows)
    results = train_fields([_request(config, texts, name) for name in config.tasks], workers)
    if config.confirmation.stability:
        results = _without_unstable(results, texts, config.seed)
    rng = numpy_generator(config.seed, "confirmation", "statistics")
    earlier = [row for row in _tried(before) if row["expression"] not in texts]
    found = [row | says for row, says in zip(rows, verdicts(results, rng, [e["p"] for e in earlier]), strict=True)]
    if (name := unseen(config)) is not None:
        (other,) = train_fields([replace(_request(config, texts, name), rates=(), nulls=0)], workers)
        found = [row | {"unseen": {label(name): summary_on(other, n, rng)}} for n, row in enumerate(found)]
    return {
        "trained": study.trials,
        "setting": setting,
        "finalists": found,
        "nulls": null_gains(results),
        "earlier": earlier,
    }


def unseen(config: Config) -> str | None:
    """The task of the confirmation that was not searched: the config's, or the first shipped one of another kind."""
    asked = config.confirmation.unseen
    if asked != "auto":
        return asked
    kinds = {type(task(name)) for name in config.tasks if not is_reference(name)}
    return next((name for name in UNSEEN if kinds and type(task(name)) not in kinds), None)


def _with_short_forms(rows: Sequence[Row], config: Config, workers: Workers) -> list[Row]:
    """The finalists, each with its short form; behind them those forms that are other functions."""
    originals = [parse(row["expression"]) for row in rows]
    forms = short_forms(originals, config, workers)
    named = [row | {"short": form.text} for row, form in zip(rows, forms, strict=True)]
    known, added = {fingerprint(each).scale for each in originals}, list[Row]()
    for row, form in zip(rows, forms, strict=True):
        if fingerprint(form).scale not in known:
            known.add(fingerprint(form).scale)
            added.append(
                row | {"id": f"{row['id']}-short", "of": row["id"], "expression": form.text, "short": form.text}
                | {"cost": cost(form), "search_gain": None, "shrunk_gain": None}
            )  # fmt: skip
    return [*named, *added]


def _request(config: Config, texts: Sequence[str], name: str) -> CohortRequest:
    c, t = config.confirmation, config.training
    return CohortRequest(
        tuple(texts), (name,), config.seed, c.seeds, c.steps or t.steps, rates=t.learning_rates,
        purpose="confirmation", width=t.width, device=t.device, autocast=t.autocast,
    )  # fmt: skip


def _without_unstable(results: Sequence[Row], texts: Sequence[str], seed: int) -> list[Row]:
    """The results with those finalists failed whose gradients can be made to explode."""
    failed = {"losses": {}, "tests": {}, "reason": UNSTABLE}
    unstable = [is_unstable(parse(text), seed) for text in texts]
    return [
        result
        | {"candidates": [failed if bad else row for bad, row in zip(unstable, result["candidates"], strict=True)]}
        for result in results
    ]


def _tried(before: Row | None) -> list[Row]:
    """Expression and p of all functions that earlier confirmations tried, each once."""
    if before is None:
        return []
    rows = [{"expression": row["expression"], "p": row["p"]} for row in before["finalists"]]
    texts = {row["expression"] for row in rows}
    return [*rows, *(row for row in before.get("earlier", []) if row["expression"] not in texts)]


def _settings(config: Config) -> Row:
    names = [*config.tasks, *filter(None, [unseen(config)])]
    return {
        "seeds": config.confirmation.seeds,
        "steps": config.confirmation.steps or config.training.steps,
        "tasks": [label(name) for name in config.tasks],
        "unseen": [label(name) for name in names[len(config.tasks) :]],
        "networks": {label(name): _network(name) for name in names},
        "alpha": ALPHA,
    }


def _network(name: str) -> str:
    larger = task(name).larger()
    return larger.name if larger else f"{label(name)} (same network)"
