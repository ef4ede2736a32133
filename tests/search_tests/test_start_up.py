"""The command line loads what a command needs when the command runs: help and wrong usage are answered at once."""

from __future__ import annotations

import subprocess
import sys

import pytest

import search
from search.commands.cli import app

#: Slow to import: torch takes a second, each of the others up to half of one.
SLOW = {"matplotlib", "networkx", "optuna", "pandas", "ray", "scipy", "sklearn", "torch"}
#: What a job and a look at its run need from the first line on.
NEEDED = {"optuna", "torch"}
COMMANDS = [command.name or str(command.callback.__name__) for command in app.registered_commands if command.callback]


def loaded(arguments: list[str], exit_code: int) -> set[str]:
    """The slow packages that a command line has imported when it ends."""
    program = (
        "import sys; sys.argv = ['actsearch', *sys.argv[1:]]\n"
        "from search.commands.cli import main\n"
        "try:\n    main()\n"
        "except SystemExit as end:\n    print('code', end.code or 0, *{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True)
    word, code, *modules = done.stdout.splitlines()[-1].split()
    assert (word, int(code)) == ("code", exit_code), done.stdout + done.stderr
    return SLOW & set(modules)


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [(["--help"], 0), (["--version"], 0), ([], 2), (["lunch"], 2), (["launch"], 2), (["launch", "x", "--sed", "1"], 2)],
    ids=str,
)
def test_help_and_wrong_usage_load_nothing_slow(arguments: list[str], exit_code: int) -> None:
    assert loaded(arguments, exit_code) == set()


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_loads_nothing_slow(command: str) -> None:
    assert loaded([command, "--help"], 0) == set()


@pytest.mark.parametrize("arguments", [["launch", "no_such.yaml"], ["status", "no_such_run"]], ids=" ".join)
def test_a_refused_name_loads_what_a_run_needs_and_no_more(arguments: list[str]) -> None:
    assert loaded(arguments, 2) <= NEEDED


def test_every_name_of_the_package_is_there() -> None:
    assert {getattr(search, name).__name__ for name in search.__all__} == set(search.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Jobs'"):
        _ = search.Jobs
