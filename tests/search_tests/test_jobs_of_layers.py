"""A job of layers and of one function per place: killed in the middle of a cohort, or with workers, it is the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from search import Job, Run
from tests.search_tests.test_checkpoints import contents, kill_at_a_rung

CHANGES = ["budget=12", "training.steps=60", "training.rungs=[10, 50]", "confirmation.finalists=0"]
START = """\
start:
  - layers(sin(10*x),relu(x),relu(x))
  - x/max(std_np(x),v*x+std_p(x))*w+b; v=1:channel, w=1:channel, b=0:channel
  - layers(x*sigmoid(beta*x),x/rms_c(x)); beta=1:network
"""


@pytest.fixture
def layers(small: Path) -> Path:
    """The small job with layers: three of its own, others out of a grammar."""
    text = small.read_text().replace("grammar: default", "grammar: evonorm").replace("[digits]", "[digits-cnn-2x4]")
    small.write_text(text + START)
    return small


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_killed_in_the_middle_of_a_cohort(layers: Path, workers: int) -> None:
    kill_at_a_rung(layers, "killed", CHANGES)
    resumed = Run.open("killed").resume(workers=workers)
    whole = Job.load(layers, CHANGES).launch("whole")
    assert resumed.folder.front.read_bytes() == whole.folder.front.read_bytes()
    assert contents(resumed) == contents(whole)
    trained = [str(row["expression"]) for row in whole.classes()]
    assert sum("layers(" in text for text in trained) == 2
    assert sum("_np(" in text or "_gp(" in text for text in trained) > 2
    assert all(row["reason"] in ("", None) or row["gain"] is None for row in whole.classes())
