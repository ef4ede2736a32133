"""A run folder may be a stranger's: looking at it runs no file that it names, and going on asks for its own word."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from evaluators.objectives import registry
from primitives.errors import UserFileError
from primitives.operators.table import operators, remove_operator
from primitives.user_file import pinned
from search import Job, Run
from search.config import load_config
from tests.search_tests.conftest import forged_config

Command = Callable[..., tuple[int, str, str]]

#: Leaves a mark when it is run; each name is what one key of a config may want.
EVIL = """\
from pathlib import Path

from evaluators.objectives.formula import FormulaObjective
from evaluators.rejection import RungRule
from evaluators.tasks.shipped.digits import Digits
from primitives import Operator
from search.strategies.random import Random

Path("{mark}").touch()
gauss = Operator(name="{name}", formula="exp(-a*a)")


class Mine(Digits):
    name = ""


class Size(FormulaObjective):
    name = "their_size"
    unit = "nodes"
    direction = "minimize"
    formula = "nodes of the graph"
    source = "our own"

    def of(self, expression) -> float:
        return float(expression.size)


class Drawn(Random):
    pass


class Rule(RungRule):
    name = "theirs"

    def calibrate(self, calibration, target):
        return {{}}

    def is_over(self, losses, thresholds):
        return False
"""
"""Key -> its value in the config of a launched run."""
KEYS = {
    "operators": ["FILE:gauss"],
    "tasks": ["FILE:Mine"],
    "objectives": ["gain", "FILE:Size"],
    "strategy": {"name": "FILE:Drawn"},
    "rejection": {"rule": "FILE:Rule"},
    "confirmation": {"finalists": 1, "seeds": 6, "steps": 12, "rounds": 0, "unseen": "FILE:Mine"},
}


@pytest.fixture
def run(small: Path) -> Run:
    return Job.load(small, ["budget=6"]).launch("one", max_minutes=0)


@pytest.fixture
def evil(
    small: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., tuple[Path, Path]]]:
    """Makes a file and gives it with its mark."""
    before = set(operators())
    monkeypatch.setattr(registry, "_LOADED", {})
    monkeypatch.setattr(registry, "_UNREAD", {})

    def make(folder: Path) -> tuple[Path, Path]:
        folder.mkdir(parents=True, exist_ok=True)
        mark = tmp_path_factory.mktemp("marks") / "was-run"
        name = f"their_{mark.parent.name.replace('-', '_')}"
        (folder / "evil.py").write_text(EVIL.format(mark=mark, name=name))
        return folder / "evil.py", mark

    yield make
    for name in set(operators()) - before:
        remove_operator(name)


def name_in(run: Run, key: str, file: object, *, pin: bool = True) -> None:
    """Let the config of a run name the file."""

    def filled(value: object) -> object:
        if isinstance(value, dict):
            return {k: filled(v) for k, v in value.items()}
        if isinstance(value, list):
            return [filled(v) for v in value]
        if isinstance(value, str) and value.startswith("FILE"):
            return pinned(value.replace("FILE", str(file))) if pin else value.replace("FILE", str(file))
        return value

    data = yaml.safe_load(run.folder.config.read_text())
    value = filled(KEYS[key])
    if key == "tasks":  # as launch settles them
        data["training"] |= {"initial": ["drawn"], "scale": ["unit"]}
    data[key] = data[key] | value if isinstance(value, dict) and key != "strategy" else value
    forged_config(run, data)


LOOKS = (
    ("status", "one"), ("front", "one"), ("front", "one", "--all"), ("front", "one", "--known"),
    ("front", "one", "--plot", "front.svg"), ("report", "one"), ("export", "one"), ("front", "one", "--json"),
)  # fmt: skip


@pytest.mark.parametrize("key", KEYS)
def test_looking_runs_nothing_and_going_on_asks(
    key: str,
    run: Run,
    evil: Callable[..., tuple[Path, Path]],
    command: Command,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    file, mark = evil(tmp_path_factory.mktemp("elsewhere"))
    name_in(run, key, file)
    for arguments in LOOKS:
        code, _, err = command(*arguments)
        assert not mark.exists(), arguments
        assert "Traceback" not in err
        assert code == 0, (arguments, err)
    for verb in ("resume", "confirm"):
        code, _, err = command(verb, "one")
        assert code == 2 and not mark.exists()
        assert f"{key}" in err and f"names the file {file}, which lies outside this folder" in err
        assert "look at it, then say --trust" in err
    code, _, err = command("launch", "runs/one/config.yaml", "--dry-run")
    assert code == 2 and "say --trust" in err and not mark.exists()
    text = file.read_text()
    file.write_text(text + "\n")
    code, _, err = command("resume", "one", "--trust")
    assert code == 2 and "was changed" in err and not mark.exists()
    file.write_text(text)
    command("resume", "one", "--trust")
    assert mark.exists()


@pytest.mark.parametrize("key", KEYS)
def test_what_is_not_pinned_is_refused_with_its_key(
    key: str, run: Run, evil: Callable[..., tuple[Path, Path]], command: Command
) -> None:
    _, mark = evil(run.path)
    name_in(run, key, "runs/one/evil.py", pin=False)
    for verb in ("resume", "confirm"):
        for more in ([], ["--trust"]):
            code, _, err = command(verb, "one", *more)
            assert (code, mark.exists()) == (2, False)
            assert f"{key}" in err and "is not pinned" in err, err


def test_whose_a_file_is(run: Run, small: Path, evil: Callable[..., tuple[Path, Path]]) -> None:
    own, link = small.parent / "mine", small.parent / "linked"
    away = small.parent.parent / f"{small.parent.name}-away"
    link.symlink_to(away)
    copied = small.parent / "results" / "copied"
    for folder, foreign in (
        (own, ""), (away, "outside this folder"), (link, "outside this folder"), (run.path, "in a run folder"),
        (run.path.parent, "in a run folder"), (run.path / "deep" / "er", "in a run folder"),
        (copied / "code", "in a run folder"),
    ):  # fmt: skip
        shutil.copytree(run.path, copied, dirs_exist_ok=True)
        away.mkdir(exist_ok=True)
        file, mark = evil(folder)
        name_in(run, "tasks", file)
        opened = Run.open("one")
        if foreign:
            with pytest.raises(UserFileError, match=f"which lies {foreign}; look at it"):
                opened.resume(max_minutes=0)
            with pytest.raises(UserFileError, match=f"which lies {foreign}; look at it"):
                load_config(run.folder.config)
        assert not mark.exists()
        shutil.rmtree(folder) if folder not in (run.path, run.path.parent, link) else None


def test_a_cluster_is_the_users_or_asked_for(run: Run, command: Command) -> None:
    data = yaml.safe_load(run.folder.config.read_text())
    data["workers"] = {"count": 1, "address": "there:1"}
    forged_config(run, data)
    for arguments in (["resume", "one"], ["confirm", "one"], ["launch", "runs/one/config.yaml"]):
        code, _, err = command(*arguments)
        assert code == 2 and "workers.address: the run names the Ray cluster 'there:1'" in err
        assert "say --address or --trust" in err
    assert command("status", "one")[0] == command("front", "one")[0] == 0
    assert Run.open("one", trust=True).config.workers.address == "there:1"
    changes = ["workers.address=null", "workers.count=0"]
    assert load_config(run.folder.config, changes).workers.address is None


def test_a_stranger_may_not_hide_a_file_in_yaml(
    run: Run, evil: Callable[..., tuple[Path, Path]], command: Command
) -> None:
    """A strategy may be YAML in a text."""
    file, mark = evil(run.path)
    data = yaml.safe_load(run.folder.config.read_text())
    data["strategy"] = f"{{name: '{pinned(f'{file}:Drawn')}'}}"
    forged_config(run, data)
    code, _, err = command("resume", "one")
    assert code == 2 and "strategy.name" in err and "in a run folder" in err and not mark.exists()


def test_operators_of_a_file_in_a_new_process(run: Run, small: Path, evil: Callable[..., tuple[Path, Path]]) -> None:
    """Rows are the texts that are stored; what must evaluate one says which file it needs."""
    shutil.rmtree(run.path)
    file, mark = evil(small.parent)
    (name,) = (line.split('"')[1] for line in file.read_text().splitlines() if line.startswith("gauss"))
    grammar = (
        f"name: g\ndescription: d\nsource: s\nunary: [{name}(a), tanh(a)]\nbinary: [a+b]\ntemplates: [{{units: 2}}]\n"
    )
    small.with_name("mine.yaml").write_text(grammar)
    changes = [
        "operators=['evil.py:gauss']", "objectives=[gain, cost, 'evil.py:Size']", "grammar=mine.yaml",
        f"start=['x*{name}(x)']", f"controls=['{name}(x)']", f"baseline.functions=['x+{name}(x)']", "budget=6",
        "confirmation.finalists=0",
    ]  # fmt: skip
    Job.load(small, changes).launch("one")
    mark.unlink()
    code = f"""
import sys
from search import Run
run = Run.open("one")
rows = run.classes()
assert any("{name}" in row["expression"] for row in rows) and "their_size" in rows[0]
assert run.front(), rows
assert run.status().trained == 6, run.status()
from search.export.export import export
named = next(row["id"] for row in rows if "{name}" in row["expression"])
for look in (run.report, run.known, lambda: export(run, [named], ["latex"])):
    try:
        look()
    except Exception as error:
        assert "evil.py" in str(error) and "--trust" in str(error), error
    else:
        raise AssertionError(look)
from pathlib import Path
assert not Path({str(mark)!r}).exists()
trusted = Run.open("one", trust=True)
assert Path({str(mark)!r}).exists()
assert trusted.front() == run.front(), trusted.front()
assert trusted.known() and trusted.report().exists()
assert Run.open("one").resume(changes=["budget=8"]).status().trained == 12
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
