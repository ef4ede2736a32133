"""The engine's library: whole or not there, checked before it is loaded, and only from where nobody else writes.

A small source stands for the engine's own: what is tested is how any is built and found.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from evaluators.errors import EvaluationError
from evaluators.native import library as library_module
from evaluators.native.build import SCRATCH, SEAL, STALE, build, sealed, whole
from evaluators.native.flags import Recipe
from evaluators.native.folders import cache_folder
from evaluators.native.library import (
    Loaded,
    NoEngineError,
    engine,
    library,
    load,
    recipes,
    why_anew,
    why_none,
)
from evaluators.native.processor import lacking, level

SOURCE = b"""
#include <math.h>
int bytes(void) { return (int)sizeof(REAL); }
double power(double x) { return pow(x, 1.5); }
"""
NOWHERE = Path("/nonexistent")

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or bool(lacking()) or not any(map(shutil.which, ("cc", "gcc", "clang"))),
    reason="no engine can be built here",
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.delenv("ACTSEARCH_ENGINE", raising=False)
    return tmp_path / "actsearch"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "engine.c"
    path.write_bytes(SOURCE + f"/* {tmp_path} */".encode())  # a key of the test's own
    return path


@pytest.fixture
def recipe(source: Path) -> Recipe:
    return recipes(source)[0]


@pytest.fixture
def asked_anew(monkeypatch: pytest.MonkeyPatch, source: Path) -> Iterator[None]:
    """As in a new process, whose engine is of the small source."""
    monkeypatch.setattr(library_module, "SOURCE", source)
    engine.cache_clear()
    yield
    engine.cache_clear()


def size(loaded: Loaded) -> int:
    """Bytes of a number in a library."""
    return int(loaded.library.bytes())


def compiler(folder: Path, body: str) -> str:
    """A compiler of the test's own, a shell script."""
    path = folder / "own-cc"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o700)
    return str(path)


def left(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.iterdir())


def test_it_is_built_once_in_both_precisions_and_found_again(source: Path, cache: Path) -> None:
    single, double = (load(each, NOWHERE) for each in recipes(source))
    assert (size(single), size(double)) == (4, 8)
    assert single.seconds is not None and double.seconds is not None
    assert single.library.power.argtypes is None
    assert left(cache) == sorted([single.file.name, double.file.name])
    before = single.file.stat().st_ino
    again = load(recipes(source)[0], NOWHERE)
    assert again.seconds is None and again.file.stat().st_ino == before
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700


def test_the_library_has_what_it_calls_of_the_library_of_mathematics(recipe: Recipe) -> None:
    power = load(recipe, NOWHERE).library.power
    power.restype, power.argtypes = ctypes.c_double, [ctypes.c_double]
    assert power(4.0) == 8.0


@pytest.mark.parametrize(
    "other",
    [
        lambda made: replace(made, flags=(*made.flags, "-g")),
        lambda made: replace(made, source=made.source + b"\n"),
        lambda made: replace(made, platform="linux-other"),
    ],
    ids=["flags", "source", "platform"],
)
def test_what_it_is_made_of_is_its_key(recipe: Recipe, other: object) -> None:
    assert callable(other)
    changed = other(recipe)
    assert changed.key != recipe.key and changed.file != recipe.file
    assert not whole(load(recipe, NOWHERE).file, changed)


def test_two_builders_at_once(recipe: Recipe, cache: Path) -> None:
    cache.mkdir(mode=0o700)
    with ThreadPoolExecutor(4) as pool:
        files = list(pool.map(lambda _: build(recipe, cache), range(8)))
    assert set(files) == {cache / recipe.file}
    assert left(cache) == [recipe.file]
    assert whole(files[0], recipe) and size(load(recipe, NOWHERE)) == 4


def test_two_processes_at_once(source: Path, cache: Path) -> None:
    code = (
        "from pathlib import Path\nfrom evaluators.native.library import load, recipes\n"
        f"print([load(each, Path('/nonexistent')).library.bytes() for each in recipes(Path({str(source)!r}))])"
    )
    started = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate()[0].strip() for process in started] == ["[4, 8]", "[4, 8]"]
    assert left(cache) == sorted(each.file for each in recipes(source))


