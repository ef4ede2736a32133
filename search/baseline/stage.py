"""The baseline stage: the known functions in cohorts of their own, before the search and outside its budget."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from evaluators.controls import function_of
from evaluators.machine.running import seconds_run
from evaluators.results.reference_loss import check_reference, notes
from primitives.equivalence.signs import sign_class
from primitives.expression.parsing import parse
from primitives.quoting import command
from search.baseline.functions import Named, known_functions
from search.baseline.known import Known
from search.config import Config
from search.engine.cohort_trials import trials_of
from search.engine.racing import laps
from search.engine.request import finished_cohort, request_for
from search.errors import DamageError
from search.records.cohort import CohortRecord, Plan, Planned
from search.storage.baseline_files import keep_known, known_cohort, known_cohorts
from search.storage.run_folder import RunFolder
from search.workers import Workers, cohort_of

NAME = "name"  # an attribute of a planned function


def settled(config: Config) -> Config:
    """The config with ``auto`` decided, for its run to keep: by a larger budget it would be decided otherwise."""
    if config.baseline.functions != "auto":
        return config
    panel = _with_functions(config, "panel")
    is_panel = config.kinds == ("pointwise",) and functions_of(config) == functions_of(panel)
    return panel if is_panel else _with_functions(config, "catalogue")  # of the other kinds all are swept


def _with_functions(config: Config, name: str) -> Config:
    return config.model_copy(update={"baseline": config.baseline.model_copy(update={"functions": name})})


def functions_of(config: Config) -> tuple[Named, ...]:
    """The known functions of a job that fit its tasks, without its controls."""
    if config.baseline.functions in ("none", ()):  # without asking the tasks, whose files may not be run
        return ()
    leave = [parse(text) for text in dict(config.all_controls).values()]
    scoring = config.scoring
    known = known_functions(
        config.baseline.functions, config.budget, leave, exact=scoring.exact, signs=scoring.signs, kinds=config.kinds
    )  # fmt: skip
    fitting = config.fitting
    return tuple((name, expression) for name, expression in known if not fitting.misfit(expression))


def listed(config: Config) -> tuple[str, ...]:
    """The texts of the functions that the config lists, in order; none where it names a choice."""
    asked = config.baseline.functions
    return () if isinstance(asked, str) else tuple(function_of(entry).text for entry in asked)


def plans(config: Config) -> list[Plan]:
    """The cohorts of the baseline, without thresholds: a known function is rejected only where it fails.

    As nothing is known before them, all run the first lap of the race.
    """
    exact, signs = config.scoring.exact, config.scoring.signs
    rows = [
        Planned(expression.text, sign_class(expression, exact=exact, signs=signs), attributes={NAME: name})
        for name, expression in functions_of(config)
    ]
    size = config.cohorts.size
    race = laps(config.training.race, config.training.seeds, [])
    return [
        Plan(number, rows[first : first + size], {}, race=race)
        for number, first in enumerate(range(0, len(rows), size))
    ]


def missing(config: Config, folder: RunFolder, say: Callable[[str], object]) -> list[Plan]:
    """The cohorts of the baseline that have no file yet, or a damaged one or another's, which is said."""
    return [plan for plan in plans(config) if not _is_there(plan, config, folder, say)]


def train_baseline(
    left: Sequence[Plan], config: Config, folder: RunFolder, workers: Workers, say: Callable[[str], object],
    show: Callable[[str], object], *, current: bool, until: float = math.inf,
) -> bool:  # fmt: skip
    """Train cohorts of the baseline, as many at once as the search does.

    Args:
        left: those that are missing.
        config: the job.
        folder: of the run; a finished cohort is a file of its own.
        workers: train the cohorts.
        say: is told what is wrong with a control.
        show: is told how far the stage is.
        current: compare with a network as it stands, see :class:`evaluators.cohort.CohortRequest`.
        until: stop at the end of a cohort once ``seconds_run()`` is past this.

    Returns:
        False where the time was over before the end.

    Raises:
        KeyboardInterrupt: the workers were told to end.
        ReferenceLossError: the reference has no finite loss in the first cohort.
        FileError: a file cannot be written.
    """
    folder.sweep_checkpoints(lambda _: False)
    open_, waiting = list(left), dict[int, Plan]()
    while open_ or waiting:
        if open_ and len(waiting) <= config.cohorts.lag and seconds_run() < until:
            plan = open_.pop(0)
            waiting[plan.number] = plan
            workers.submit(plan.number, replace(request_for(config, plan, folder, current=current), nulls=0))
        elif waiting:
            _take(_next(waiting, config, workers), folder, say)
            show(f"known functions: {len(left) - len(open_) - len(waiting)} of {len(left)} cohorts")
        else:
            return False
    return True


def _take(record: CohortRecord, folder: RunFolder, say: Callable[[str], object]) -> None:
    """Keep a cohort; the first one tells whether the controls are any good."""
    if record.plan.number == 0:
        check_reference(record.result, record.tasks, "launch with smaller training.learning_rates")
        for line in notes(record.result, record.tasks):
            say(line)
    keep_known(folder, record)
    folder.sweep_checkpoints(lambda number: number == record.plan.number)


def baseline_of(folder: RunFolder, config: Config) -> tuple[Known, ...]:
    """The known functions that a run has trained, in the order of the catalogue; none without a baseline.

    Raises:
        DamageError: a file was damaged since, or is missing.
    """
    found: list[Known] = []
    for record in _trained(folder, config):
        first = record.plan.number * config.cohorts.size
        found += [
            Known(str(trial.attributes[NAME]), replace(trial, id=f"known.{first + n}"))
            for n, trial in enumerate(trials_of(record, config.scoring))
        ]
    return tuple(found)


def known_trained(folder: RunFolder, config: Config) -> int:
    """How many known functions a run has trained so far.

    Raises:
        DamageError: a file was damaged since, or is missing.
    """
    return sum(len(record.plan.proposals) for record in _trained(folder, config))


def _trained(folder: RunFolder, config: Config) -> list[CohortRecord]:
    """The finished cohorts; once the search has begun none may be missing."""
    records = list(known_cohorts(folder))
    if folder.trace.exists() and folder.trace.stat().st_size:
        there = {record.plan.number for record in records}
        lost = next((number for number in range(len(there)) if number not in there), None)
        if lost is not None or (not there and functions_of(config)):
            raise DamageError(
                f"{folder.known(lost or 0)} is missing; {command('resume', folder.path)} trains its functions again"
            )
    return records


def _is_there(plan: Plan, config: Config, folder: RunFolder, say: Callable[[str], object]) -> bool:
    record, path = known_cohort(folder, plan.number), folder.known(plan.number)
    if record and (record.plan.expressions, record.tasks) == (plan.expressions, config.tasks):
        return True
    if path.exists():
        wrong = "has other functions or tasks than this run" if record else "torn or changed"
        say(f"{path}: {wrong}; it is trained again")
    return False


def _next(waiting: dict[int, Plan], config: Config, workers: Workers) -> CohortRecord:
    """The next cohort that is finished."""
    finished = workers.next()
    if finished is None:
        raise KeyboardInterrupt
    return finished_cohort(config, waiting.pop(finished[0]), cohort_of(finished[1]))
