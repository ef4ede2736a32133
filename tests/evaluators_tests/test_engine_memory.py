"""The engine under the sanitizers for addresses and undefined behaviour, over random programs and random chains."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import torch

from tests.evaluators_tests.native_engine import COMPILER, FLAGS, REALS, SOURCE

SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g", "-O1")
PROGRAMS, CHAINS = (Path(__file__).with_name(name) for name in ("engine_fuzz.c", "trainer_fuzz.c"))


def built(source: Path, folder: Path, dtype: torch.dtype, engine: Path = SOURCE) -> Path | None:
    """The program, or None where the compiler has no sanitizers."""
    program = folder / f"fuzz-{torch.finfo(dtype).bits}"
    flags = [flag for flag in FLAGS if flag not in ("-shared", "-fPIC", "-O3")]
    command = [
        str(COMPILER),
        *flags,
        *SANITIZERS,
        *REALS[dtype],
        f'-DENGINE="{engine}"',
        str(source),
        "-o",
        str(program),
        "-lm",
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode and "cannot find" in done.stderr:
        return None
    assert done.returncode == 0, done.stderr[:4000]
    return program


def run(program: Path | None, count: int, seed: int) -> subprocess.CompletedProcess[str]:
    if program is None:
        pytest.skip("the compiler has no sanitizers")
    return subprocess.run([str(program), str(count), str(seed)], capture_output=True, text=True)


pytestmark = pytest.mark.skipif(COMPILER is None, reason="there is no C compiler")


@pytest.mark.parametrize("dtype", REALS)
def test_random_programs(dtype: torch.dtype, tmp_path: Path) -> None:
    done = run(built(PROGRAMS, tmp_path, dtype), 2_000, 1)
    assert done.returncode == 0, done.stdout + done.stderr[:4000]


@pytest.mark.slow
@pytest.mark.parametrize("dtype", REALS)
def test_many_random_programs(dtype: torch.dtype, tmp_path: Path) -> None:
    done = run(built(PROGRAMS, tmp_path, dtype), 100_000, 2)
    assert done.returncode == 0, done.stdout + done.stderr[:4000]


@pytest.mark.parametrize("dtype", REALS)
def test_random_chains(dtype: torch.dtype, tmp_path: Path) -> None:
    done = run(built(CHAINS, tmp_path, dtype), 300, 1)
    assert done.returncode == 0, done.stdout + done.stderr[:4000]


@pytest.mark.slow
@pytest.mark.parametrize("dtype", REALS)
def test_many_random_chains(dtype: torch.dtype, tmp_path: Path) -> None:
    done = run(built(CHAINS, tmp_path, dtype), 20_000, 2)
    assert done.returncode == 0, done.stdout + done.stderr[:4000]


@pytest.mark.parametrize(
    ("fuzz", "right", "wrong", "seen"),
    [
        (PROGRAMS, "if (n != here) {", "if (n < here) {", "heap-buffer-overflow"),  # reads behind x
        (PROGRAMS, "i < here; i++) to[i]", "i < n; i++) to[i]", "heap-buffer-overflow"),  # writes behind an output
        (
            PROGRAMS,
            "d[i] = (value); } break",
            "d[i] = (value) + (REAL)(n % 32 == 0 ? 1 : 0); } break",
            "other bits",
        ),
        (CHAINS, "bias && r < rows", "bias && r <= rows", "use-after-poison"),  # a bias behind the rows
        (CHAINS, "? size + step->rows : 0", "? size : 0", "use-after-poison"),  # a norm's scales
        (CHAINS, "row = ta == 'N' ? 1 : k", "row = ta == 'N' ? 1 : m", "use-after-poison"),  # a turned weight
        (
            CHAINS,
            "(step * batches + b) * data->batch",
            "(step * batches + b + 1) * data->batch",
            "heap-buffer-overflow",
        ),
        (
            CHAINS,
            "(is_back && !chain->is_trained[t])",
            "(is_back && (i % 3 == 2 || !chain->is_trained[t]))",
            "other bits",
        ),  # second moments are lost
    ],
)
def test_a_fault_is_seen(fuzz: Path, right: str, wrong: str, seen: str, tmp_path: Path) -> None:
    text = SOURCE.read_text(encoding="utf-8")
    assert right in text
    (tmp_path / "engine.c").write_text(text.replace(right, wrong), encoding="utf-8")
    done = run(built(fuzz, tmp_path, torch.float32, tmp_path / "engine.c"), 2_000, 1)
    assert done.returncode != 0
    assert seen in done.stdout + done.stderr