def test_a_kill_while_it_is_built_leaves_no_file_and_the_next_one_builds(
    source: Path, recipe: Recipe, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = tmp_path / "began"
    slow = compiler(tmp_path, f"echo half > engine.so; echo $$ > {began}; exec sleep 60")
    code = (
        "from pathlib import Path\nfrom evaluators.native.library import load, recipes\n"
        f"load(recipes(Path({str(source)!r}))[0], Path('/nonexistent'))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], env=os.environ | {"CC": slow})
    while not (began.exists() and began.read_text().strip()):
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    os.kill(int(began.read_text()), signal.SIGKILL)
    (scratch,) = cache.iterdir()
    assert scratch.name.startswith(SCRATCH)
    assert size(load(recipe, NOWHERE)) == 4
    assert scratch.exists()  # it may be at work for all that is known
    os.utime(scratch, (time.time() - 2 * STALE,) * 2)
    build(recipe, cache)
    assert left(cache) == [recipe.file]


@pytest.mark.parametrize("cut", [0, 1, SEAL, 4096, -SEAL, -1])
def test_a_cut_file_is_built_again(recipe: Recipe, cut: int) -> None:
    """Loaded as it is, one that ends within its first pages ends the process with SIGBUS."""
    cache_folder()
    file = build(recipe, cache_folder())
    os.truncate(file, cut if cut >= 0 else file.stat().st_size + cut)
    assert not whole(file, recipe)
    again = load(recipe, NOWHERE)
    assert again.seconds is not None and size(again) == 4
    assert whole(file, recipe)


@pytest.mark.parametrize("place", [0, 5000, -SEAL - 1, -1])
def test_a_flipped_bit_is_found(recipe: Recipe, place: int) -> None:
    file = build(recipe, cache_folder())
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)
    assert not whole(file, recipe)
    assert load(recipe, NOWHERE).seconds is not None
    assert whole(file, recipe)


def test_a_whole_file_of_another_recipe_is_not_taken_for_it(source: Path, cache: Path) -> None:
    single, double = recipes(source)
    folder = cache_folder()
    build(double, folder).rename(folder / single.file)
    assert size(load(single, NOWHERE)) == 4


def test_a_file_that_no_linker_made_is_built_again_though_its_seal_is_right(recipe: Recipe) -> None:
    """So is one that was made for a newer library of C, on another machine with this home."""
    file = cache_folder() / recipe.file
    file.write_bytes(sealed(b"no library", recipe))
    assert whole(file, recipe)
    assert load(recipe, NOWHERE).seconds is not None


def test_a_folder_or_a_link_in_the_files_place(recipe: Recipe) -> None:
    file = cache_folder() / recipe.file
    file.symlink_to("/nonexistent")
    assert size(load(recipe, NOWHERE)) == 4
    assert not file.is_symlink()


def test_without_a_compiler(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(NoEngineError, match=r"^no C compiler: none of cc, gcc, clang is on PATH$"):
        load(recipe, NOWHERE)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            "echo warm >&2; echo 'engine.c:1:2: error: no' >&2; echo more >&2; exit 1",
            r"failed: engine\.c:1:2: error: no$",
        ),
        ("exit 3", "failed: exit code 3$"),
        ("echo first; exit 1", "failed: first$"),
    ],
)
def test_the_compilers_own_word(
    recipe: Recipe, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, said: str
) -> None:
    monkeypatch.setenv("CC", compiler(tmp_path, body))
    with pytest.raises(NoEngineError, match=said):
        load(recipe, NOWHERE)
    assert left(cache) == []


@pytest.mark.parametrize(("named", "said"), [("no-such-cc -m64", "is not there"), ("'", "cannot be read")])
def test_a_wrong_cc_is_named(recipe: Recipe, monkeypatch: pytest.MonkeyPatch, named: str, said: str) -> None:
    monkeypatch.setenv("CC", named)
    with pytest.raises(NoEngineError, match=said):
        load(recipe, NOWHERE)


