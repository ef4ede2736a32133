"""A job and its run: launch, resume, look at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import cached_property, partial
from pathlib import Path

from evaluators.errors import EvaluationError
from evaluators.machine.backend import Backend
from evaluators.objectives import check_names, stand_in
from primitives.errors import ExpressionError, UserFileError
from primitives.quoting import command
from primitives.user_file import CONSENT, FileNotRun, is_reference, label, running_none, was_run
from search.baseline.known import Known
from search.baseline.stage import baseline_of, functions_of, known_trained, listed, missing, settled
from search.config import Config, check_trust, load_config, to_yaml, with_pinned_files
from search.confirmation import Confirmation, confirmation_of, to_confirm
from search.confirmation.in_words import looks_in_words
from search.engine.interruption import gently, resumable
from search.engine.reporter import Reporter, Silent
from search.engine.rows import class_rows, front_rows, known_cells, known_rows
from search.engine.start import left_out
from search.engine.study import Study
from search.engine.unit import unit_of
from search.errors import DamageError, RunError
from search.launched import config_of, record_of, taken_up
from search.records.class_row import ClassRow
from search.records.cohort import CohortRecord
from search.records.environment import differences, environment
from search.records.status import Status, status_of
from search.records.timing_codec import read_timing
from search.report import report_at_end, write_front, write_report
from search.screening import screened
from search.signs import in_words, with_signs
from search.storage import Ahead, open_store, read_store, recorded_objectives, stored_trace
from search.storage.files import Cell, read_sealed, write_atomically, write_sealed
from search.storage.looks import ledger_of, read_looks
from search.storage.run_folder import RunFolder, find_run, free_name, named_folder
from search.storage.run_record import write_run_record
from search.trust import names_files
from search.work import confirm_and_time, study_of, work
from search.workers import Workers, start_workers
from search.workers.start import Asked


class Run:
    """A run folder, looked at or worked on.

    Args:
        folder: of the run.
        trust: the files that the run names may be run: where it is looked at, and wherever they lie.

    Raises:
        UserFileError: trusted, but a file is missing or was changed.
    """

    def __init__(self, folder: RunFolder, *, trust: bool = False) -> None:
        self.folder, self.trust = folder, trust
        self.path, self.name = folder.path, folder.name
        self._withheld: set[str] = set()
        if trust:
            self.config  # noqa: B018  (what is wrong with a file is said here)

    @cached_property
    def config(self) -> Config:
        """The job's; see :func:`search.launched.config_of`."""
        with running_none(self._withheld):
            config = config_of(self.folder)
        if self.trust:
            config = self._with_files(config)
        with self.looking():
            self._stand_in(config)
        return config

    @classmethod
    def open(cls, name: str | Path, *, trust: bool = False) -> Run:
        """A run by path or by its name under ``runs/``.

        Looking at a run runs no file that it names. :meth:`resume` and :meth:`confirm` run those beneath the working
        folder that lie in no run folder.

        Args:
            name: the path or name.
            trust: run all files that it names.

        Raises:
            RunError: there is no such run.
            UserFileError: trusted, but a file is missing or was changed.
        """
        return cls(find_run(name), trust=trust)

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Here no file is run; an error that comes of that names the file and the way out."""
        try:
            with running_none(self._withheld):
                yield
        except (ExpressionError, EvaluationError) as error:
            if not self._withheld:
                raise
            files = ", ".join(sorted(self._withheld))
            raise UserFileError(
                f"{error}; the run names {files}, which is not run to look at a run; {CONSENT}"
            ) from None

    def _stand_in(self, config: Config) -> None:
        """Where objectives are of files that are not run, their names and directions are those of the journal."""
        unread = [name for name in config.objectives if is_reference(name) and not was_run(name)]
        recorded = dict(recorded_objectives(self.folder)) if unread else {}
        names = list(recorded) if len(recorded) == len(config.objectives) else list(config.objectives)
        for reference, name in zip(config.objectives, names, strict=True):
            if reference in unread:
                stand_in(reference, label(name), recorded.get(name, "maximize"))

    def read(self, *, known: bool = False) -> Study:
        """The run as it is now; a running job is not disturbed.

        Args:
            known: its known functions are wanted; else they are left out where that needs a file that is not run.

        Raises:
            DamageError: what was recorded is missing or damaged.
            UserFileError: a file would have to be run, see :meth:`open`.
        """
        with self.looking():
            scoring = self.config.scoring
            store = read_store(self.folder, scoring, self._ahead)
            return Study(store, scoring, (), self._baseline(known))

    def _baseline(self, wanted: bool) -> tuple[Known, ...]:
        try:
            return baseline_of(self.folder, self.config)
        except (ExpressionError, FileNotRun):
            if wanted or not self._withheld:
                raise
            return ()

    def front(self) -> list[dict[str, Cell]]:
        """The Pareto front, cheapest first: one dict a member, with the columns of ``front.csv``."""
        return [row.cells for row in self.front_rows()]

    def classes(self) -> list[dict[str, Cell]]:
        """Every trained class with its reason, in the order of training, with the columns of ``front.csv``."""
        return [row.cells for row in self.class_rows()]

    def front_rows(self) -> list[ClassRow]:
        """The members of the Pareto front, cheapest first."""
        with self.looking():
            return front_rows(self.read(), self.config.tasks)

    def class_rows(self) -> list[ClassRow]:
        """Every trained class, in the order of training."""
        with self.looking():
            return class_rows(self.read(), self.config.tasks)

    def known(self) -> list[dict[str, Cell]]:
        """The known functions of the baseline, best first, with the columns of ``front.csv`` behind the name."""
        with self.looking():
            return known_cells(known_rows(self.read(known=True), self.config.tasks))

    def cohorts(self) -> Iterator[CohortRecord]:
        """The recorded cohorts with their learning curves, in order.

        Raises:
            RunError: one of them was lost.
        """
        store = self.read().store
        for number in range(len(store.trace)):
            if (record := store.cohort(number)) is None:
                raise RunError(
                    f"cohort {number} of {self.path} is missing or torn; {command('resume', self.path)} may mend it"
                )
            yield record

    @property
    def unit(self) -> str:
        """Of the gain: ``"nats"``, or the metric's own."""
        return unit_of(self.read().store, self.config.tasks)

    def status(self) -> Status:
        """How far the run is."""
        with self.looking():
            return status_of(
                str(self.path),
                self.config,
                stored_trace(self.folder, self._ahead),
                self.confirmation(),
                known_trained(self.folder, self.config),
            )

    @property
    def _ahead(self) -> Ahead:
        return Ahead(self.config.cohorts.lag + 1, self.config.cohorts.size)

    def confirmation(self) -> Confirmation | None:
        """What the confirmation found, or None if there was none yet.

        Raises:
            DamageError: its file is torn or changed, or was lost.
        """
        return confirmation_of(self.folder)

    def timing(self) -> dict[str, float]:
        """Measured time of the finalists by id, in ReLUs; empty if there was no confirmation yet.

        Raises:
            DamageError: its file is torn or changed.
        """
        return read_timing(self.folder.timing, self.folder.run)

    def looks_before(self, confirmation: Confirmation) -> list[str]:
        """A sentence for each task whose confirmation data were looked at before, by any run beside this one."""
        ledger = read_looks(ledger_of(self.folder))
        return [*looks_in_words(confirmation, ledger.looks), *ledger.damage]

    def report(self, path: str | Path | None = None) -> Path:
        """Write the run's page and return its path; ``report.html`` in the run folder by default.

        Raises:
            FileError: the file cannot be written.
        """
        with self.looking():
            return write_report(self.folder, self.config, self.read(), None if path is None else Path(path))

    def draw_front(self, path: str | Path) -> None:
        """Draw the front to a .svg file; see :func:`search.report.write_front`."""
        with self.looking():
            write_front(self.folder, self.config, self.read(), Path(path))

    def resume(
        self, *, changes: Iterable[str] = (), workers: int | None = None, address: str | None = None,
        temp_dir: str | None = None, reporter: Reporter | None = None, max_minutes: float | None = None,
    ) -> Run:  # fmt: skip
        """Continue to the budget, or to a larger one.

        Args:
            changes: ``budget=N`` only; everything else would make another run of it.
            workers: number of workers; results do not depend on it.
            address: address of a Ray cluster, instead of the config's.
            temp_dir: short folder for the files of a Ray on this machine, instead of the config's.
            reporter: is told the progress.
            max_minutes: stop at the end of a cohort after this time.

        Raises:
            RunError: the run is in use or damaged, or a change is not allowed.
            UserFileError: the run names a file that is not pinned, was changed, or may not be run, see :meth:`open`.
        """
        reporter = reporter or Silent()
        with self.folder.locked(reporter.say), resumable(self.folder, reporter.say):
            self._take_up(reporter.say, address, _budget(changes))
            with_pinned_files(self.config)
            self._check_machine(reporter)
            work(
                self.config,
                self.folder,
                _workers(self.config, reporter, workers, address, temp_dir),
                reporter,
                max_minutes,
            )
        return self

    def _take_up(self, say: Callable[[str], object], address: str | None, budget: int | None = None) -> None:
        """The config to work with, and the files that it names; what is damaged is written again."""
        with running_none(self._withheld):
            config = taken_up(self.folder, say, budget)
        self.config = self._with_files(config, address)

    def _with_files(self, config: Config, address: str | None = None) -> Config:
        """The config with the operators and objectives of its files, if they may be run."""
        check_trust(config, self.folder.config, trust=self.trust, address=address)
        config = config_of(self.folder)
        check_names(filter(is_reference, config.objectives))
        self._withheld.clear()
        return config

    def _check_machine(self, reporter: Reporter) -> None:
        """Say and record where bits may differ from here on."""
        path, old, new = self.folder.environment, None, environment()
        with suppress(DamageError):
            old = read_sealed(path, self.folder.run)
        if old is None:
            reporter.say(f"{path} is missing or damaged; results may differ from here on")
            write_sealed(path, new, self.folder.run, indent=1)
        elif changed := differences(old, new):
            reporter.say("this machine is of another kind; results may differ from here on: " + ", ".join(changed))
            write_sealed(path, new | {"before": old}, self.folder.run, indent=1)

    def confirm(
        self, *, workers: int | None = None, address: str | None = None, temp_dir: str | None = None,
        reporter: Reporter | None = None,
    ) -> Confirmation:  # fmt: skip
        """Confirm the finalists (again) and write ``confirmation.json``; see :meth:`resume`."""
        reporter = reporter or Silent()
        with self.folder.locked(reporter.say), resumable(self.folder, reporter.say, "confirm"):
            self._take_up(reporter.say, address)
            if missing(self.config, self.folder, reporter.say):
                raise RunError(
                    f"{self.path}: not all known functions are trained, with which finalists are compared; "
                    f"{command('resume', self.path)} trains them"
                )
            store = open_store(self.folder, reporter.say, self.config.scoring)
            study = study_of(self.config, self.folder, store)
            if not to_confirm(self.config, study):
                raise RunError(
                    f"{self.path}: nothing to confirm: no class has a gain above 0, or confirmation.finalists is 0"
                )
            with_pinned_files(self.config)
            with _workers(self.config, reporter, workers, address, temp_dir) as pool, gently(pool, reporter.say):
                confirmation = confirm_and_time(self.config, self.folder, study, pool, reporter)
            report_at_end(self.folder, self.config, study, reporter)
            return confirmation


