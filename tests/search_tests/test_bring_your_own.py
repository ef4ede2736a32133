"""docs/bring_your_own.py in jobs and on the command line: pinned in the run folder, refused when it changes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from primitives.errors import UserFileError
from search import Job, Run
from search.commands.cli import main
from search.config import Config
from tests.search_tests.conftest import SMALL, Told

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "bring_your_own.py"
TINY = SMALL.replace("budget: 24", "budget: 8").replace("size: 6", "size: 4").replace("population: 12", "population: 4")


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tiny job on a copy of the example, named by a path relative to the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "own.py").write_text(EXAMPLE.read_text())
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY.replace("[digits]", "['mine/own.py:Lines']"))
    return path


def test_a_job_is_pinned_and_resumed_from_anywhere(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Job.load(config).launch("one", max_minutes=0)
    file = config.parent / "mine" / "own.py"
    (reference,) = run.config.tasks
    assert reference.startswith(f"{file}:Lines@")
    path = (config.parent / "runs" / "one").resolve()
    monkeypatch.chdir("/")
    Run.open(path).resume()
    opened = Run.open(path)
    assert opened.config.tasks == (reference,)
    assert opened.status().trained == 8
    assert "gain_own.py:Lines" in opened.front()[0]
    whole = Job.load(config, [f"tasks=['{file}:Lines']"]).launch(str(config.parent / "two"))
    assert whole.front() == opened.front()
    assert whole.confirmation() == opened.confirmation()


def test_a_job_on_a_pruned_network_goes_on_as_if_it_had_not_stopped(config: Path) -> None:
    changes = ["tasks=['mine/own.py:PrunedLines']", "budget=4", "cohorts.size=2", "confirmation={finalists: 0}"]
    Job.load(config, changes).launch("one", max_minutes=0)
    resumed, whole = Run.open("one").resume(), Job.load(config, changes).launch("two")
    assert resumed.status().trained == whole.status().trained == 4
    assert resumed.front() == whole.front()


def test_a_changed_or_missing_file_ends_a_resume_but_not_a_look(config: Path) -> None:
    Job.load(config).launch("one", max_minutes=0)
    file, before = config.parent / "mine" / "own.py", sorted(Path("runs/one").rglob("*"))
    text = file.read_text()
    for change, message in (
        (lambda: file.write_text(text.replace("0.5", "0.6")), "own.py was changed: expected a SHA-256 that begins"),
        (file.unlink, "cannot read .*own.py: No such file"),
    ):
        change()
        with pytest.raises(UserFileError, match=message):
            Run.open("one").resume()
        assert Run.open("one").status().trained == len(Run.open("one").classes()) == 4
    assert sorted(Path("runs/one").rglob("*")) in (before, sorted([*before, Path("runs/one/lock")]))
    file.write_text(text)
    assert Run.open("one").resume().status().trained == 8


def test_a_network_that_cannot_be_stacked_trains_and_a_note_says_why(config: Path) -> None:
    """With BatchNorm and dropout it can; where it looks at values, it cannot."""
    file = config.parent / "mine" / "own.py"
    modern = file.read_text().replace("return Net()", "return Net(modern=True)")
    file.write_text(modern)
    assert Job.load(config).notes == ()
    file.write_text(modern.replace("return self.head(", "x = x + float(x.mean()) * 0\n        return self.head("))
    job = Job.load(config, ["budget=4"])
    (note,) = job.notes
    assert "its models are trained one at a time, since they cannot be stacked: " in note
    told = Told()
    assert job.launch("one", reporter=told).status().trained == 4
    assert told.lines[0] == note


def test_a_job_with_a_loop_and_a_shipped_task(config: Path) -> None:
    """With ``learning_rates: []`` each task has its own."""
    changes = ["tasks=['mine/own.py:LinesInMyLoop', digits]", "budget=4", "training.learning_rates=[]"]
    run = Job.load(config, changes).launch("loop")
    cohort = json.loads((run.path / "cohorts" / "000000.json").read_text())["result"]
    assert len(cohort["nulls"]) == 4
    looped, digits = run.config.tasks
    assert [len(cohort["controls"]["relu"]["losses"][name]["12"][0]) for name in run.config.tasks] == [2, 3]
    assert list(cohort["controls"].pop("current")["losses"]) == [looped]
    for row in cohort["controls"].values():
        assert {name: list(losses) for name, losses in row["losses"].items()} == {
            looped: ["6", "12"],
            digits: ["6", "12"],
        }


@pytest.mark.slow
def test_workers_find_the_file(config: Path) -> None:
    alone = Job.load(config).launch("alone")
    together = Job.load(config).launch("together", workers=2)
    assert (alone.path / "front.csv").read_text() == (together.path / "front.csv").read_text()


def test_evaluate_on_the_command_line(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, code in (("Lines", 0), ("LinesInMyLoop", 0), ("Line", 2)):
        arguments = ["evaluate", "relu(x)", "--task", f"mine/own.py:{name}", "--seeds", "2", "--steps", "3", "--json"]
        monkeypatch.setattr(sys, "argv", ["actsearch", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        captured = capsys.readouterr()
        assert (end.value.code or 0) == code, captured.err
        if code:
            assert "no task 'Line'; did you mean 'Lines'?" in captured.err
        else:
            (row,) = json.loads(captured.out)
            assert row["gain_over"]["relu"] == 0.0
            assert row["gain"] == row["gain_over"]["current"] != 0.0


def test_groups_and_names_in_a_config() -> None:
    found = Config.model_validate({"budget": 4, "tasks": ["tabular", "digits"]})
    assert found.tasks == ("tabular-cancer", "tabular-wine", "tabular-diabetes", "digits")
    for tasks, message in (
        (["tabular", "tabular-wine"], "named twice"),
        (["a/own.py:Lines", "b/own.py:Lines"], "named twice"),
        (["own.py"], "expected a file and a name in it"),
    ):
        with pytest.raises(ValueError, match=message):
            Config.model_validate({"budget": 4, "tasks": tasks})
