"""Signs in a job: one of f, f(-x), -f(x) and -f(-x) is trained where every task takes them for one."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from primitives.equivalence.classes import class_of, same_function
from primitives.equivalence.signs import SIGNS, sign_class, sign_orbit
from primitives.expression.parsing import parse
from primitives.grammars import grammar
from search import Job, Run
from search.config import checked, load_config
from search.engine.known import KnownClasses
from search.engine.start import left_out
from search.errors import ConfigError
from search.signs import with_signs
from tests.search_tests.conftest import Told, contents

POOLED = """\
import torch
from torch import nn
from evaluators import Task

class Pooled(Task):
    name = "pooled"

    def network(self):
        return nn.Sequential(
            nn.Conv1d(1, 8, 3), nn.ReLU(), nn.MaxPool1d(2), nn.Flatten(), nn.Linear(24, 3)
        )

    def data(self, part):
        generator = torch.Generator().manual_seed(len(part))
        return torch.randn(96, 1, 8, generator=generator), torch.randint(3, (96,), generator=generator)
"""
START = [
    "max(x,sin(x))",
    "-max(x,sin(x))",
    "max(-x,sin(-x))",
    "min(x,sin(x))",
    "tanh(2*x)",
    "max(-x,0)",
    "2*x**2",
    "-x**2",
]
CHANGES = [f"start={START}", "cohorts.size=8", "budget=8", "confirmation.finalists=0"]
GROUPS = [(), *((sign,) for sign in SIGNS), SIGNS]


@pytest.fixture
def pooled(small: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The small job, in a folder with a task of which f(-x) alone is f."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    (small.parent / "pooled.py").write_text(POOLED)
    return small


def expressions(run: Run) -> list[str]:
    return [str(row["expression"]) for row in run.classes()]


def test_one_of_an_orbit_is_trained(small: Path) -> None:
    told = Told()
    run = Job.load(small, CHANGES).launch("one", reporter=told)
    trained = expressions(run)
    assert trained[:3] == ["max(x,sin(x))", "tanh(2*x)", "2*x**2"]
    assert len({sign_class(parse(text), exact=False) for text in trained}) == len(trained) == 8
    assert yaml.safe_load(run.folder.config.read_text())["training"]["signs"] == list(SIGNS)
    assert any(line.startswith("signs: mirrored, negated, point-reflected functions train like") for line in told.lines)
    left = [line for line in told.lines if line.startswith("start: ")]
    assert left == [
        "start: -max(x,sin(x)) is not trained: it equals max(x,sin(x)) up to a factor and signs",
        "start: max(-x,sin(-x)) is not trained: it equals max(x,sin(x)) up to a factor and signs",
        "start: min(x,sin(x)) is not trained: it equals max(x,sin(x)) up to a factor and signs",
        "start: max(-x,0) is not trained: it equals the control relu up to a factor and signs",
        "start: -x**2 is not trained: it equals 2*x**2 up to a factor and signs",
    ]


def test_a_resume_goes_on_with_its_signs(small: Path) -> None:
    straight = Job.load(small, [*CHANGES, "budget=16"]).launch("straight")
    resumed = Job.load(small, CHANGES).launch("resumed").resume(changes=["budget=16"])
    assert contents(resumed) == contents(straight)


def test_a_run_from_before_tells_signs_apart(small: Path) -> None:
    whole = Job.load(small, [*CHANGES, "training.signs=[]", "budget=16"]).launch("whole")
    assert expressions(whole)[:6] == [text for text in START if text not in ("-x**2",)][:6]
    old = Job.load(small, [*CHANGES, "training.signs=[]"]).launch("old")
    config = yaml.safe_load(old.folder.config.read_text())
    del config["training"]["signs"]
    old.folder.config.write_text(yaml.safe_dump(config))
    old = Run.open("old")
    assert old.config.scoring.signs == ()
    assert all(row.key == class_of(parse(row.expression), exact=False) for row in old.class_rows())
    assert contents(old.resume(changes=["budget=16"])) == contents(whole)


def test_what_holds_is_what_every_task_has(pooled: Path) -> None:
    def signs(tasks: list[str]) -> tuple[str, ...]:
        return Job(load_config(pooled, [f"tasks={tasks}"]), "job").config.scoring.signs

    assert signs(["digits"]) == SIGNS
    assert signs(["pooled.py:Pooled"]) == ("mirrored",)
    assert signs(["digits", "pooled.py:Pooled"]) == ("mirrored",)
    assert signs(["digits", "tabular-wine"]) == SIGNS


def test_signs_that_a_config_names_are_tested(pooled: Path) -> None:
    digits = load_config(pooled)
    for asked in GROUPS:
        named = digits.model_copy(update={"training": digits.training.model_copy(update={"signs": asked})})
        assert with_signs(named).scoring.signs == asked
    with pytest.raises(
        ConfigError, match=r"training\.signs: negated functions are another choice on pooled.py:Pooled: .*max_pool"
    ):
        Job.load(pooled, ["tasks=['pooled.py:Pooled']", "training.signs=[negated]"])


def test_two_signs_are_three(small: Path) -> None:
    with pytest.raises(ConfigError, match=r"training\.signs: .*name one, three or none"):
        load_config(small, ["training.signs=[mirrored, negated]"])
    with pytest.raises(ConfigError, match=r"training\.signs.*'mirrored', 'negated' or 'point-reflected'"):
        load_config(small, ["training.signs=[miror]"])
    assert checked({"budget": 1, "training": {"signs": list(reversed(SIGNS))}}, "").training.signs == SIGNS


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), signs=st.sampled_from(GROUPS), exact=st.booleans())
def test_what_is_known_is_what_counts_as_it(seed: int, signs: tuple[str, ...], exact: bool) -> None:
    expression = grammar("default").sample(np.random.default_rng(seed))
    known = KnownClasses(lambda number: expression, exact=exact, signs=signs)
    key, found = known.find(expression)
    assert not found
    known.enter(key, 0)
    for each in sign_orbit(expression):
        # an odd function's negative is its mirror image
        images = [image.expression for image in sign_orbit(each.expression) if image.said in ("", *signs)]
        counts = any(same_function(expression, image, scale=not exact) for image in images)
        assert counts or each.said not in signs
        assert known.find(each.expression)[1] == counts


def test_a_function_of_the_same_hash_is_not_taken_for_it() -> None:
    known = KnownClasses(lambda number: parse("x"), signs=SIGNS)
    key, _ = known.find(parse("max(x,sin(x))"))
    known.expect(key, parse("tanh(x)"))
    assert known.find(parse("min(x,sin(x))")) == (f"{key}~", False)


def test_a_line_says_signs_where_they_differ() -> None:
    lines = list(left_out(["2*relu(x)", "-relu(x)"], signs=SIGNS))
    assert [line.rpartition("equals ")[2] for line in lines] == [
        "the control relu up to a factor",
        "the control relu up to a factor and signs",
    ]
