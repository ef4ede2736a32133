"""Tables of known scores out of runs: every class trained to the end, with its learning curve."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from evaluators.results.json_codec import all_finite
from evaluators.training.member import best_rate
from primitives.grammars import pinned_grammar
from primitives.user_file import label
from search.config import Config
from search.engine.reporter import Reporter
from search.errors import RunError
from search.run import Job, Run
from search.storage.files import Cell, csv_text
from search.storage.run_folder import named_folder
from search.tabular.packing import write_text
from search.tabular.score_table import SCALE

#: What a table asks of its job: nobody is rejected but failures, every learning rate is trained, nothing is confirmed,
#: all have the same seeds, and known functions are rows as all others are.
CHANGES = (
    "rejection.audit=1", "training.drop_worst_rate=false", "confirmation.finalists=0", "baseline.functions=none",
    "training.race=[]",
)  # fmt: skip


def tabulated(
    job: Job, name: str | None = None, *, workers: int | None = None, reporter: Reporter | None = None
) -> Run:
    """The run of a table's job, done: launched, or continued where its folder is there.

    Args:
        job: with :data:`CHANGES`.
        name: or path of the run folder; by default the job's name and ``-table``.
        workers: number of workers instead of the config's.
        reporter: is told the progress.

    Raises:
        RunError: the folder holds a run of another job.
    """
    folder = named_folder(name or f"{job.name}-table")
    if not folder.path.exists():
        return job.launch(str(folder.path), workers=workers, reporter=reporter)
    run = Run.open(folder.path)
    _check_same(run, job.config)
    asked, changes = job.config.workers, [f"budget={job.config.budget}"]
    return run.resume(
        changes=changes, workers=workers, address=asked.address, temp_dir=asked.temp_dir, reporter=reporter
    )


def _check_same(run: Run, config: Config) -> None:
    """Refuse to continue a run that another job made; only budget and workers may differ."""
    old, new = (each.model_dump() | {"grammar": pinned_grammar(each.grammar)} for each in (run.config, config))
    others = [key for key in new if key not in ("budget", "workers") and new[key] != old[key]]
    if others:
        raise RunError(f"{run.path} is a run of another job: {', '.join(others)} differ; choose another --run")


def write_table(run: Run, path: Path) -> int:
    """Write a CSV file with one row for each class of a run, packed by gzip where the name ends in ``.gz``.

    Columns: ``expression``; the run's objectives by name, empty where the class failed; ``reason``; ``loss0``,
    ``loss1``, ... by seed, the validation losses at the end; then ``loss0@25``, ... the same at each rung, each at the
    learning rate that is best there. Where there are several tasks, ``loss0:digits`` and ``loss0:digits@25``. Where a
    factor makes another class, a column ``scale`` says ``none``.

    Returns:
        The number of rows.
    """
    scale: dict[str, Cell] = {SCALE: "none"} if run.config.exact else {}
    rows = [row | scale | losses for row, losses in zip(_scores(run), _losses(run), strict=True)]
    write_text(path, csv_text(_columns(run.config), rows))
    return len(rows)


def _columns(config: Config) -> list[str]:
    steps = (config.training.steps, *config.training.rungs)
    losses = [_name(config, seed, t, s) for s in steps for t in config.tasks for seed in range(config.training.seeds)]
    return ["expression", *config.scoring.objectives, "reason", *([SCALE] if config.exact else []), *losses]


def _name(config: Config, seed: int, task: str, step: int) -> str:
    place = f":{label(task)}" if len(config.tasks) > 1 else ""
    return f"loss{seed}{place}" + (f"@{step}" if step != config.training.steps else "")


def _scores(run: Run) -> list[dict[str, Cell]]:
    """Expression, objectives and reason of each class."""
    names = ("expression", *run.config.scoring.objectives, "reason")
    return [{name: row[name] for name in names} for row in run.classes()]


def _losses(run: Run) -> Iterator[dict[str, Cell]]:
    """Losses of each class by column, in the same order."""
    for record in run.cohorts():
        for row in record.result.candidates:
            yield {
                _name(run.config, seed, task, step): loss
                for task, by_step in row.losses.items()
                for step, losses in by_step.items()
                for best in [best_rate(row.comparison(task).costs(losses))]
                for seed, loss in enumerate(all_finite(losses[:, best].tolist()))
            }
