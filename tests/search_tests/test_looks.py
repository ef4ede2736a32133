"""The ledger of looks: what is counted, what a torn line and a folder that cannot be written to do."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

from search import Job, Run
from search.records.look import Look, looks_before
from search.storage.looks import Ledger, ledger_of, read_looks, record_looks
from tests.search_tests.conftest import Told

ONE = Look("2026-01-01T00:00:00+00:00", "one", "digits", "data", "draw", 12, ("sin(x)", "x"), (0.25, 1.0))


def look(**changes: object) -> Look:
    return Look(**{name: changes.get(name, getattr(ONE, name)) for name in Look.__slots__})  # type: ignore[arg-type]


def test_looks_come_back_and_are_kept_once(tmp_path: Path) -> None:
    path, other = tmp_path / "looks.jsonl", look(run="two")
    record_looks(path, [ONE])
    record_looks(path, [ONE, other])
    record_looks(path, [])
    assert read_looks(path) == Ledger((ONE, other))
    assert read_looks(tmp_path / "none.jsonl") == Ledger()


def test_a_torn_line_loses_itself_alone(tmp_path: Path) -> None:
    path = tmp_path / "looks.jsonl"
    record_looks(path, [ONE])
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"time": "20')
    record_looks(path, [look(run="two")])
    path.write_bytes(path.read_bytes() + b"[]\n\xff\n{}\n")
    assert read_looks(path) == Ledger((ONE, look(run="two")))


def test_a_changed_line_is_said_and_not_counted(tmp_path: Path) -> None:
    path, second = tmp_path / "looks.jsonl", look(run="two")
    record_looks(path, [ONE, second])
    path.write_bytes(path.read_bytes().replace(b"sin(x)", b"cos(x)", 1))
    said = f"{path}, line 1: torn or changed; its look is not counted."
    assert read_looks(path) == Ledger((second,), (said,))


def _record(path: Path, run: str) -> None:
    for number in range(20):
        record_looks(path, [look(run=run, draw=str(number))])


def test_two_jobs_at_once_lose_no_line(tmp_path: Path) -> None:
    path = tmp_path / "looks.jsonl"
    fork = multiprocessing.get_context("fork")
    writers = [fork.Process(target=_record, args=(path, run)) for run in ("one", "two")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(path.read_bytes().splitlines()) == len(read_looks(path).looks) == 40


def test_looks_before_are_those_at_the_same_data_with_other_numbers() -> None:
    others = [look(draw="a"), look(data="other", draw="b"), look(run="two", draw="a"), ONE, look(draw="c")]
    assert looks_before(others, "data", "draw") == [others[0]]
    assert looks_before(others, "data", "new") == [others[0], ONE, others[4]]
    assert looks_before(others, "nowhere", "new") == []


def test_a_later_confirmation_of_another_run_says_who_looked_before(small: Path) -> None:
    changes = ["start=['atan(x)']", "budget=6"]
    first = Job.load(small, changes).launch("one")
    again = Job.load(small, changes).launch("again")  # the same numbers are no new look
    other = Job.load(small, [*changes, "seed=1"]).launch("other")
    said = {}
    for run in (first, again, other):
        confirmation = run.confirmation()
        assert confirmation is not None
        said[run.name] = run.looks_before(confirmation)
        assert all(line in run.report().read_text() for line in said[run.name])
    assert said["one"] == said["again"] == []
    assert said["other"] == [
        "The confirmation data of digits were looked at once before (run one); p does not allow for other runs."
    ]
    looks = read_looks(ledger_of(first.folder)).looks
    assert [row.run for row in looks] == ["one", "again", "other"]
    assert looks[0].numbers == looks[1].numbers and looks[0].data == looks[2].data
    found = first.confirmation()
    assert found is not None
    assert looks[0].finalists == tuple(row.finalist.expression for row in found.finalists)
    assert looks[0].p == tuple(row.verdict.p for row in found.finalists) and looks[0].seeds == 6
    Run.open("one").confirm()
    assert read_looks(ledger_of(first.folder)).looks == looks


def test_a_folder_that_cannot_be_written_to_is_said_and_no_more(small: Path) -> None:
    run = Job.load(small, ["start=['atan(x)']", "budget=6"]).launch("one")
    ledger, told = ledger_of(run.folder), Told()
    before = run.folder.confirmation.read_bytes()
    ledger.unlink()
    ledger.mkdir()
    run.confirm(reporter=told)
    assert run.folder.confirmation.read_bytes() == before
    assert any("cannot write" in line and "looks.jsonl" in line for line in told.lines)
