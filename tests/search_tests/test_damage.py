"""Damage to a run's files, by bits, by disks and by hands: repaired without loss, or refused by name."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from search import Job, Run
from search.errors import RunError
from search.storage.run_folder import RunFolder
from search.storage.trace import read_trace
from tests.search_tests.conftest import SMALL, contents

COMMAND = f"{sys.executable} -u -c 'from search.commands.cli import main; main()'"


class Ear:
    """Keeps what a job says."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def part(self, text: str) -> None: ...

    def step(self, progress: object) -> None:
        pass


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("damage")
    (folder / "small.yaml").write_text(SMALL)
    return Job.load(folder / "small.yaml", ["confirmation.finalists=0"]).launch(str(folder / "original"))


@pytest.fixture
def copy(original: Run, tmp_path: Path) -> Run:
    shutil.copytree(original.path, tmp_path / "copy")
    return Run.open(tmp_path / "copy")


def flipped(data: bytes, rng: random.Random) -> tuple[bytes, int]:
    """One bit changed, and the number of its line."""
    place = rng.randrange(len(data))
    changed = bytearray(data)
    changed[place] ^= 1 << rng.randrange(8)
    return bytes(changed), data[:place].count(b"\n") + 1


def test_sixty_flips_in_the_journal_are_found_named_and_repaired(original: Run, copy: Run) -> None:
    rng, whole = random.Random(0), original.folder.journal.read_bytes()
    for _ in range(60):
        damaged, line = flipped(whole, rng)
        copy.folder.journal.write_bytes(damaged)
        ear = Ear()
        copy.resume(reporter=ear)
        assert f"study.journal: line {line} was damaged; rebuilt" in " ".join(ear.said)
        assert copy.folder.journal.read_bytes() == whole
        (kept,) = copy.path.glob("study.journal.damaged-*")
        assert kept.read_bytes() == damaged
        kept.unlink()


