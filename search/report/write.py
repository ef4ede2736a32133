"""The report as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from primitives.errors import ActsearchError
from primitives.quoting import command, quoted, visible
from search.config import Config
from search.engine.study import Study
from search.report.page import front_svg, page
from search.report.run_data import gather
from search.storage.files import write_atomically
from search.storage.run_folder import RunFolder


class Says(Protocol):
    """What a line of text can be said to."""

    def say(self, text: str) -> None:
        """A line of text."""


def write_report(folder: RunFolder, config: Config, study: Study, path: Path | None = None) -> Path:
    """Write the page of a run.

    Args:
        folder: of the run.
        config: the job's.
        study: of the run.
        path: of the file; ``report.html`` in the run folder by default.

    Returns:
        The path.

    Raises:
        FileError: the file cannot be written.
    """
    path = path or folder.report
    write_atomically(path, visible(page(gather(folder, config, study))))
    return path


def write_front(folder: RunFolder, config: Config, study: Study, path: Path) -> None:
    """Write a picture of the front.

    Raises:
        ActsearchError: the name does not end in .svg.
        FileError: the file cannot be written.
    """
    if path.suffix != ".svg":
        raise ActsearchError(f"cannot draw to {quoted(str(path))}: the name must end in .svg")
    write_atomically(path, visible(front_svg(gather(folder, config, study))))


def report_at_end(folder: RunFolder, config: Config, study: Study, reporter: Says) -> None:
    """Write the page at the end of a job, which must not fail by it: what goes wrong is said."""
    try:
        reporter.say(f"report: {write_report(folder, config, study)}")
    except Exception as error:  # a picture is no reason to lose a job
        reporter.say(f"report: not written, {type(error).__name__}: {error}; try: {command('report', folder.path)}")
