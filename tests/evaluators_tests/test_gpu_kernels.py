"""The kernels of a GPU: in Triton's interpreter they give torch's numbers, and they compile for a GPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

triton = pytest.importorskip("triton", reason="the kernels need triton")

ROOT = Path(__file__).parents[2]
GROUPS = {
    "operators": ("check_every_operator", "check_signed_zeros_among_constants", "check_the_catalogue_sample"),
    "formulas": (
        *("check_values_slopes_and_sums", "check_values_alone", "check_second_derivatives_are_right"),
        *("check_more_registers_than_a_kernel_has_are_torchs", "check_what_is_usable"),
    ),
    "company": (
        *("check_bits_do_not_depend_on_company", "check_launches_do_not_depend_on_the_number_of_shares"),
        "check_launches_of_a_step_do_not_depend_on_the_number_of_candidates",
    ),
    "optimisers": ("check_optimisers_are_torchs", "check_a_step_is_one_launch"),
    "stacks": ("check_a_stack_of_rows_trains_as_by_torch",),
}


def checked(*names: str, **variables: str) -> subprocess.CompletedProcess[str]:
    interpreted = {} if torch.cuda.is_available() else {"TRITON_INTERPRET": "1"}
    return subprocess.run(
        [sys.executable, "-m", "tests.evaluators_tests.gpu_checks", *names],
        cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"} | interpreted | variables, capture_output=True, text=True,
    )  # fmt: skip


@pytest.mark.parametrize("group", GROUPS)
def test_the_kernels_compute_what_torch_does(group: str) -> None:
    done = checked(*GROUPS[group])
    assert (done.returncode, done.stdout) == (0, f"{len(GROUPS[group])} checks\n"), done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["check_the_whole_catalogue", "check_every_family_trains_as_by_torch", "check_autocast"]
)
def test_the_kernels_compute_more_of_what_torch_does(name: str) -> None:
    done = checked(name)
    assert (done.returncode, done.stdout) == (0, "1 checks\n"), done.stderr


def test_the_variable_turns_them_off() -> None:
    done = checked("check_what_is_usable", ACTSEARCH_ENGINE="torch")
    assert done.returncode == 1
    assert "assert has_kernels(x)" in done.stderr


def compiled(kernel: str, dtype: str, folder: Path, **fixed: int) -> tuple[str, int]:
    """To machine code of compute capability 9.0, which needs no GPU: its PTX, and the registers of a thread."""
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    environment |= {"TRITON_CACHE_DIR": str(folder), "TRITON_DEFAULT_FP_FUSION": "1"}  # else Triton 3.9 warns
    command = [sys.executable, "-m", "tests.evaluators_tests.gpu_compiling"]
    request = json.dumps([kernel, dtype, fixed])
    done = subprocess.run(command, cwd=ROOT, env=environment, input=request, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    ptx, registers = json.loads(done.stdout)
    return ptx, registers


@pytest.mark.parametrize(("dtype", "file", "most"), [("fp32", 8, 64), ("fp32", 16, 128), ("bf16", 32, 255)])
def test_what_is_computed_stays_in_registers(dtype: str, file: int, most: int, tmp_path: Path) -> None:
    """Of 65,536 registers a multiprocessor has 128 threads of a block take 64 each, or 128, or all that they can."""
    ptx, registers = compiled("formulas", dtype, tmp_path, SLOPES=1, FILE=file, BLOCK=512)
    assert registers <= most
    assert ptx.count("ld.global") > 5


@pytest.mark.parametrize(
    ("kernel", "dtype", "fixed"),
    [
        ("formulas", "fp64", {"SLOPES": 0, "FILE": 8, "BLOCK": 512}),
        ("sums", "bf16", {"BLOCK": 1024, "TILE": 32}),
        ("descent", "fp32", {"ADAM": 1, "DECOUPLED": 1, "NESTEROV": 0, "BLOCK": 1024}),
        ("descent", "fp64", {"ADAM": 0, "DECOUPLED": 0, "NESTEROV": 1, "BLOCK": 1024}),
    ],
)
def test_the_kernels_compile_for_a_gpu(kernel: str, dtype: str, fixed: dict[str, int], tmp_path: Path) -> None:
    assert "st.global" in compiled(kernel, dtype, tmp_path, **fixed)[0]
