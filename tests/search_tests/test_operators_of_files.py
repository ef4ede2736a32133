"""Operators of a user's file: known to the grammar, the job and its workers; refusals name the file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from evaluators.cohort import CohortRequest, run_cohort
from primitives.errors import OperatorError, UserFileError
from primitives.operators.of_files import register_of_files
from primitives.operators.table import operators, remove_operator
from primitives.user_file import pinned
from search import Job, Run
from search.commands.cli import main
from search.config import Config, load_config, to_yaml
from search.engine.known import parsed
from search.errors import ConfigError

MINE = """\
from primitives import Operator

gauss = Operator(name="my_gauss", formula="exp(-a*a)")
twice = Operator(name="my_twice", formula="2*my_gauss(a)")
bad = Operator(name="my_bad", formula="expp(a)")
"""

GRAMMAR = """\
name: mine
description: two chained units
source: our own
unary: [a, my_gauss(a), tanh(a)]
binary: [a+b, a*b]
templates: [{units: 2}]
"""


@pytest.fixture
def file(small: Path) -> Iterator[Path]:
    path = small.with_name("mine.py")
    path.write_text(MINE)
    before = set(operators())
    yield path
    for name in set(operators()) - before:
        remove_operator(name)


def test_a_job_with_a_grammar_that_names_one(file: Path, small: Path) -> None:
    small.with_name("mine.yaml").write_text(GRAMMAR)
    changes = ["operators=['mine.py:gauss']", "grammar=mine.yaml", "start=['x*my_gauss(x)']", "budget=12"]
    run = Job.load(small, changes).launch("one")
    assert run.config.operators == (pinned("mine.py:gauss"),)
    assert sum("my_gauss" in str(row["expression"]) for row in run.classes()) > 1
    assert run.confirmation()
    remove_operator("my_gauss")
    assert Run.open("one").front()
    assert "my_gauss" in operators()
    remove_operator("my_gauss")
    file.unlink()
    parsed.forget()
    assert Run.open("one").front() == run.front()
    with pytest.raises(UserFileError, match=r"unknown .*'my_gauss'.* the run names .*mine.py, which is not run"):
        Run.open("one").report()
    for trust in (True, False):
        with pytest.raises(ConfigError, match=r"operators: .*cannot read .*mine.py: No such file"):
            Run.open("one", trust=trust).resume()


def test_an_old_config_has_none(small: Path) -> None:
    assert load_config(small).operators == ()
    text = to_yaml(load_config(small))
    assert text.startswith("operators: []\ngrammar: default\n")
    assert Config.model_validate({"budget": 4}).operators == ()


def test_they_are_registered_once_and_in_order(file: Path) -> None:
    register_of_files(["mine.py:gauss", "mine.py:twice"])
    register_of_files(["mine.py:twice", pinned("mine.py:gauss")])
    assert {"my_gauss", "my_twice"} <= set(operators())


def test_refusals(file: Path) -> None:
    for name, kind, message in (
        ("bad", OperatorError, "mine.py: operator 'my_bad' is refused: formula 'expp"),
        ("gaus", UserFileError, "has no operator 'gaus'; did you mean 'gauss'.; available: gauss, twice, bad"),
        ("Operator", UserFileError, "Operator is no operator: expected an instance of primitives.Operator"),
    ):
        with pytest.raises(kind, match=message):
            register_of_files([f"mine.py:{name}"])
    register_of_files(["mine.py:gauss"])
    file.write_text(MINE.replace("-a*a", "-2*a*a"))
    with pytest.raises(OperatorError, match=r"the name is taken; .*a file that was changed needs a new process"):
        register_of_files(["mine.py:gauss"])


def test_a_worker_refuses_another_file(file: Path) -> None:
    request = CohortRequest(("my_gauss(x)",), ("digits",), 0, 1, 2, nulls=0, operators=(pinned("mine.py:gauss"),))
    assert len(run_cohort(request).candidates) == 1
    file.write_text(f"{MINE}\n")
    for changed in (request, replace(request, operators=(), rule=f"{file}:gauss@000000000000")):
        with pytest.raises(UserFileError, match=r"mine.py was changed: expected .* begins with \w{12}, got \w{12}"):
            run_cohort(changed)


def test_commands_take_them(
    file: Path, small: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table = small.with_name("table.csv")
    table.write_text("expression,gain\nmy_gauss(x),0.5\nx*my_gauss(x),0.1\nx+my_gauss(x),0.2\nx-my_gauss(x),0.3\n")
    small.with_name("mine.yaml").write_text(GRAMMAR)
    Job.load(small, ["budget=6", "confirmation.finalists=0"]).launch("one")
    own = ["--operators", "mine.py:gauss"]
    replayed = ["--strategy", "random", "--grammar", "mine.yaml", "--budget", "4", "--repeats", "2"]
    for arguments in (
        ["show", "x*my_gauss(x)", "--json"],
        ["evaluate", "x*my_gauss(x)", "--seeds", "2", "--steps", "3"],
        ["replay", "table.csv", *replayed],
        ["export", "one", "--to", "latex"],
    ):
        monkeypatch.setattr(sys, "argv", ["actsearch", *arguments, *own])
        with pytest.raises(SystemExit) as end:
            main()
        assert not end.value.code, capsys.readouterr().err
        assert "my_gauss" in operators()
        remove_operator("my_gauss")
