"""The digest of how a machine rounds."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from evaluators.machine.rounding import rounding

CODE = (
    "import torch; from evaluators.machine.rounding import rounding; "
    "print(rounding(), torch.backends.cpu.get_cpu_capability())"
)


def at_level(**variables: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", CODE], env=os.environ | variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_it_is_the_same_each_time_on_any_number_of_threads() -> None:
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    try:
        torch.set_num_threads(2)
        first = rounding()
        assert torch.get_num_threads() == 2
        torch.set_num_threads(1)
        assert rounding() == first
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(torch.get_rng_state(), state)
    with torch.device("meta"):
        assert rounding() == first


@pytest.mark.skipif(torch.backends.cpu.get_cpu_capability() == "DEFAULT", reason="no other level here")
def test_other_kernels_give_another_digest() -> None:
    digest, capability = at_level(ATEN_CPU_CAPABILITY="default")
    assert capability == "DEFAULT"
    assert digest != rounding()


@pytest.mark.skipif(not torch.backends.mkl.is_available(), reason="another matrix library")
def test_the_matrix_librarys_kernels_are_seen_where_torch_names_the_same_capability() -> None:
    digest, capability = at_level(MKL_CBWR="COMPATIBLE")
    plain, same = at_level(MKL_CBWR="AUTO")
    assert capability == same
    assert digest != plain
