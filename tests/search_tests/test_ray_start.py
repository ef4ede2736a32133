"""Starting Ray on this machine: where its files lie, what it listens on, what it finds in the working folder."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import ray

from evaluators.cohort import CohortRequest
from evaluators.results.records_codec import cohort_to_json
from search.errors import ConfigError, WorkerError
from search.workers import RayWorkers, cohort_of, temp_dir
from search.workers.cluster import _join
from search.workers.head import STARTS
from search.workers.temp_dir import LONGEST, session_folder
from tests.plain import ran

#: What a working folder may have: names of this project's packages, and of Python's own modules.
HIDING = ("search.py", "primitives.py", "evaluators/__init__.py", "random.py", "types.py", "json.py")


@pytest.fixture
def short() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="t", dir="/tmp") as path:
        yield Path(path)


@pytest.fixture
def hiding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder whose modules fail when they are imported."""
    for name in HIDING:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("raise RuntimeError('imported')\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("value", [None, "torch"])
def test_workers_of_a_cluster_have_the_engine_off_where_the_driver_has(
    value: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They do not inherit this process's environment."""
    given: dict[str, Any] = {}
    job = SimpleNamespace(JobConfig=SimpleNamespace)
    monkeypatch.delenv("ACTSEARCH_ENGINE", raising=False)
    if value is not None:
        monkeypatch.setenv("ACTSEARCH_ENGINE", value)
    _join(SimpleNamespace(init=lambda **settings: given.update(settings), job_config=job), "auto")
    assert given["runtime_env"]["env_vars"].get("ACTSEARCH_ENGINE") == value


def test_the_path_of_a_socket_has_room(short: Path) -> None:
    """Ray's session has a name of its own; the number of a process has up to 7 digits."""
    parent = short / ("x" * (LONGEST - len(f"{short}/")))
    parent.mkdir()
    folder = session_folder(str(parent))
    sockets = f"{folder}/session_2026-01-01_00-00-00_000000_4194304/sockets/plasma_store"
    assert len(sockets) == 107
    with pytest.raises(ConfigError, match=rf"workers\.temp_dir: .*: {LONGEST + 1} bytes are too long.*expected"):
        session_folder(f"{parent}x")
    assert os.listdir(parent) == [os.path.basename(folder)]


@pytest.mark.parametrize(("name", "why"), [("none", "No such file"), ("file", "Not a directory"), ("a\0b", "null")])
def test_a_folder_that_cannot_be_used_is_refused_by_name(short: Path, name: str, why: str) -> None:
    (short / "file").touch()
    with pytest.raises(ConfigError, match=rf"workers\.temp_dir: .*{why}.*expected a folder as short as /tmp"):
        session_folder(str(short / name))


def test_a_long_tmpdir_gives_way_to_a_short_folder_and_says_so(
    tmp_path: Path, short: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / ("x" * LONGEST)))
    monkeypatch.setattr(temp_dir, "SHORT", (str(short / "none"), str(short)))
    folder = Path(session_folder(None))
    assert folder.parent == short
    (said,) = [record.getMessage() for record in caplog.records]
    assert "bytes are too long for Ray" in said and str(folder) in said
    monkeypatch.setattr(temp_dir, "SHORT", ())
    with pytest.raises(WorkerError, match=r"no folder for Ray's files: .* --workers 0 needs none"):
        session_folder(None)


@pytest.mark.parametrize("how", ["launch", "tabulate"])
def test_a_long_folder_is_refused_before_anything_is_written(
    how: str, small: Path, command: Callable[..., tuple[int, str, str]]
) -> None:
    code, _, said = command(how, str(small), "--set=workers.count=1", "--temp-dir", f"{small.parent}/{'x' * LONGEST}")
    assert code == 2
    assert "workers.temp_dir: " in said and "bytes are too long" in said
    assert not Path("runs").exists()


def test_a_run_goes_on_with_another_folder(small: Path, command: Callable[..., tuple[int, str, str]]) -> None:
    """The option comes before the config's key, which may be edited."""
    long = f"{small.parent}/{'x' * LONGEST}"
    made = command(
        "launch", str(small), "--run=one", "--set=budget=6", "--set=confirmation.finalists=1", "--temp-dir=/none-a"
    )
    assert made[0] == 0  # without workers none is needed
    path = Path("runs/one/config.yaml")
    path.write_text(path.read_text().replace("temp_dir: /none-a\n", "temp_dir: /none-b\n"))
    for how, *more in (("resume", "--set=budget=12"), ("confirm",)):
        for option, named in (
            ([], "workers.temp_dir: '/none-b': No such"),
            ([f"--temp-dir={long}"], "bytes are too long"),
        ):
            code, _, said = command(how, "one", *more, "--workers=1", *option)
            assert code == 2
            assert named in said


@pytest.mark.parametrize(
    ("error", "times"),
    [(Exception("The current node\ntimed out"), STARTS), (OSError(28, "No space left on device"), 1)],
)
def test_what_ray_raises_at_start_is_one_message_and_tried_again_where_that_may_help(
    error: Exception, times: int, short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = []

    def fail(*_: object, _temp_dir: str, **__: object) -> None:
        folders.append(_temp_dir)
        raise error

    monkeypatch.setattr(ray, "init", fail)
    with pytest.raises(WorkerError, match=r"^cannot start Ray: [^\n]+; --workers 0 .*--temp-dir DIR [^\n]+$"):
        RayWorkers(1, temp_dir=str(short))
    assert len(set(folders)) == times
    assert not os.listdir(short)


def test_a_working_folder_hides_nothing_from_the_command(hiding: Path) -> None:
    script = Path(sys.executable).with_name("actsearch")
    ended = subprocess.run([script, "show", "tanh(x)"], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("name", ["random", "tempfile", "statistics"])
def test_a_file_that_hides_a_module_of_pythons_is_named(name: str, tmp_path: Path) -> None:
    """In the working folder of `python -c` and on PYTHONPATH, which come before Python's own modules."""
    (tmp_path / f"{name}.py").touch()
    code = "from search.commands.cli import main; main()"
    path = os.pathsep.join([str(Path(temp_dir.__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    ended = subprocess.run(
        [sys.executable, "-c", code, "show", "tanh(x)"], cwd=tmp_path, env=os.environ | {"PYTHONPATH": path},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"actsearch: {tmp_path}/{name}.py hides Python's own module {name}: ")
    assert "Traceback" not in ended.stderr


def test_ray_here_listens_on_this_machine_alone_and_finds_no_module_in_the_working_folder(
    hiding: Path, short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a first start that is late is followed by a second one."""
    start, late = ray.init, [Exception("The current node timed out during startup.")]

    def init(*given: Any, **settings: Any) -> None:
        if late:
            raise late.pop()
        start(*given, **settings)

    monkeypatch.setattr(ray, "init", init)
    task = hiding / "mine" / "task.py"
    task.parent.mkdir()
    task.write_text("from beside import Beside\n\nclass Mine(Beside):\n    pass\n")
    (task.parent / "beside.py").write_text("from tests.search_tests.users_files.faulty_tasks import Quiet as Beside\n")
    request = CohortRequest(("tanh(x)", "sin(x)"), (f"{task}:Mine",), 0, 1, 4, rates=(0.01,))
    pool = RayWorkers(1, temp_dir=str(short))
    try:
        pool.submit(0, request)
        finished = pool.next()
        listening = _listening(str(short))
    finally:
        pool.close()
    assert finished is not None
    assert cohort_to_json(cohort_of(finished[1]))["candidates"] == ran(request)["candidates"]
    assert len(listening) >= 5  # the control store, the raylet twice, an agent, a worker
    assert {address for address, _ in listening} <= {"0100007F", "0000000000000000FFFF00000100007F"}, listening
    assert not os.listdir(short)


def _listening(folder: str) -> list[tuple[str, str]]:
    """Hexadecimal addresses on which this process, and any that has a file in a folder open, listens; with its name."""
    rows = [row.split() for kind in ("tcp", "tcp6") for row in Path("/proc/net", kind).read_text().splitlines()[1:]]
    sockets = {f"socket:[{row[9]}]": row[1].partition(":")[0] for row in rows if row[3] == "0A"}
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            files = [os.readlink(file) for file in (process / "fd").iterdir() if file.is_symlink()]
            name = (process / "cmdline").read_text()
        except OSError:
            continue
        if process.name == str(os.getpid()) or any(file.startswith(f"{folder}/") for file in files):
            found += [(sockets[file], name) for file in files if file in sockets]
    return found
