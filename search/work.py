"""A job at work in its run folder: repair, search, confirm."""

from __future__ import annotations

import gc
import math
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress

from evaluators.errors import RecordError
from evaluators.machine.running import seconds_run
from evaluators.machine.timing import time_ratios
from evaluators.native.library import why_anew, why_none
from evaluators.results.reference_loss import notes
from primitives.ending import contained
from primitives.expression.parsing import parse
from primitives.user_file import label
from search.baseline.stage import baseline_of, missing, train_baseline
from search.config import Config
from search.confirmation import Confirmation, confirm, read_confirmation, to_confirm, write_confirmation
from search.confirmation.in_words import power_expected
from search.confirmation.looks import looks_of
from search.engine.interruption import gently
from search.engine.loop import Progress, search
from search.engine.mixtures import in_words as mixtures_in_words
from search.engine.racing import announced_race
from search.engine.recorder import Recorder
from search.engine.rejection import announced, concluded, summary
from search.engine.reporter import Reporter
from search.engine.rivals import keeps_current
from search.engine.rows import write_front_csv
from search.engine.study import Study
from search.errors import DamageError, FileError
from search.records.cohort import Passed
from search.records.timing_codec import read_timing, write_timing
from search.records.trace_entry import TraceEntry, spent
from search.report import report_at_end
from search.storage import Store, open_store
from search.storage.looks import ledger_of, record_looks
from search.storage.run_folder import RunFolder
from search.workers import Workers
from search.workers.result_cache import ResultCache

REASONS = 3  # of which a user is told why torch trained candidates
DEAR = 10.0  # milliseconds a class to propose, of which a user should know


def work(
    config: Config, folder: RunFolder, workers: AbstractContextManager[Workers], reporter: Reporter,
    max_minutes: float | None = None,
) -> None:  # fmt: skip
    """Search to the end and confirm; the caller holds the lock. Workers are started if there is something to do."""
    until = math.inf if max_minutes is None else seconds_run() + 60 * max_minutes
    reporter.say(f"{folder.path}: up to {config.budget} classes on {', '.join(map(label, config.tasks))}")
    reporter.say(config.conditions_in_words)
    for line in filter(None, (why_none(), why_anew()) if config.training.device == "cpu" else ()):
        reporter.say(line)
    reporter.say(announced(config))
    if config.training.race:
        reporter.say(announced_race(config.training.race, config.training.seeds))
    if power := power_expected(config):
        reporter.say(power)
    store, left = open_store(folder, reporter.say, config.scoring), missing(config, folder, reporter.say)
    known = () if left else baseline_of(folder, config)
    study = Study(store, config.scoring, config.all_controls, known)
    write_front_csv(folder, study, config.tasks)
    if not left and spent(store.trace) >= config.budget and not _to_confirm(config, folder, study):
        _time_again(folder, reporter.say)
        reporter.say(f"nothing is left to do: {study.trials} classes trained")
        return
    with workers as pool, gently(pool, reporter.say), contained():
        if left:
            reporter.say(f"training {sum(len(plan.proposals) for plan in left)} known functions")
            current = keeps_current(config, store)
            if not train_baseline(
                left, config, folder, pool, reporter.say, reporter.part, current=current, until=until
            ):
                reporter.say("ended: time, before all known functions were trained")
                return
        _search_and_confirm(config, folder, study_of(config, folder, store), pool, reporter, until)


def study_of(config: Config, folder: RunFolder, store: Store) -> Study:
    """The study of a run with its known functions.

    Raises:
        RunError: a file of the baseline was damaged.
    """
    return Study(store, config.scoring, config.all_controls, baseline_of(folder, config))


def _search_and_confirm(
    config: Config, folder: RunFolder, study: Study, workers: Workers, reporter: Reporter, until: float
) -> None:
    def show(progress: Progress) -> None:
        write_front_csv(folder, study, config.tasks)
        reporter.step(progress)
        record = study.store.cohort(0) if progress.entry.cohort == 0 else None
        for line in notes(record.result, record.tasks) if record else ():
            reporter.say(line)

    try:
        ended = search(config, Recorder(study, config), workers, show, folder=folder, until=until)
    finally:
        gc.unfreeze()  # what the loop took from the collector's sight
    reporter.say(f"search ended: {ended}; {study.trials} classes trained, {len(study.front.numbers)} on the front")
    if ended == "interrupted":
        raise KeyboardInterrupt
    trace = study.store.trace
    if (each := milliseconds_to_propose(trace)) > DEAR:
        reporter.say(f"proposing took {each:.0f} ms a class, by the strategy {config.strategy_label!r} and the screens")
    if mixed := mixtures_in_words(folder, trace):
        reporter.say(mixed)
    if by_torch := trained_by_torch(trace):
        reporter.say(by_torch)
    rejection = summary(trace)
    if rejection.compute is not None:
        reporter.say(concluded(rejection))
    if ended != "time" and _to_confirm(config, folder, study):
        reporter.say("confirming the finalists")
        confirm_and_time(config, folder, study, workers, reporter)
    report_at_end(folder, config, study, reporter)