def test_cc_may_have_words_of_its_own(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", f"{next(filter(None, map(shutil.which, ('cc', 'gcc'))))} -DUNUSED=1")
    assert load(recipe, NOWHERE).seconds is not None


def test_cc_may_be_relative_to_the_working_folder(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Path(compiler(tmp_path, f'exec {shutil.which("cc") or "gcc"} "$@"'))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CC", f"./{own.name}")
    assert load(recipe, NOWHERE).seconds is not None


def test_a_compiler_that_makes_nothing(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", compiler(tmp_path, "exit 0"))
    with pytest.raises(NoEngineError, match=r"engine\.so"):
        load(recipe, NOWHERE)


def test_a_compiler_that_hangs_is_ended_with_all_that_it_started(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evaluators.native.build.LIMIT", 0.5)
    child = tmp_path / "child"
    monkeypatch.setenv("CC", compiler(tmp_path, f"sleep 60 & echo $! > {child}; wait"))
    with pytest.raises(NoEngineError, match="has not finished within"):
        load(recipe, NOWHERE)
    state = Path(f"/proc/{child.read_text().strip()}/stat")
    deadline = time.monotonic() + 20
    while state.exists() and state.read_text().split()[2] != "Z":
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_home_that_cannot_be_written(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file where the folder should be refuses root, too."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    loaded = load(recipe, NOWHERE)
    assert size(loaded) == 4
    assert str(tmp_path / "file") in loaded.unused
    assert list(temporary.iterdir()) == []


def test_a_cache_folder_on_a_full_disk(
    recipe: Recipe, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There it is the linker that fails."""
    own = shutil.which("cc") or shutil.which("gcc") or "clang"
    said = "ld: final link failed: No space left on device"
    body = f'case $PWD in {cache}/*) echo "{said}"; echo "error: ld returned 1"; exit 1;; esac; exec {own} "$@"'
    monkeypatch.setenv("CC", compiler(tmp_path, body))
    loaded = load(recipe, NOWHERE)
    assert size(loaded) == 4 and loaded.unused.endswith(said)
    assert left(cache) == []


def test_no_place_at_all(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    with pytest.raises(NoEngineError, match=r"^it has no place: "):
        load(recipe, NOWHERE)


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702, 0o1777])
def test_a_cache_folder_that_others_can_write_is_not_used(recipe: Recipe, cache: Path, mode: int) -> None:
    cache.mkdir()
    cache.chmod(mode)
    (cache / recipe.file).write_bytes(b"of somebody else")
    loaded = load(recipe, NOWHERE)
    assert size(loaded) == 4
    assert loaded.unused == f"{cache} is writable by others"
    assert (cache / recipe.file).read_bytes() == b"of somebody else"


def test_nor_one_in_a_folder_that_others_can_write(recipe: Recipe, cache: Path) -> None:
    cache.parent.chmod(0o777)
    assert load(recipe, NOWHERE).unused == f"{cache.parent} is writable by others"
    cache.parent.chmod(0o1777)  # as /tmp is: others cannot rename what lies there
    assert load(recipe, NOWHERE).unused == ""


def test_a_folder_above_may_be_writable_by_the_group_that_the_user_is_alone_in(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = cache.parent
    folder.chmod(0o775)
    own = SimpleNamespace(pw_name="me", pw_gid=folder.stat().st_gid)
    monkeypatch.setattr("pwd.getpwuid", lambda _: own)
    for name, members, used in (("me", [], True), ("me", ["me"], True), ("me", ["other"], False), ("all", [], False)):
        group = SimpleNamespace(gr_name=name, gr_mem=members)
        monkeypatch.setattr("grp.getgrgid", lambda _, group=group: group)
        if used:
            assert cache_folder() == cache
        else:
            with pytest.raises(OSError, match=f"{folder} is writable by others"):
                cache_folder()


def test_nor_one_that_a_link_leads_to(recipe: Recipe, cache: Path, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    (shared / "inner").mkdir(mode=0o700)
    cache.symlink_to(shared / "inner")
    assert load(recipe, NOWHERE).unused == f"{shared} is writable by others"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives folders away")
def test_nor_one_of_another_user(recipe: Recipe, cache: Path) -> None:
    cache.mkdir(mode=0o700)
    os.chown(cache, 12345, -1)
    assert load(recipe, NOWHERE).unused == f"{cache} belongs to another user"


def test_a_relative_cache_home_is_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "actsearch"


def test_a_wheels_library_is_taken_first(source: Path, recipe: Recipe, cache: Path, tmp_path: Path) -> None:
    shipped = tmp_path / "lib"
    shipped.mkdir()
    file = build(recipe, shipped)
    assert load(recipe, shipped).file == file
    assert not cache.exists()
    os.truncate(file, 100)
    assert load(recipe, shipped).file == cache / recipe.file


@pytest.mark.usefixtures("asked_anew")
def test_a_process_has_both_or_says_why_it_has_none() -> None:
    single, double = library(), library(double=True)
    assert single is not None and double is not None
    assert (single.bytes(), double.bytes()) == (4, 8)
    assert why_none() == why_anew() == ""
    assert library() is single


@pytest.mark.usefixtures("asked_anew")
def test_one_line_says_why_it_is_built_anew_in_each_process(cache: Path) -> None:
    cache.mkdir()
    cache.chmod(0o777)
    assert library() is not None and why_none() == ""
    assert why_anew().endswith(f"which takes it seconds: {cache} is writable by others")


@pytest.mark.usefixtures("asked_anew")
@pytest.mark.parametrize(
    ("variable", "value", "why"),
    [("ACTSEARCH_ENGINE", "torch", "ACTSEARCH_ENGINE=torch turns it off"), ("PATH", "/nonexistent", "no C compiler")],
)
def test_one_line_says_why_there_is_none(monkeypatch: pytest.MonkeyPatch, variable: str, value: str, why: str) -> None:
    monkeypatch.setenv(variable, value)
    assert library() is None and library(double=True) is None
    line = why_none()
    assert line.startswith(f"no native engine: {why}") and line.endswith("times slower") and "\n" not in line


@pytest.mark.usefixtures("asked_anew")
def test_another_value_of_the_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACTSEARCH_ENGINE", "trch")
    with pytest.raises(EvaluationError, match=r"'trch': expected 'torch', .* did you mean 'torch'"):
        library()
    monkeypatch.setenv("ACTSEARCH_ENGINE", "")
    assert library() is not None


def test_a_source_that_is_missing_is_named() -> None:
    with pytest.raises(NoEngineError, match=r"its source cannot be read: .*/nonexistent"):
        recipes(NOWHERE)


def test_another_platform_has_none(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(NoEngineError, match="for Linux on x86-64 and aarch64, and this is linux-riscv64"):
        recipes(source)


@pytest.fixture
def cpuinfo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the kernel would say of two cores of level x86-64-v3."""
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    path = tmp_path / "cpuinfo"
    v2 = "cx16 lahf_lm popcnt sse4_1 sse4_2 ssse3"
    v3 = "abm avx avx2 bmi1 bmi2 f16c fma movbe xsave"
    path.write_text(f"processor\t: 0\nflags\t\t: fpu {v2} {v3}\n\nprocessor\t: 1\nflags\t\t: {v3} {v2}\n")
    return path


def test_an_older_processor_has_none(cpuinfo: Path) -> None:
    assert lacking(cpuinfo) == []
    assert level(cpuinfo) == "x86-64-v3"
    text = cpuinfo.read_text()
    cpuinfo.write_text(text.replace("avx2 ", "", 1).replace("fma ", "", 1))  # of one core
    assert lacking(cpuinfo) == ["avx2", "fma"]
    assert level(cpuinfo) == "x86-64-v2"
    cpuinfo.write_text("flags : fpu\n")
    assert level(cpuinfo) == "x86-64" and "avx2" in lacking(cpuinfo)
    assert "avx2" in lacking(NOWHERE)


def test_a_processor_that_lacks_something_is_told_what(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library_module, "lacking", lambda: ["avx2", "fma"])
    with pytest.raises(NoEngineError, match="level x86-64-v3, and this one lacks avx2, fma"):
        recipes(source)
