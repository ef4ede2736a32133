"""Seals: a flipped bit in any file, a file of another run, an edited config: the same output, or a refusal by name."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from evaluators.errors import RecordError
from evaluators.results.json_codec import parsed_json
from primitives.errors import GrammarError
from search import Job, Run, RunError
from search.errors import ConfigError, DamageError
from search.launched import id_of
from search.storage.files import seal, unsealed
from tests.search_tests.conftest import SMALL, Told, contents, resealed

Command = Callable[..., tuple[int, str, str]]
CHANGES = ["budget=18", "baseline.functions=[ELU]", "start=['atan(x)']"]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("seals")
    (folder / "small.yaml").write_text(SMALL)
    return Job.load(folder / "small.yaml", CHANGES).launch(str(folder / "run"))


@pytest.fixture
def run(original: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(original.path, tmp_path / "run")
    return Run.open("./run")


def files_of(run: Run) -> dict[str, bytes]:
    return {str(path.relative_to(run.path)): path.read_bytes() for path in run.path.rglob("*") if path.is_file()}


def looks(command: Command) -> list[tuple[int, str, str]]:
    """What the commands that look at a run come to; the page and the exported files are a part of it."""
    shutil.rmtree("out", ignore_errors=True)
    Path("page.html").unlink(missing_ok=True)
    said = [
        command("status", "./run", "--json"),
        command("front", "./run", "--all", "--csv"),
        command("report", "./run", "--out", "page.html"),
        command("export", "./run", "--to", "latex", "--out", "out"),
    ]
    written = [Path("page.html"), *sorted(Path("out").rglob("*"))]
    return [*said, *((0, path.read_bytes().hex(), "") for path in written if path.is_file())]


def flips(data: bytes, rng: random.Random) -> Iterator[bytes]:
    """One bit flipped at some places, in the name of the hash among them."""
    places = {rng.randrange(len(data)), max(0, data.find(b"sha256")), len(data) - 1}
    for place in sorted(places):
        changed = bytearray(data)
        changed[place] ^= 1 << rng.randrange(7)
        yield bytes(changed)


@pytest.mark.slow
def test_a_flipped_bit_in_any_file_changes_nothing_or_is_refused_by_name(run: Run, command: Command) -> None:
    rng, whole, before = random.Random(0), files_of(run), looks(command)
    assert all(code == 0 for code, _, _ in before)
    for name, data in whole.items():
        for damaged in flips(data, rng) if data else ():
            (run.path / name).write_bytes(damaged)
            after = looks(command)
            for one, other in zip(before[:4], after[:4], strict=True):
                assert one == other or (other[0] in {1, 2} and name in other[2] and "Traceback" not in other[2]), name
            assert files_of(run) == whole | {name: damaged}
            if all(code == 0 for code, _, _ in after):
                assert after == before
            (run.path / name).write_bytes(data)


@pytest.mark.parametrize("name", ["confirmation.json", "timing.json", "run.json", "environment.json", "config.yaml"])
def test_resume_mends_or_refuses(run: Run, original: Run, name: str) -> None:
    path, told = run.path / name, Told()
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"1", b"2", 1) if b"1" in whole else whole[1:])
    try:
        run.resume(reporter=told)
    except RunError as error:
        assert name in str(error)
    else:
        assert any(name in line for line in told.lines)
        assert contents(run) == contents(original)
        if name != "timing.json":
            assert path.read_bytes() == whole


def test_a_file_of_another_run_is_refused_by_its_id(run: Run, original: Run) -> None:
    other = Job.load(original.path / "config.yaml", ["seed=1", "budget=6", "confirmation.finalists=0"]).launch("other")
    assert other.folder.run != run.folder.run
    for ours, theirs in ((run.folder.trace, other.folder.trace), (run.folder.known(0), other.folder.known(0))):
        whole = ours.read_bytes()
        ours.write_bytes(theirs.read_bytes())
        with pytest.raises(RunError, match=f"{ours.name}.* is of run {other.folder.run}; this is run {run.folder.run}"):
            run.status()
        ours.write_bytes(whole)
    shutil.copy(other.folder.cohort(0), run.folder.cohort(2))
    with pytest.raises(RunError, match=rf"000002\.json is of run {other.folder.run}"):
        run.resume()


def edited(run: Run, **changes: object) -> None:
    settings = yaml.safe_load(run.folder.config.read_text())
    run.folder.config.write_text("# mine\n" + yaml.safe_dump(settings | changes))


def test_an_edit_that_changes_results_is_refused_by_the_key(run: Run) -> None:
    strategy = {"name": "evolution", "population": 13, "tournament": 3}
    for changes, message in (
        ({"seed": 7}, r"config\.yaml: seed is 7, but the run was launched with 0"),
        ({"strategy": strategy}, r"config\.yaml: strategy\.population is 13, but the run was launched with 12"),
        ({"training": {"steps": 12}}, r"config\.yaml: training\.\w+ is .*, but the run was launched with"),
    ):
        whole = run.folder.config.read_bytes()
        edited(run, **changes)
        for act in (Run.open("./run").status, Run.open("./run").resume):
            with pytest.raises(RunError, match=message):
                act()
        run.folder.config.write_bytes(whole)


def test_budget_and_workers_may_be_edited(run: Run) -> None:
    edited(run, budget=24, workers={"count": 0, "checkpoint_seconds": 1.0})
    assert Run.open("./run").status().budget == 18, "an edit counts from the next resume on"
    assert Run.open("./run").resume().status().trained == 24
    edited(run, budget=20)
    with pytest.raises(RunError, match="the budget can only grow, from 24"):
        Run.open("./run").resume()


def test_a_missing_config_is_said_and_written_again(run: Run) -> None:
    whole, told = run.folder.config.read_bytes(), Told()
    run.folder.config.unlink()
    with pytest.raises(DamageError, match=r"config\.yaml is missing; actsearch resume .* writes it from run\.json"):
        Run.open("./run").status()
    Run.open("./run").resume(reporter=told)
    assert run.folder.config.read_bytes() == whole
    assert any("config.yaml was missing" in line for line in told.lines)


def test_a_lost_record_is_written_from_a_config_without_its_defaults(run: Run, original: Run) -> None:
    settings = yaml.safe_load(run.folder.config.read_text())
    del settings["seed"], settings["rejection"], settings["training"]["width"]
    run.folder.config.write_text(yaml.safe_dump(settings))
    run.folder.record.unlink()
    assert contents(Run.open("./run").resume()) == contents(original)


def test_known_functions_that_are_lost_are_not_none(run: Run, command: Command) -> None:
    whole = files_of(run)
    run.folder.known(0).unlink()
    for words in (["status"], ["front"], ["front", "--known"], ["report"], ["export"]):
        code, _, said = command(words[0], "./run", *words[1:])
        assert code == 1 and "000000.json is missing; actsearch resume run trains its functions again" in said
    assert files_of(run).items() <= whole.items()


def test_a_confirmation_that_is_lost_is_not_none(run: Run, original: Run, command: Command) -> None:
    run.folder.confirmation.unlink()
    for words in (["status"], ["report"], ["export"]):
        code, _, said = command(words[0], "./run")
        assert code == 1 and "confirmation.json is missing, though timing.json is there; actsearch resume" in said
    assert contents(Run.open("./run").resume()) == contents(original)


def test_false_is_not_0(run: Run) -> None:
    edited(run, seed=False)
    with pytest.raises(ConfigError, match="seed"):
        Run.open("./run").status()


GRAMMAR = "name: own\ndescription: few\nunary: [a, {}, 'a**2']\nbinary: [a+b, 'a*b']\ntemplates: [{{units: 2}}]\n"


def test_an_edited_grammar_is_refused_and_another_place_makes_no_other_run(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("here", "there"):
        Path(folder).mkdir()
        Path(folder, "own.yaml").write_text(GRAMMAR.format("tanh(a)"))
    changes = ["budget=6", "confirmation.finalists=0"]
    run, other = (Job.load(small, [f"grammar={each}/own.yaml", *changes]).launch(each) for each in ("here", "there"))
    assert run.folder.run == other.folder.run and contents(run) == contents(other)
    path = run.path.absolute()
    monkeypatch.chdir("here")
    Run.open(path).resume()
    monkeypatch.chdir("..")
    Path("here/own.yaml").write_text(GRAMMAR.format("sin(a)"))
    with pytest.raises(GrammarError, match=r"own\.yaml was changed: expected a SHA-256 that begins with"):
        Run.open("here").resume(changes=["budget=12"])
    Path("here/own.yaml").unlink()
    assert contents(Run.open("here")) == contents(other), "a run can be looked at without it"


def test_a_run_of_an_older_version_opens_and_says_what_it_lacks(run: Run, original: Run) -> None:
    for path in run.path.rglob("*.json"):
        resealed(path, {}, without="run")
    lines = [json.loads(line) for line in run.folder.trace.read_text().splitlines()]
    run.folder.trace.write_text("".join(json.dumps(_older(line)) + "\n" for line in lines))
    run.folder.record.unlink()
    old, told = Run.open("./run"), Told()
    assert contents(old) == contents(original)
    old.resume(reporter=told)
    assert any("is of an older version" in line for line in told.lines)


def _older(line: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in line.items() if key not in {"run", "sha256"}}


def cut(run: Run, lines: int) -> None:
    kept = run.folder.trace.read_bytes().splitlines(keepends=True)[:lines]
    run.folder.trace.write_bytes(b"".join(kept))


def test_a_prefix_is_no_run(run: Run) -> None:
    """Lines are missing at the end: one may be a kill's, more are not."""
    run.folder.confirmation.unlink()
    for lines in (1, 0):
        cut(run, lines)
        for act in (run.status, run.front, run.report):
            with pytest.raises(DamageError, match=r"cohorts\.jsonl: lines behind the first \d are missing"):
                act()


