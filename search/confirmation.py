"""Confirmation: the finalists again, on seeds, data and networks that the search never saw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from optuna.trial import FrozenTrial

from evaluators.cohort import CONTROLS, CohortRequest
from evaluators.member import Array
from evaluators.objectives import cost, gains
from evaluators.seeds import numpy_generator
from evaluators.stability import UNSTABLE, is_unstable
from evaluators.statistics import ALPHA, holm, interval, reliability, shrunk, sign_flip
from evaluators.tasks import label, task
from primitives.text import parse
from search.config import Config
from search.study import CohortStudy
from search.workers import Workers

Row = dict[str, Any]
SEEDS_PER_UNIT = 2


def finalists(study: CohortStudy, config: Config) -> list[Row]:
    """The front's members of highest gain above 0, with the gain that is expected after the winner's curse.

    The reliability is estimated on the last 500 trials that were trained to the end whatever they promised: those that
    thresholds let through are too good and too alike.
    """
    field = _seed_gains(study)
    trust, centre = (reliability(field), float(field.mean())) if len(field) > 1 else (1.0, 0.0)
    front = [study.trial(number) for number in study.front.numbers]
    better = [trial for trial in front if trial.user_attrs["gain_over"]["relu"] > 0]
    best = sorted(better, key=lambda trial: (-trial.values[0], trial.number))[: config.confirmation.finalists]
    return [_finalist(trial, centre, trust) for trial in best]


def _seed_gains(study: CohortStudy) -> Array:
    """Gains over ReLU, trials x seeds, mean over the tasks."""
    numbers = [number for number, _ in study.uncensored] or range(study.trials)
    recent = [study.trial(number) for number in numbers[-500:]]
    tables = [list(trial.user_attrs["gains"].values()) for trial in recent if trial.user_attrs["gains"]]
    return np.array(tables, dtype=np.float64).mean(axis=1) if tables else np.zeros((0, 1))


def _finalist(trial: FrozenTrial, centre: float, trust: float) -> Row:
    gain = trial.user_attrs["gain_over"]["relu"]  # the mean over the tasks, however they are aggregated
    return {
        "id": trial.user_attrs["id"],
        "expression": trial.user_attrs["expression"],
        "cost": cost(parse(trial.user_attrs["expression"])),
        "search_gain": gain,
        "shrunk_gain": shrunk(gain, centre, trust),
    }


def confirm(config: Config, study: CohortStudy, workers: Workers) -> Row:
    """Train the finalists and compare each with the controls.

    Returns:
        JSON's types: ``trained`` (classes at the time), ``finalists`` (for each, what the search said,
        ``gains`` over each control with ``interval``,
        ``best_control``, ``p``, ``p_holm``, ``confirmed``), ``nulls`` (gains of the null controls over ReLU),
        ``setting`` (seeds, steps, networks).
    """
    chosen = finalists(study, config)
    if not chosen:
        return {"trained": study.trials, "setting": _settings(config), "finalists": [], "nulls": []}
    results = _train(config, [row["expression"] for row in chosen], workers)
    if config.confirmation.stability:
        results = _without_unstable(results, chosen, config.seed)
    found = verdicts(results, numpy_generator(config.seed, "confirmation", "statistics"))
    return {
        "trained": study.trials,
        "setting": _settings(config),
        "finalists": [row | verdict for row, verdict in zip(chosen, found, strict=True)],
        "nulls": [float(_mean_gains(results, "nulls", n, "relu").mean()) for n in range(len(results[0]["nulls"]))],
    }


def _without_unstable(results: Sequence[Row], chosen: Sequence[Row], seed: int) -> list[Row]:
    """The results with those finalists failed whose gradients can be made to explode."""
    failed = {"losses": {}, "tests": {}, "reason": UNSTABLE}
    unstable = [is_unstable(parse(row["expression"]), seed) for row in chosen]
    return [
        result
        | {"candidates": [failed if bad else row for bad, row in zip(unstable, result["candidates"], strict=True)]}
        for result in results
    ]


def verdicts(results: Sequence[Row], rng: np.random.Generator) -> list[Row]:
    """Compare each candidate with its best control and decide, corrected for the number of candidates.

    Args:
        results: by task, with ``task``, ``candidates`` and ``controls``.
        rng: of the bootstrap, and of the test beyond 16 seeds.
    """
    rows = [_compare(results, slot, rng) for slot in range(len(results[0]["candidates"]))]
    # a finalist that failed stays in the family: dropping it would make the others look better
    for row, corrected in zip(rows, holm([row["p"] for row in rows]), strict=True):
        row["p_holm"] = corrected
        row["confirmed"] = bool(corrected < ALPHA and row["gain_over_best_control"] > 0)
    return rows


def _settings(config: Config) -> Row:
    return {
        "seeds": config.confirmation.seeds,
        "steps": config.confirmation.steps or config.training.steps,
        "tasks": [label(name) for name in config.tasks],
        "networks": {label(name): _network(name) for name in config.tasks},
        "alpha": ALPHA,
    }


def _network(name: str) -> str:
    larger = task(name).larger()
    return larger.name if larger else f"{label(name)} (same network)"


def _train(config: Config, expressions: Sequence[str], workers: Workers) -> list[Row]:
    """Results by task. A task is divided by seeds, so that all workers have something to do."""
    c, t = config.confirmation, config.training
    units = [(name, first) for name in config.tasks for first in range(0, c.seeds, SEEDS_PER_UNIT)]
    for number, (name, first) in enumerate(units):
        request = CohortRequest(
            tuple(expressions),
            (name,),
            config.seed,
            min(SEEDS_PER_UNIT, c.seeds - first),
            c.steps or t.steps,
            rates=t.learning_rates,
            purpose="confirmation",
            width=t.width,
            device=t.device,
            autocast=t.autocast,
            first_seed=first,
        )
        workers.submit(number, request)
    parts: dict[int, Row] = {}
    while len(parts) < len(units):
        if (finished := workers.next()) is None:
            raise KeyboardInterrupt  # they were drained
        parts[finished[0]] = finished[1]
    by_task = {name: [parts[n] for n, unit in enumerate(units) if unit[0] == name] for name in config.tasks}
    return [_joined(results, name) | {"task": name} for name, results in by_task.items()]


def _joined(results: Sequence[Row], name: str) -> Row:
    """One result of several that differ in their seeds alone."""
    first = results[0]
    return {
        "candidates": [_row([r["candidates"][n] for r in results], name) for n in range(len(first["candidates"]))],
        "controls": {key: _row([r["controls"][key] for r in results], name) for key in first["controls"]},
        "nulls": [_row([r["nulls"][n] for r in results], name) for n in range(len(first["nulls"]))],
    }


def _row(parts: Sequence[Row], name: str) -> Row:
    """One member's losses with the seeds of all parts; it failed if it failed in one."""
    reason = next((part["reason"] for part in parts if part["reason"]), "")
    if reason:
        return {"losses": {}, "tests": {}, "reason": reason}
    marks = parts[0]["losses"][name]
    losses = {mark: [seed for part in parts for seed in part["losses"][name][mark]] for mark in marks}
    return {"losses": {name: losses}, "tests": {name: [s for part in parts for s in part["tests"][name]]}, "reason": ""}