@pytest.mark.parametrize("damage", ["missing", "short", "flipped"])
def test_who_looks_at_a_run_whose_journal_is_damaged_is_told_what_repairs_it(copy: Run, damage: str) -> None:
    data = copy.folder.journal.read_bytes()
    changed = {"short": data[: len(data) // 2], "flipped": flipped(data, random.Random(0))[0]}
    copy.folder.journal.unlink()
    if damage in changed:
        copy.folder.journal.write_bytes(changed[damage])
    for look in (copy.front, copy.classes, copy.report):
        with pytest.raises(RunError, match=r"study\.journal is missing or damaged; actsearch resume .* rebuilds it"):
            look()
    copy.resume()
    assert copy.report().exists()


def test_flips_in_the_trace_are_found_and_repaired(original: Run, copy: Run) -> None:
    rng, whole, found = random.Random(0), original.folder.trace.read_bytes(), 0
    entries = read_trace(original.folder.trace, original.folder.run)
    for _ in range(30):
        damaged, line = flipped(whole, rng)
        copy.folder.trace.write_bytes(damaged)
        ear = Ear()
        copy.resume(reporter=ear)
        if f"cohorts.jsonl: torn or changed in line {line}" in " ".join(ear.said):
            assert copy.folder.trace.read_bytes() == whole
            found += 1
        else:  # a digit beyond a float's precision
            assert read_trace(copy.folder.trace, copy.folder.run) == entries
        assert copy.folder.journal.read_bytes() == original.folder.journal.read_bytes()
    assert found >= 28


def test_flips_in_cohort_files_are_found_and_named(original: Run, copy: Run) -> None:
    rng = random.Random(0)
    for turn in range(30):
        path = copy.folder.cohort(turn % 4)
        whole = path.read_bytes()
        damaged, _ = flipped(whole, rng)
        path.write_bytes(damaged)
        ear = Ear()
        copy.resume(reporter=ear)
        assert f"{path}: missing, torn or changed" in " ".join(ear.said)
        assert path.read_bytes() == damaged
        assert contents(copy) == contents(original)
        path.write_bytes(whole)


@pytest.mark.parametrize("recorded", [True, False])
def test_a_lost_cohort_file_keeps_nobody_from_going_on(original: Run, copy: Run, recorded: bool) -> None:
    """The last one, whose proposals the next cohort has to avoid; or one that was not recorded yet."""
    path = copy.folder.cohort(3)
    path.write_bytes(path.read_bytes()[:-100])
    if not recorded:
        lines = copy.folder.trace.read_bytes().splitlines(keepends=True)
        copy.folder.trace.write_bytes(b"".join(lines[:3]))
    ear = Ear()
    longer = copy.resume(changes=["budget=36"], reporter=ear)
    straight = Job.load(original.path / "config.yaml", ["budget=36"]).launch(str(copy.path.parent / "straight"))
    assert contents(longer) == contents(straight)
    assert str(path) in " ".join(ear.said)
    assert recorded or path.with_name("000003.json.damaged-1").exists()


def test_a_dead_processes_lock_is_taken_over_and_that_is_said(copy: Run) -> None:
    code = f"""
import os
from pathlib import Path
from search.storage.run_folder import RunFolder
from search.storage.trace import read_trace
with RunFolder(Path({str(copy.path)!r})).locked():
    print(os.getpid(), flush=True)
    os.kill(os.getpid(), 9)
"""
    dead = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip()
    ear = Ear()
    copy.resume(reporter=ear)
    assert f"process {dead} on " in ear.said[0]
    assert "taken over" in ear.said[0]
    again = Ear()
    copy.resume(reporter=again)
    assert "taken over" not in " ".join(again.said)


def test_a_lock_is_held_against_this_process_too(copy: Run) -> None:
    with RunFolder(copy.path).locked(), pytest.raises(RunError, match=r"copy is in use by process \d+ on "):
        copy.resume()


def mounted(script: str, place: Path) -> subprocess.CompletedProcess[str]:
    """Run a shell script with a namespace of mounts of its own; skip where that is not allowed."""
    place.mkdir(exist_ok=True)
    isolated = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
    if shutil.which("unshare") is None or subprocess.run([*isolated, f"mount -t tmpfs x {place}"]).returncode:
        pytest.skip("no right to mount a file system")
    return subprocess.run([*isolated, script], capture_output=True, text=True, cwd=place.parent)


@pytest.mark.slow
def test_a_full_disk_ends_the_job_by_name_and_what_is_written_goes_on(original: Run, tmp_path: Path) -> None:
    """On a file system of a few hundred kilobytes, which is made larger again after each failure."""
    place = tmp_path / "disk"
    config = original.path / "config.yaml"
    script = f"""
        mount -t tmpfs -o size=28k x {place}
        {COMMAND} launch {config} --run {place}/run; echo "code $?"
        for size in 40 48; do
            mount -o remount,size=${{size}}k {place}
            {COMMAND} resume {place}/run; echo "code $?"
        done
        mount -o remount,size=20m {place}
        {COMMAND} resume {place}/run; echo "code $?"
        cp -r {place}/run {tmp_path}/run
    """
    result = mounted(script, place)
    words = result.stdout + result.stderr
    assert "Traceback" not in words
    codes = [line for line in result.stdout.splitlines() if line.startswith("code ")]
    assert codes.count("code 1") >= 2, words
    assert codes[-1] == "code 0", words
    complaints = [line for line in result.stderr.splitlines() if "No space left on device" in line]
    assert len(complaints) == codes.count("code 1"), words
    assert all(f"actsearch: cannot write {place}/run/" in line for line in complaints)
    assert contents(Run.open(tmp_path / "run")) == contents(original)


@pytest.mark.slow
def test_a_read_only_folder_can_be_looked_at_but_not_resumed(copy: Run, tmp_path: Path) -> None:
    place, run = tmp_path / "disk", tmp_path / "disk" / "copy"
    script = f"""
        mount -t tmpfs x {place} && cp -r {copy.path} {run} && mount -o remount,ro {place}
        {COMMAND} front {run} --csv || exit 3
        {COMMAND} resume {run}; echo "code $?"
        {COMMAND} launch {run}/config.yaml --run {place}/new; echo "code $?"
    """
    result = mounted(script, place)
    assert "code 1\n" in result.stdout
    assert f"actsearch: cannot write {run}/lock: Read-only file system" in result.stderr
    assert f"actsearch: cannot make {place}/new: Read-only file system" in result.stderr
    assert result.stdout.startswith(copy.folder.front.read_text().splitlines()[0])
    assert "Traceback" not in result.stderr