def test_a_job_at_work_can_be_looked_at(run: Run) -> None:
    """Its last line has no end yet; a cohort's file and its trials are there before."""
    run.folder.confirmation.unlink()
    run.folder.timing.unlink()
    *lines, last = run.folder.trace.read_bytes().splitlines(keepends=True)
    for part in (b"", last[:1], last[:-40], last[:-1]):
        run.folder.trace.write_bytes(b"".join(lines) + part)
        assert run.status().trained == 12 and len(run.classes()) == 12


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, '{"a": NaN}', '{"a": 1e999}', '{"a": -Infinity}', f'{{"a": {"9" * 5000}}}', "\ud800", '{"a"', ""],
)
def test_no_json_that_is_not_strict_is_read(text: str) -> None:
    data = text.encode("utf-8", "surrogatepass")
    with pytest.raises(RecordError, match="file"):
        parsed_json(data, "file")
    with pytest.raises(DamageError, match="file"):
        unsealed(data, "file")


@pytest.mark.parametrize("changes", [{"id": "../../evil"}, {"id": "9.9"}, {"expression": "exp(x)*1e9999"}, {"id": 3}])
def test_a_confirmation_with_what_is_not_the_runs_is_refused(
    run: Run, command: Command, changes: dict[str, object]
) -> None:
    data = json.loads(run.folder.confirmation.read_text())
    (row, *rest) = data["finalists"]
    resealed(run.folder.confirmation, {"finalists": [row | changes, *rest]})
    code, _, said = command("export", "./run", "--out", "out")
    assert code == 1 and "confirmation.json" in said and "Traceback" not in said
    assert not Path("out").exists()


def test_a_cohort_of_other_tasks_than_its_losses_is_refused(run: Run, command: Command) -> None:
    """A stranger can seal."""
    resealed(run.folder.known(0), {"tasks": ["<script>\u001b"]})
    for words in (["front"], ["report"], ["export"]):
        code, _, said = command(words[0], "./run")
        assert code == 1 and "no finite loss on '<script>\\x1b'" in said and "Traceback" not in said


def test_one_id_for_one_config() -> None:
    settings = {"seed": 0, "budget": 5, "tasks": ["/a/task.py:T@0123456789ab"]}
    assert id_of(settings) == id_of(settings | {"budget": 9, "workers": {}, "tasks": ["/b/task.py:T@0123456789ab"]})
    assert id_of(settings) != id_of(settings | {"seed": 1})
    assert unsealed(json.dumps(seal({"a": 1}, "me")).encode(), "file", "me") == {"a": 1}