class Job:
    """A config that can be launched; files of the user are tried out and pinned.

    Args:
        config: the job.
        name: stem of its runs' names.

    Attributes:
        notes: what the try-out has to say; said at launch.

    Raises:
        ActsearchError: a file of the user cannot be used.
    """

    def __init__(self, config: Config, name: str) -> None:
        pinned, self.notes = with_pinned_files(config)
        self.config, self.name = settled(with_signs(pinned)), name

    @classmethod
    def load(cls, source: str | Path, changes: Iterable[str] = (), *, trust: bool = False) -> Job:
        """Read a job from a path or the name of a shipped config; see :func:`search.config.load_config`."""
        return cls(load_config(source, changes, trust=trust), Path(source).stem)

    def launch(
        self, run: str | None = None, *, workers: int | None = None, reporter: Reporter | None = None,
        max_minutes: float | None = None,
    ) -> Run:  # fmt: skip
        """Run the job to its end in a new folder under ``runs/``.

        Args:
            run: name or path of the folder; by default the job's name, numbered if it is taken.
            workers: number of workers instead of the config's; results do not depend on it.
            reporter: is told the progress.
            max_minutes: stop at the end of a cohort after this time.

        Raises:
            RunError: the folder exists.
        """
        folder = free_name(self.name) if run is None else named_folder(run)
        folder.check_free()
        to_yaml(self.config)  # one that is too long is refused before anything is there
        reporter = reporter or Silent()
        with _workers(self.config, reporter, workers) as pool:  # before anything is written: they may not start
            folder.create(self._write)
            made = Run(folder, trust=True)  # what it names is the user's
            controls, scoring = self.config.all_controls, self.config.scoring
            known = tuple((name, expression.text) for name, expression in functions_of(self.config))
            start = left_out(
                self.config.start, controls, known, exact=scoring.exact, signs=scoring.signs,
                screened=partial(screened, config=self.config),
            )  # fmt: skip
            unused = left_out(
                listed(self.config), controls, exact=scoring.exact, signs=scoring.signs, what="baseline.functions"
            )
            for line in (*self.notes, *in_words(scoring.signs), *unused, *start):
                reporter.say(line)
            with folder.locked(), resumable(folder, reporter.say):
                work(made.config, folder, nullcontext(pool), reporter, max_minutes)
        return made

    def _write(self, folder: RunFolder) -> None:
        """The first files of a run."""
        write_atomically(folder.config, to_yaml(self.config))
        write_run_record(folder.record, record_of(self.config))
        write_sealed(folder.environment, environment(), folder.run, indent=1)


def _budget(changes: Iterable[str]) -> int | None:
    """The budget that is asked for; the last one counts."""
    budget = None
    for change in changes:
        key, _, value = change.partition("=")
        if key.strip() != "budget":
            raise RunError(f"--set {change}: a run can only be resumed with another budget; launch a new one")
        try:
            budget = int(value)
        except ValueError:
            raise RunError(f"--set {change}: expected a whole number") from None
    return budget


@contextmanager
def _workers(
    config: Config, reporter: Reporter, count: int | None, address: str | None = None, temp_dir: str | None = None
) -> Iterator[Workers]:
    given = config.workers
    count, address = given.count if count is None else count, address or given.address
    backend = Backend(config.training.device)
    if not address:  # a cluster's machines have devices of their own
        backend.check()
    # what a user's file does may need a worker's walls, and a GPU's memory is shared out among workers
    alone = names_files(config.model_dump(exclude={"workers"})) or backend.device != "cpu"
    asked = Asked(count, address, given.gpus, temp_dir or given.temp_dir, alone)
    pool = start_workers(asked, reporter.say, reporter.part)
    try:
        yield pool
        if remark := pool.remark():
            reporter.say(remark)
    finally:
        pool.close()
