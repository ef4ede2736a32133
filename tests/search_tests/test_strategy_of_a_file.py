"""A strategy of a user's file: pinned, made from its settings, and every mistake named with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from primitives.errors import UserFileError
from search import Job, Run
from search.errors import ConfigError
from search.tabular.replay import labelled

MINE = """\
from search.strategies import Proposal, Strategy


class Mine(Strategy):
    def __init__(self, grammar, *, tries: int = 1):
        super().__init__(grammar)
        self.tries = tries

    def ask(self, history, pending, n, rng):
        return [Proposal(self.grammar.sample(rng)) for _ in range(n)]
"""
FEW = ["budget=12", "confirmation.finalists=0"]


def named(name: str, *more: str) -> list[str]:
    return [f"strategy={{{', '.join([f'name: {name!r}', *more])}}}", *FEW]


def test_a_job_is_pinned_and_resumed(small: Path) -> None:
    file = small.with_name("mine.py")
    file.write_text(MINE)
    run = Job.load(small, named("mine.py:Mine", "tries: 3")).launch("one", max_minutes=0)
    assert str(run.config.strategy["name"]).startswith(f"{file}:Mine@") and run.config.strategy["tries"] == 3
    file.write_text(MINE.replace("tries: int = 1", "tries: int = 2"))
    with pytest.raises(UserFileError, match=r"mine.py was changed: expected .* begins with \w{12}, got \w{12}"):
        Run.open("one").resume()
    assert Run.open("one").status().trained == 6
    assert "mine.py:Mine (tries 3)" in Run.open("one").report().read_text()
    file.write_text(MINE)
    assert Run.open("one").resume().status().trained == 12
    assert labelled([{"name": "mine.py:Mine", "tries": 2}]) == {
        "mine.py:Mine (tries=2)": {"name": "mine.py:Mine", "tries": 2}
    }


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        (MINE, "mine.py:Mien", "mine.py has no strategy 'Mien'; did you mean 'Mine'.; available: Mine$"),
        (MINE, "mine.py:Proposal", "Proposal is no strategy: expected a subclass of search.strategies.Strategy"),
        (MINE.replace("def ask", "def aks"), "mine.py:Mine", "strategy Mine fails: TypeError: .*abstract.*ask"),
        (MINE.replace("= tries", "= 1 / 0"), "mine.py:Mine", "mine.py, line 7: ZeroDivisionError"),
        (MINE, "mime.py:Mine", "cannot read mime.py: .*did you mean 'mine.py'"),
    ],
)
def test_what_cannot_be_used(small: Path, text: str, name: str, message: str) -> None:
    small.with_name("mine.py").write_text(text)
    with pytest.raises(UserFileError, match=message):
        Job.load(small, named(name))
    assert not Path("runs").exists()


def test_settings_and_names_are_checked(small: Path) -> None:
    small.with_name("mine.py").write_text(MINE)
    with pytest.raises(ConfigError, match="unknown setting 'trise'; did you mean 'tries'"):
        Job.load(small, named("mine.py:Mine", "trise: 3"))
    with pytest.raises(ConfigError, match="expected a file and a name in it"):
        Job.load(small, named("mine.py"))