def milliseconds_to_propose(trace: Sequence[TraceEntry]) -> float:
    """What a class took to be proposed and screened, on average over the cohorts that say it; 0 if none does."""
    rows = [(entry.proposed_in, entry.counts.get(Passed.ACCEPTED, 0)) for entry in trace if entry.proposed_in > 0]
    classes = sum(count for _, count in rows)
    return 1e3 * sum(seconds for seconds, _ in rows) / classes if classes else 0.0


def trained_by_torch(trace: Sequence[TraceEntry]) -> str:
    """How often torch trained a candidate instead of the native engine, and mostly why; "" if it never did."""
    counts: Counter[str] = Counter()
    for entry in trace:
        counts.update(entry.by_torch)
    if not counts:
        return ""
    named = "; ".join(f"{reason} ({count} of them)" for reason, count in counts.most_common(REASONS))
    rest = f"; {len(counts) - REASONS} more reasons" if len(counts) > REASONS else ""
    return f"torch, which is slower, did {counts.total()} trainings of a candidate on a task: {named}{rest}"


def confirm_and_time(
    config: Config, folder: RunFolder, study: Study, workers: Workers, reporter: Reporter
) -> Confirmation:  # fmt: skip
    """Confirm the finalists and time them; times are a file of their own, as no two runs agree in them.

    What is trained is kept in ``confirmation/`` until both files are written.
    """
    cache = ResultCache(workers, folder.confirming, reporter.part, folder.run)
    before = _before(folder, reporter)
    confirmation = confirm(config, study, cache, before)
    write_confirmation(folder.confirmation, confirmation, folder.run)
    _record_looks(folder, confirmation, reporter)
    _time(folder, confirmation)
    cache.clear()
    return confirmation


def _time(folder: RunFolder, confirmation: Confirmation) -> None:
    """Measure the finalists' time."""
    chosen = [row.finalist for row in confirmation.finalists]
    ratios = time_ratios([parse(finalist.expression) for finalist in chosen])
    times = {row.id: round(ratio, 2) for row, ratio in zip(chosen, ratios, strict=True)}
    write_timing(folder.timing, times, folder.run)


def _time_again(folder: RunFolder, say: Callable[[str], object]) -> None:
    """Measure it anew where its file is damaged; the confirmation is whole."""
    try:
        read_timing(folder.timing, folder.run)
    except (DamageError, RecordError) as error:
        if (confirmation := read_confirmation(folder.confirmation, folder.run)) is not None:
            _time(folder, confirmation)
            say(f"{error}; measured again")


def _record_looks(folder: RunFolder, confirmation: Confirmation, reporter: Reporter) -> None:
    """Note in the ledger what was looked at; a job goes on without."""
    try:
        record_looks(ledger_of(folder), looks_of(confirmation, folder.name))
    except FileError as error:
        reporter.say(f"{error}; later confirmations will not count this one among the looks at the same data")


def _before(folder: RunFolder, reporter: Reporter) -> Confirmation | None:
    """What an earlier confirmation found; a damaged file is said and counts as none."""
    try:
        return read_confirmation(folder.confirmation, folder.run)
    except (DamageError, RecordError) as error:
        why = str(error).removeprefix(f"{folder.confirmation}: ")
        reporter.say(
            f"{folder.confirmation} is damaged ({why}); it is written anew, and earlier confirmations are not counted"
        )
    return None


def _to_confirm(config: Config, folder: RunFolder, study: Study) -> bool:
    """True if there is something to confirm, and what is trained now was not confirmed to the end yet."""
    with suppress(DamageError, RecordError):
        confirmation = read_confirmation(folder.confirmation, folder.run)
        if confirmation is not None and confirmation.trained == study.trials and not folder.confirming.exists():
            return False
    return to_confirm(config, study)
