"""What the report reckons: the funnel, provenance, lines of descent, times, ticks."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from evaluators.results.reasons import Reason
from primitives import parse
from search import Run
from search.records.trial import TrialRecord
from search.report import RunData, gather
from search.report.funnel import losses, steps
from search.report.lineage import LONGEST, line
from search.report.pictures.curve import curve_picture
from search.report.pictures.drawing import Scale
from search.report.progress import timeline
from search.report.provenance import origins, provenance
from search.report.run_data import Candidate
from tests.search_tests.made_up import made_up_run, many_candidates


def gathered(run: Run) -> RunData:
    return gather(run.folder, run.config, run.read())


def test_the_funnel_adds_up(tmp_path: Path) -> None:
    run = made_up_run(tmp_path / "run")
    status, run_data = run.status(), gathered(run)
    counts = {step.name: step.count for step in steps(run_data)}
    funnel = status.funnel
    assert counts["proposed"] == funnel.proposed and counts["new class, trained"] == funnel.trained
    assert counts["trained to the end"] == sum(1 for row in run.classes() if not row["reason"])
    gone = losses(run_data)
    assert sum(loss.count for loss in gone if loss.where != "training") == funnel.proposed - funnel.trained
    rejected = {reason.code: count for reason, count in funnel.rejected.items()}
    assert {loss.reason: loss.count for loss in gone if loss.where == "training"} == rejected
    assert funnel.rejected[Reason.WORKER_DIED] == len(run_data.errors) > 0


def test_credit_is_read_off_the_parents(tmp_path: Path) -> None:
    run = made_up_run(tmp_path / "run", start=["x*sigmoid(x)*tanh(x)"], budget=60)
    run_data = gathered(run)
    ways = origins(run_data.candidates, run.config)
    assert ways["0.0"] == "start list"
    assert {"random start", "mutation", "crossover"} <= set(ways.values())
    for candidate in run_data.candidates:
        parents = {"mutation": 1, "crossover": 2}.get(ways[candidate.id], 0)
        assert len(candidate.parents) == parents
    rows = provenance(run_data, ways)
    assert sum(row.trained for row in rows) == 60
    assert sum(row.front for row in rows) == len(run_data.front)
    finished = sum(row.finished for row in rows)
    assert sum(row.good for row in rows) == -(-finished // 20)
    assert all(row.share[0] <= row.good / row.trained <= row.share[1] for row in rows)


def made(name: str, gain: float, *parents: str) -> Candidate:
    return Candidate(TrialRecord(name, "x", "", parents), {"gain": gain})


def test_a_line_ends_at_its_founder_and_is_cut_where_it_is_long() -> None:
    chain = [made("0.0", 0.0)]
    chain += [made(f"{n}.0", 0.5 * n, f"{n - 1}.0", "0.0") for n in range(1, 40)]
    by_id = {c.id: c for c in chain}
    ways = dict.fromkeys(by_id, "crossover")
    short, long = line(chain[5], by_id, ways), line(chain[-1], by_id, ways)
    assert [b.candidate.id for b in short.births] == [f"{n}.0" for n in range(6)] and short.left_out == 0
    assert short.births[-1].father is chain[0] and short.births[-1].change == 0.5
    assert len(long.births) == LONGEST and long.left_out == 40 - LONGEST
    orphan = made("9.9", 1.0, "not there")
    assert [b.candidate for b in line(orphan, {"9.9": orphan}, {"9.9": "mutation"}).births] == [orphan]


def test_pauses_are_no_work() -> None:
    run_data = many_candidates(1_000)
    trace = [
        replace(entry, finished=entry.finished + timedelta(days=2)) if n >= 10 and entry.finished else entry
        for n, entry in enumerate(run_data.trace)
    ]
    steady, paused = timeline(run_data), timeline(replace(run_data, trace=trace))
    assert len(paused.pauses) == 1 and paused.pauses[0] == pytest.approx(2 * 24 * 60 + 1)
    assert paused.minutes == pytest.approx(steady.minutes - 1)
    assert steady.per_minute == pytest.approx(50, rel=0.01)


@pytest.mark.parametrize("text", ["x*sigmoid(x)", "exp(3*x)", "0.000001*x**2", "0.0001*relu(x)-0.0004"])
def test_a_curves_numbers_have_room(text: str) -> None:
    ticks = re.findall(r'<text x="([\d.]+)" y="[\d.]+" text-anchor="end">([^<(]+)</text>', curve_picture(parse(text)))
    assert len(ticks) >= 4
    assert all(float(end) >= 6 * len(shown) for end, shown in ticks)


@pytest.mark.parametrize("ends", [(-0.37, 1.2), (0.0, 1e-4), (1.0, 1.4), (-5e5, 3e6)])
def test_ticks_are_few_round_and_within(ends: tuple[float, float]) -> None:
    ticks = Scale(*ends, 0.0, 300.0).ticks()
    assert 3 <= len(ticks) <= 9
    assert all(ends[0] - 1e-9 <= tick <= ends[1] + 1e-9 for tick in ticks)
    log = Scale(1.0, 40.0, 0.0, 300.0, logarithmic=True)
    assert log.ticks() == pytest.approx([1, 2, 5, 10, 20])
    assert log(40.0**0.5) == pytest.approx(150.0)