def _mean_gains(results: Sequence[Row], group: str, slot: int | str, control: str) -> Array:
    """Gains by seed on test data, mean over the tasks; NaN where a task was not finished."""
    tables = [
        gains(result[group][slot], result["controls"][control], [result["task"]], test=True)[0] for result in results
    ]
    mean: Array = np.array(tables).mean(axis=0)
    return mean


def _compare(results: Sequence[Row], slot: int, rng: np.random.Generator) -> Row:
    over = {name: _mean_gains(results, "candidates", slot, name) for name in CONTROLS}
    if not all(np.isfinite(values).all() for values in over.values()):
        reasons = {result["candidates"][slot]["reason"] for result in results} - {""}
        return {"gains": {}, "reason": " ".join(sorted(reasons)) or "non-finite", "p": 1.0}
    best = min(over, key=lambda name: float(over[name].mean()))
    return {
        "gains": {
            name: {"mean": float(values.mean()), "interval": list(interval(values.tolist(), rng))}
            for name, values in over.items()
        },
        "by_task": {
            label(result["task"]): float(_mean_gains([result], "candidates", slot, "relu").mean()) for result in results
        },
        "best_control": best,
        "gain_over_best_control": float(over[best].mean()),
        "p": sign_flip(over[best].tolist(), rng),
        "reason": "",
    }
