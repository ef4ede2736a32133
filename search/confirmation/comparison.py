"""Verdicts: each finalist against the controls, paired by seed, corrected for all that were tried."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from evaluators.objectives import cost, gains
from evaluators.objectives.readings import readings
from evaluators.results.control_labels import CURRENT
from evaluators.results.reasons import Reason
from evaluators.results.records import MemberResult, reference_name, reference_of
from evaluators.statistics import ALPHA, holm, pooled_deviation, smallest_effect, t_test
from evaluators.training.member import Array
from primitives.expression.parsing import parse
from primitives.user_file import label
from search.confirmation.record import Carried, Estimate, Field, OnTask, Over, Readings, Verdict


def verdicts(results: Sequence[Field], earlier: Sequence[float] = ()) -> list[Verdict]:
    """Compare each candidate with every control and decide, corrected for the number of candidates.

    It is confirmed if it is better than each of them: its p is the largest of those over the controls, an
    intersection-union test (Berger 1982, Technometrics 24), which needs no correction for their number. Each is the p
    of a t test that allows for overlapping test sets, see :func:`evaluators.statistics.t_test`.

    Args:
        results: one for each task.
        earlier: p of functions that earlier confirmations of the same search tried, and this one does not: they stay
            in the family, or looking again and again would confirm something at last.

    Returns:
        One for each candidate. It failed with ``NO_REFERENCE`` where a control did.
    """
    rows = _decided(results, earlier)
    # what earlier ones had on each task is not kept: with p = 1 they correct the others most
    alone = {label(result.task): _decided([result], [1.0] * len(earlier)) for result in results}
    return [
        replace(
            row,
            by_task={label(result.task): _over_reference(result, slot) for result in results},
            on_task={name: _on_task(of_task[slot]) for name, of_task in alone.items()},
            readings=_readings(results, [result.candidates[slot] for result in results]),
        )
        for slot, row in enumerate(rows)
    ]


def _decided(results: Sequence[Field], earlier: Sequence[float]) -> list[Verdict]:
    """Each candidate with its corrected p, on the mean over some tasks."""
    rows = [_compare(results, slot) for slot in range(len(results[0].candidates))]
    # a finalist that failed stays in the family: dropping it would make the others look better
    corrected = holm([*(row.p for row in rows), *earlier])
    return [
        replace(row, p_holm=p, confirmed=p < ALPHA and (row.gain_over_best_control or 0.0) > 0)
        for row, p in zip(rows, corrected, strict=False)
    ]


def _on_task(decided: Verdict) -> OnTask | None:
    over = _over_best(decided)
    return None if over is None else OnTask(over, decided.p, decided.p_holm, decided.confirmed)


def _over_best(decided: Verdict) -> Over | None:
    best = decided.best_control
    return None if best is None else Over(best, decided.gains[best])


def over_best_on(result: Field, slot: int) -> Over | None:
    """Smallest gain over the controls of a candidate on one task; None where it, or a control, failed."""
    return _over_best(_compare([result], slot))


def smallest_shown(found: Sequence[Verdict], family: int, ratio: float) -> float | None:
    """The gain over the best control that the seeds can show, by the pooled noise of the candidates' gains over it.

    Args:
        found: one for each candidate.
        family: how many were tried, with earlier looks.
        ratio: of the mean over the tasks.

    Returns:
        None where nothing tells the noise: one seed, equal gains, or all failed.
    """
    rows = [row.by_seed[row.best_control] for row in found if row.best_control]
    if not rows or (seeds := len(rows[0])) < 2 or (deviation := pooled_deviation(rows)) == 0:
        return None
    return smallest_effect(seeds, deviation, family, ratio)


def without_failed(results: Sequence[Field], names: Iterable[str]) -> list[Field]:
    """The results without those controls of some names that failed on a task: no finalist is compared with them."""
    own = reference_name(controls_of(results))
    lost = [name for name in names if not np.isfinite(_gains(results, _of_control(results, name), own)).all()]
    return [replace(r, controls={n: row for n, row in r.controls.items() if n not in lost}) for r in results]


def carried_rows(results: Sequence[Field], known: Mapping[str, str]) -> tuple[Carried, ...]:
    """Known functions, names with texts, on the fresh seeds; without a gain where they failed, less the reference."""
    own = reference_name(controls_of(results))
    ratio, there = ratio_of(results), controls_of(results)
    known = {name: text for name, text in known.items() if name != own}
    gained = {name: _gains(results, _of_control(results, name), own) for name in known if name in there}
    finite = {name: values for name, values in gained.items() if np.isfinite(values).all()}
    corrected = dict(zip(finite, holm([t_test(values.tolist(), ratio) for values in finite.values()]), strict=True))
    return tuple(
        Carried(
            name, text, cost(parse(text)), _summary(values, ratio), tuple(values.tolist()), corrected[name],
            _readings(results, _of_control(results, name)),
        )
        if (values := finite.get(name)) is not None
        else Carried(name, text, cost(parse(text)))
        for name, text in known.items()
    )  # fmt: skip


def reference_readings(results: Sequence[Field]) -> Readings:
    """Of the reference."""
    return _readings(results, _of_control(results, reference_name(controls_of(results))))


def _readings(results: Sequence[Field], rows: Sequence[MemberResult]) -> Readings:
    """By label of the task, those that have some."""
    found = {label(result.task): readings(row, result.task) for result, row in zip(results, rows, strict=True)}
    return {task: by_name for task, by_name in found.items() if by_name}


def _of_control(results: Sequence[Field], name: str) -> list[MemberResult]:
    return [_control(result, name) for result in results]


def null_gains(results: Sequence[Field]) -> tuple[float, ...]:
    """Mean gain over the reference of each null control; NaN where a loss is not finite."""
    own = reference_name(controls_of(results))
    means = (float(_gains(results, null, own).mean()) for null in zip(*(r.nulls for r in results), strict=True))
    return tuple(mean if math.isfinite(mean) else math.nan for mean in means)


def ratio_of(results: Sequence[Field]) -> float:
    """Of a mean over the tasks: the largest of theirs, as the noise of one task may outweigh that of the others."""
    return max(result.ratio for result in results)


def _over_reference(result: Field, slot: int) -> Estimate | None:
    """Gain over the reference of a candidate on one task; None where it failed."""
    return _summary(_gains([result], [result.candidates[slot]], reference_name(result.controls)), result.ratio)


def _gains(
    results: Sequence[Field], rows: Sequence[MemberResult], control: str, *, drop_in: bool = False
) -> Array:  # fmt: skip
    """Gains by seed on test data, mean over the tasks; NaN where a task was not finished."""
    tables = [
        gains(row, _control(result, control), [result.task], test=True, drop_in=drop_in)[0]
        for result, row in zip(results, rows, strict=True)
    ]
    mean: Array = np.array(tables).mean(axis=0)
    return mean


def controls_of(results: Sequence[Field]) -> list[str]:
    """The names of the controls of all tasks; first, where a task has one, the network as it stands."""
    names = dict.fromkeys(name for result in results for name in result.controls)
    return sorted(names, key=lambda name: name != CURRENT)


def _control(result: Field, name: str) -> MemberResult:
    """A control on one task: without a network of its own that stands there, ReLU does."""
    return reference_of(result.controls) if name == CURRENT else result.controls[name]


def _summary(values: Array, ratio: float) -> Estimate | None:
    """Mean and interval over the seeds; None where a value is not finite."""
    return Estimate.of(values.tolist(), ratio) if np.isfinite(values).all() else None


def _compare(results: Sequence[Field], slot: int) -> Verdict:
    """What is said of one candidate alone."""
    rows = [result.candidates[slot] for result in results]
    names, ratio = controls_of(results), ratio_of(results)
    over = {name: _gains(results, rows, name) for name in names}
    if not all(np.isfinite(values).all() for values in over.values()):
        return Verdict(reasons=tuple({row.reason for row in rows if row.reason}) or (_blame(results),))
    best = min(over, key=lambda name: float(over[name].mean()))
    summaries = {name: _summary(values, ratio) for name, values in over.items()}
    return Verdict(
        gains={name: summary for name, summary in summaries.items() if summary},
        by_seed={name: tuple(values.tolist()) for name, values in over.items()},
        drop_in={name: _summary(_gains(results, rows, name, drop_in=True), ratio) for name in names},
        best_control=best,
        gain_over_best_control=float(over[best].mean()),
        p=max(t_test(values.tolist(), ratio) for values in over.values()),
    )


def _blame(results: Sequence[Field]) -> Reason:
    """Why a gain over some control is not finite: a control's gain over itself tells whether it is at fault."""
    of_controls = [_gains(results, _of_control(results, name), name) for name in controls_of(results)]
    return Reason.DIVERGED if np.isfinite(of_controls).all() else Reason.NO_REFERENCE
