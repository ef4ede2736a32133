"""What is named as a file and is none, and what is too long, too deep or too much, is refused at once in a message."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from primitives.errors import ActsearchError, nearest
from primitives.grammars import grammar
from primitives.quoting import visible
from primitives.user_file import pinned
from search import Job, Run
from search.config import Config, checked, load_config
from search.errors import ConfigError, RunError
from search.storage.looks import read_looks
from search.tabular import score_table

Command = Callable[..., tuple[int, str, str]]
MILLION = 10**6


@pytest.fixture
def hurried() -> Iterator[None]:
    """What waits for ever fails, and so does what costs the square of its length: minutes instead of a second."""

    def late(*_: object) -> None:
        raise AssertionError("it takes too long")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(300)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def refused(command: Command, *arguments: str, codes: tuple[int, ...] = (2,)) -> str:
    """The message of a command."""
    code, out, err = command(*arguments)
    short = [argument[:40] for argument in arguments]
    assert code in codes, (short, out[:300], err[:300])
    assert "Traceback" not in err and visible(err) == err and max(map(len, err.splitlines())) <= 2000, (short, err)
    return err


def make(kind: str, suffix: str) -> str:
    """Something that is no file."""
    name = f"it{suffix}"
    path = Path(name)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(name)
    elif kind == "dangling":
        path.symlink_to("nowhere")
    elif kind == "loop":
        path.symlink_to(name)
    elif kind == "long":
        return "x" * MILLION + suffix
    elif kind == "undecodable":
        return f"\udc80{suffix}"
    return name


KINDS = ("pipe", "device", "folder", "socket", "dangling", "loop", "long", "undecodable", "missing")


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_file_is_refused_at_once(kind: str, small: Path, command: Command) -> None:
    said = {
        ".yaml": [
            ["launch", "FILE"], ["launch", "small.yaml", "--set", "grammar=FILE"],
            ["replay", "table.csv", "--strategy", "random", "--grammar", "FILE"],
        ],
        ".csv": [["replay", "FILE", "--strategy", "random"]],
        ".py": [
            ["evaluate", "x", "--task", "FILE:T"], ["evaluate", "x", "--objectives", "FILE:T"],
            ["show", "x", "--operators", "FILE:t"], ["places", "FILE:T"],
            *(["launch", "small.yaml", "--set", change] for change in (
                "tasks=['FILE:T']", "operators=['FILE:t']", "strategy='FILE:T'", "rejection.rule='FILE:T'",
                "objectives=[gain, 'FILE:T']",
            )),
        ],
    }  # fmt: skip
    Path("table.csv").write_text("expression,gain\nx,1\ntanh(x),2\nexp(x),3\n")
    for suffix, commands in said.items():
        name = make(kind, suffix)
        for arguments in commands:
            refused(command, *(each.replace("FILE", name) for each in arguments))
    assert not Path("runs").exists()


@pytest.mark.usefixtures("hurried")
def test_what_is_no_file_to_write_to(small: Path, command: Command) -> None:
    """It is left as it is: a device that a file took the place of would be lost to the machine."""
    Job.load(small, ["budget=6", "confirmation.finalists=0"]).launch("one")
    for kind in ("pipe", "device", "folder"):
        for suffix, commands in {
            ".svg": [["front", "one", "--plot", "FILE"], ["show", "x", "--plot", "FILE"]],
            ".html": [["report", "one", "--out", "FILE"]],
            ".job": [["launch", "small.yaml", "--run", "FILE"]],
            ".out": [["export", "one", "--out", "FILE"]] if kind != "folder" else [],
        }.items():
            name = os.path.abspath(make(kind, suffix))
            before = os.lstat(name).st_ino
            for arguments in commands:
                refused(command, *(each.replace("FILE", name) for each in arguments), codes=(1, 2))
            assert os.lstat(name).st_ino == before
            os.rename(name, f"{name}.{kind}")
    assert Path("/dev/zero").is_char_device()


@pytest.mark.usefixtures("hurried")
def test_nul_is_in_no_path(small: Path) -> None:
    for ask in (grammar, load_config, Run.open, pinned, lambda name: score_table.read_table(Path(name))):
        with pytest.raises(ActsearchError):
            ask("a\0/b.py:T" if ask is pinned else "a\0/b.yaml")
    with pytest.raises(ConfigError, match=r"grammar: .*NUL"):
        checked({"budget": 1, "grammar": "a\0.yaml"}, "job")


@pytest.mark.usefixtures("hurried")
def test_a_run_folder_holds_files_and_folders(small: Path, command: Command) -> None:
    run = Job.load(small, ["budget=6", "confirmation.finalists=0"]).launch("one")
    outside = small.with_name("precious")
    outside.write_text("precious")
    Path("runs", "looks.jsonl").unlink(missing_ok=True)
    os.mkfifo("runs/looks.jsonl")
    assert not read_looks(Path("runs/looks.jsonl")).looks
    for name in ("lock", ".front.csv.tmp", "report.html", "cohorts/.000001.json.tmp", "checkpoints", "exports"):
        path = run.path / name
        kept = path.rename(small.with_name("kept")) if path.exists() else None
        for wrong, message in (("link", "a link that leads out of the run folder"), ("pipe", "neither a file nor")):
            path.symlink_to(outside) if wrong == "link" else os.mkfifo(path)
            for verb in ("status", "front", "report", "export", "resume", "confirm"):
                assert f"one/{name} is {message}" in refused(command, verb, "one")
            path.unlink()
        if kept:
            kept.rename(path)
    assert outside.read_text() == "precious"
    (run.path / "inside").symlink_to("config.yaml")
    Path("link").symlink_to(run.path)
    assert Run.open("one").status().trained == Run.open("link").status().trained == 6


def _bomb() -> str:
    lines = ["budget: 1", "a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    return "\n".join(lines)


LONG = {
    "an alias bomb": _bomb(),
    "an alias in a list": "budget: 1\nstart: [&x 'tanh(x)', *x]",
    "brackets": "budget: 1\nstart: " + "[" * MILLION,
    "fewer brackets": "budget: 1\nstart: " + "[" * 10_000,
    "braces": "{" * 100_000,
    "nested lists": "budget: 1\nstart: " + "- " * 50_000,
    "a long name": f"budget: 1\ngrammar: {'x' * 200_000}",
    "a long task": f"budget: 1\ntasks: [{'x' * 200_000}]",
    "a long reference": f"budget: 1\ntasks: ['{'x' * 200_000}.py:T']",
    "a long key": f"budget: 1\n{'x' * 200_000}: 1",
    "a long strategy": f"budget: 1\nstrategy: {'x' * 200_000}",
    "a long setting": f"budget: 1\nstrategy: {{name: evolution, {'x' * 200_000}: 1}}",
    "a long value": f"budget: {'x' * 200_000}",
    "a long list for a number": f"budget: [{'1, ' * 8_000}]",
    "a long start": f"budget: 1\nstart: ['{'x+' * 100_000}x']",
    "a long control": f"budget: 1\ncontrols: ['{'x' * 200_000}']",
    "a long baseline": f"budget: 1\nbaseline: {{functions: ['{'x' * 200_000}']}}",
    "a baseline of lists": f"budget: 1\nbaseline: {{functions: [[{'1, ' * 8_000}]]}}",
    "a baseline of another kind": f"budget: 1\nbaseline: {{functions: {{a: [{'1, ' * 8_000}]}}}}",
    "a long scale": f"budget: 1\ntraining: {{scale: [{'x' * 200_000}]}}",
    "a long device": f"budget: 1\ntraining: {{device: {'x' * 200_000}}}",
    "many tasks": f"budget: 1\ntasks: [{'digits, ' * 20_000}]",
    "many controls": f"budget: 1\ncontrols: [{'sin(x), ' * 20_000}]",
    "many operators": f"budget: 1\noperators: [{'a.py:b, ' * 20_000}]",
    "many objectives": f"budget: 1\nobjectives: [{'gain, ' * 5_000}]",
    "many keys": "budget: 1\n" + "\n".join(f"k{n}: 1" for n in range(3_000)),
    "a long number": f"budget: {'9' * 10_000}",
    "a long hexadecimal number": f"budget: 0x{'f' * 100_000}",
    "a number of sixties": f"budget: {'1:' * 100_000}1.5",
    "a tag": "budget: !!python/object/apply:os.system [ls]",
    "megabytes": "budget: 1\n# " + "x" * (2 * MILLION),
}


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("what", LONG)
def test_long_deep_and_many_in_a_config_or_a_grammar(what: str, small: Path, command: Command) -> None:
    for suffix, arguments in (
        ("a.yaml", ["launch", "a.yaml", "--dry-run"]),
        ("b.yaml", ["launch", "small.yaml", "--dry-run", "--set", "grammar=b.yaml"]),
    ):
        Path(suffix).write_text(LONG[what])
        refused(command, *arguments)


@pytest.mark.usefixtures("hurried")
def test_long_arguments(small: Path, command: Command) -> None:
    long = "x" * 100_000  # a shell gives no longer one
    Job.load(small, ["budget=6", "confirmation.finalists=0"]).launch("one")
    Path("table.csv").write_text(f"{long},gain\n")
    Path("fields.csv").write_text(f"expression,gain\n{long * 3},1\n")
    Path("columns.csv").write_text("expression,gain" + ",a" * 20_000 + "\n")
    Path("number.csv").write_text(f"expression,gain\nx,{long}\n")
    for arguments in (
        ["launch", long], ["status", long], ["export", "one", long], ["list", long], ["places", long], ["show", long],
        ["export", "one", "--to", long], ["export", "one", "--to", f"{long}.py:T"], ["evaluate", long],
        ["evaluate", "x", "--task", long], ["evaluate", "x", "--objectives", long],
        ["evaluate", "x", "--controls", long],
        ["show", "x", "--operators", long], ["show", "x", "--plot", long],
        *(["replay", f"{name}.csv", "--strategy", "random"] for name in ("table", "fields", "columns", "number")),
        *(["launch", "small.yaml", "--set", change] for change in (
            long, f"{long}=1", f"grammar={long}", ".".join("a" * 50_000) + "=1", "training." * 20_000 + "=1",
            f"tasks={'[' * 50_000}", f"start={'{a: ' * 20_000}", f"seed={long}", "strategy={name: " + long + "}",
        )),
    ):  # fmt: skip
        refused(command, *arguments)


@pytest.mark.usefixtures("hurried")
def test_the_nearest_name_costs_nothing() -> None:
    assert nearest("x" * MILLION, ["x"]) == nearest("x", ["x" * MILLION]) == nearest([["x"]], ["x"]) == ""
    assert nearest("relv", ["relu"]) == "; did you mean 'relu'?"


def test_deep_objects_of_a_program(small: Path) -> None:
    deep: object = "x"
    for _ in range(60):
        deep = [deep, deep]
    wide: object = {"a": [deep] * 1000}
    for key in Config.model_fields:
        for value in (deep, wide, [wide], {"name": deep}, sys.maxsize, "x" * MILLION):
            try:
                checked({"budget": 1, key: value}, "job")
            except ConfigError as error:
                assert len(str(error)) < 5000, key
    job = Job.load(small)
    job.config = job.config.model_copy(update={"start": ("x" * 9000,) * 30})
    with pytest.raises(ConfigError, match="characters when it is written out"):
        job.launch("long")
    assert not Path("runs").exists()
    with pytest.raises(RunError, match="expected at most"):
        Job.load(small).launch("x" * MILLION)
