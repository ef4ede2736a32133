"""The accuracy floor and the test of gradients in a job: counted under their reasons, a function of the job alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evaluators.cohort import CohortRequest, run_cohort
from evaluators.errors import TaskError
from evaluators.rejection.stability import is_unstable
from evaluators.results.reasons import Reason
from primitives import parse
from search import Job, Run
from search.config import checked
from search.engine.rejection import announced

CHANGES = ["budget=4", "cohorts.size=2", "training.seeds=1", "confirmation.finalists=0"]
STABLE, UNSTABLE = "x*sigmoid(v*x)/std_gp(x)*w+b; v=1:channel, w=1:channel, b=0:channel", "x*rms_np(mean_cp(x))"
START = f"""\
start:
  - {UNSTABLE}
  - {STABLE}
  - max(x,std_cp(-x))
  - tanh(x)/rms_cp(x)
"""


@pytest.fixture
def layers(small: Path) -> Path:
    """The small job with layers, all of them given; the first explodes."""
    text = small.read_text().replace("grammar: default", "grammar: evonorm")
    small.write_text(text.replace("[digits]", "[digits-preresnet-1x4]") + START)
    return small


def rows(run: Run) -> list[tuple[Any, ...]]:
    return [(row["expression"], row["reason"], row["gain"]) for row in run.classes()]


@pytest.mark.slow
def test_what_explodes_is_not_trained(layers: Path) -> None:
    changes = [*CHANGES, "rejection.stability=true", "training.steps=4", "training.rungs=[2]"]
    run = Job.load(layers, changes).launch("one")
    reasons = {str(row["expression"]): row["reason"] for row in run.classes()}
    seed = run.config.seed
    assert {text for text, reason in reasons.items() if reason == "unstable"} == {
        text for text in reasons if is_unstable(parse(text), seed)
    }
    assert run.status().funnel.rejected[Reason.UNSTABLE] == sum(each == "unstable" for each in reasons.values()) > 0
    part = Job.load(layers, changes).launch("part", max_minutes=0.0)
    assert part.status().trained == 2
    assert rows(part.resume()) == rows(run)


@pytest.mark.parametrize(("floor", "gone"), [(0.999, 2), (0.001, 0)])
def test_a_floor_of_accuracy_is_counted(layers: Path, floor: float, gone: int) -> None:
    """Nothing else is: what has learnt nothing in four steps is no failure."""
    changes = [*CHANGES, "budget=2", "training.steps=4", "training.rungs=[2]", f"rejection.accuracy={floor}"]
    run = Job.load(layers, changes).launch("one")
    assert [row["reason"] or "" for row in run.classes()] == ["inaccurate" if gone else ""] * 2
    assert run.status().funnel.rejected[Reason.INACCURATE] == gone


def test_an_unstable_candidate_has_no_losses_and_its_company_the_same() -> None:
    texts = (UNSTABLE, STABLE)
    settings: dict[str, Any] = {"tasks": ("digits-preresnet-1x4",), "seed": 3, "seeds": 1, "steps": 4, "nulls": 0}
    screened, plain = (run_cohort(CohortRequest(texts, stability=each, **settings)) for each in (True, False))
    assert screened.candidates[0].reason is Reason.UNSTABLE
    assert not screened.candidates[0].losses
    for ours, theirs in zip(
        (screened.candidates[1], screened.reference), (plain.candidates[1], plain.reference), strict=True
    ):
        assert ours.reason is None
        assert ours.final("digits-preresnet-1x4").tolist() == theirs.final("digits-preresnet-1x4").tolist()


def test_a_job_of_a_task_without_accuracy_is_refused(small: Path) -> None:
    small.write_text(small.read_text().replace("[digits]", "[digits, image-inr]"))
    with pytest.raises(TaskError, match=r"task 'image-inr': rejection\.accuracy"):
        Job.load(small, ["rejection.accuracy=0.2"])


def test_what_a_job_says_at_its_start() -> None:
    def said(**rejection: object) -> str:
        return announced(checked({"budget": 1000, "rejection": rejection}, ""))

    assert said(accuracy=0.2) == "rejection: failures and accuracies below 20% at a rung only"
    assert said(stability=True) == "rejection: failures and gradients that can be made to explode only"
    assert said(accuracy=0.2, stability=True).startswith("rejection: failures, accuracies below 20% at a rung and grad")
