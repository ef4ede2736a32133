"""Workers that die: the offender alone is recorded as failed. These tests start Ray."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evaluators.cohort import CohortRequest, run_cohort
from search import workers as module
from search.workers import InProcess, RayWorkers

REQUEST = CohortRequest(("tanh(x)", "x*atan(x)", "erf(x)", "sin(x)"), ("digits",), 0, 2, 4, rates=(0.01,))


class _Fragile(module._Worker):
    """A worker that dies at one candidate, and once at another."""

    def run(self, request: CohortRequest) -> dict[str, Any]:
        mark = Path(os.environ["ACTSEARCH_TEST_MARK"])
        if "x*atan(x)" in request.expressions:
            os._exit(1)
        if "sin(x)" in request.expressions and not mark.exists():
            mark.touch()
            os._exit(1)
        return run_cohort(request)


@pytest.mark.slow
@pytest.mark.parametrize("offender", [0, 1])
def test_the_offender_alone_fails(offender: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_Worker", _Fragile)
    here = str(Path(__file__).parent)
    monkeypatch.setenv("PYTHONPATH", here)
    monkeypatch.setitem(module.ENVIRONMENT, "ACTSEARCH_TEST_MARK", str(tmp_path / "mark"))
    texts = ["tanh(x)", "erf(x)", "sin(x)"]
    texts.insert(offender, "x*atan(x)")
    request = replace(REQUEST, expressions=tuple(texts))
    pool = RayWorkers(2 - offender)
    try:
        pool.submit(7, request)
        pool.submit(8, replace(REQUEST, expressions=("erf(x)",)))
        results = dict([pool.next(), pool.next()])
    finally:
        pool.close()
    alone = run_cohort(request)
    result = results[7]
    assert results[8]["controls"] == alone["controls"]
    assert [row["reason"] for row in result["candidates"]].index("worker-died") == offender
    assert "died" in result["candidates"][offender]["error"]
    for slot in {0, 1, 2, 3} - {offender}:
        assert result["candidates"][slot] == alone["candidates"][slot]
    assert result["controls"] == alone["controls"]


def test_ray_gives_what_this_process_gives() -> None:
    pool, here = RayWorkers(1), InProcess()
    try:
        for workers in (pool, here):
            workers.submit(0, REQUEST)
        (_, far), (_, near) = pool.next(), here.next()
    finally:
        pool.close()
    assert far["candidates"] == near["candidates"]
    assert far["controls"] == near["controls"]
    assert far["nulls"] == near["nulls"]


def test_a_worker_of_another_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "version", lambda name: "0.0.1")
    with pytest.raises(module.WorkerError, match=r"the worker runs actsearch .*, the driver 0\.0\.1"):
        RayWorkers(1)
