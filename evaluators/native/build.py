"""Compiling the engine, sealing its file, and telling a whole file from a torn one."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from evaluators.atomic import replace_file
from evaluators.native.flags import Recipe

COMPILERS = ("cc", "gcc", "clang")
LIMIT = 60.0  # seconds for the compiler: it takes 3, and more on a busy machine
SEAL = hashlib.sha256().digest_size  # bytes at a file's end; a library may have more than its tables name
SCRATCH = "building-"
STALE = 3600.0  # seconds after which a scratch folder is one that a killed builder has left


class BuildError(Exception):
    """There is no compiler, or it has failed; the text is one line."""


def build(recipe: Recipe, folder: Path) -> Path:
    """Compile a library and put it into a folder in one step.

    Several may build the same at once: each has a scratch folder of its own, and the last one's file stays.

    Args:
        recipe: what to compile.
        folder: it is there, and private.

    Raises:
        BuildError: there is no compiler, or it has failed.
        OSError: the folder cannot be written.
    """
    _sweep(folder)
    with TemporaryDirectory(prefix=SCRATCH, dir=folder) as scratch:
        made = Path(scratch, "engine.so")
        source = made.with_suffix(".c")
        source.write_bytes(recipe.source)
        _compile([*compiler(), *recipe.flags, "-o", made.name, source.name, "-lm"], scratch)
        target = folder / recipe.file
        replace_file(target, sealed(made.read_bytes(), recipe), Path(scratch, "sealed"))
    return target


def compiler() -> list[str]:
    """The words that call the compiler: ``$CC``, else the first of cc, gcc and clang.

    Raises:
        BuildError: there is none.
    """
    if named := os.environ.get("CC", "").strip():
        try:
            words = shlex.split(named)
        except ValueError as error:
            raise BuildError(f"CC={named!r} cannot be read: {error}") from None
        if (found := shutil.which(words[0])) is None:
            raise BuildError(f"CC={named!r} is not there")
        return [os.path.abspath(found), *words[1:]]  # it is called in another folder
    found = next(filter(None, map(shutil.which, COMPILERS)), None)
    if found is None:
        raise BuildError(f"no C compiler: none of {', '.join(COMPILERS)} is on PATH")
    return [os.path.abspath(found)]


def sealed(library: bytes, recipe: Recipe) -> bytes:
    """A library with a digest of itself and its key at the end."""
    return library + _digest(library, recipe)


def whole(file: Path, recipe: Recipe) -> bool:
    """True if a file is what was sealed for this recipe.

    To be asked before the file is loaded: a cut one would end the process with SIGBUS.
    """
    try:
        content = file.read_bytes()
    except OSError:
        return False
    return len(content) > SEAL and content[-SEAL:] == _digest(content[:-SEAL], recipe)


def _digest(library: bytes, recipe: Recipe) -> bytes:
    return hashlib.sha256(recipe.key.encode() + library).digest()


def _compile(command: list[str], folder: str) -> None:
    """Run the compiler, in a session of its own: it is ended with all that it has started."""
    process = subprocess.Popen(
        command, cwd=folder, env=os.environ | {"LC_ALL": "C"}, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        said, _ = process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        _end(process)
        raise BuildError(f"{command[0]} has not finished within {LIMIT:.0f} s") from None
    except BaseException:
        _end(process)
        raise
    if process.returncode:
        raise BuildError(f"{command[0]} failed: {_first(said.decode(errors='replace'), process.returncode)}")


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def _first(said: str, code: int) -> str:
    """The first line that names an error, of the compiler or the linker, else the first one."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = (line for line in lines if re.search("error|failed|cannot|undefined", line))
    return next(errors, lines[0] if lines else f"exit code {code}")


def _sweep(folder: Path) -> None:
    """Remove what killed builders have left."""
    for left in folder.glob(f"{SCRATCH}*"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > STALE:
                shutil.rmtree(left)
