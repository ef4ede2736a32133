"""Compiles a kernel for a GPU of compute capability 9.0: reads name, type and constants, prints PTX and registers."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import triton

from evaluators.gpu.descent import descent
from evaluators.gpu.interpreter import formulas, sums

KERNELS = {"descent": descent, "formulas": formulas, "sums": sums}
TABLES = {"code": "i64", "constants": "fp64", "numbers": "fp64", "addresses": "i64", "shapes": "i64"}
TABLES |= dict.fromkeys(["rows", "outputs", "places", "tiles"], "i32")


def kind(argument: str, dtype: str, fixed: dict[str, int]) -> str:
    if argument in fixed:
        return "constexpr"
    return f"*{TABLES.get(argument.removesuffix('_pointer'), dtype)}" if argument.endswith("_pointer") else "i32"


def compiled(name: str, dtype: str, fixed: dict[str, int]) -> Any:
    kernel = KERNELS[name]
    types = {argument: kind(argument, dtype, fixed) for argument in kernel.arg_names}
    source = triton.compiler.ASTSource(kernel, types, fixed, {})
    target = triton.backends.compiler.GPUTarget("cuda", 90, 32)
    return triton.compile(source, target=target, options={"num_warps": 4, "enable_reflect_ftz": False})


def registers(cubin: bytes) -> int:
    """Of a thread."""
    tool = Path(triton.__file__).parent / "backends/nvidia/bin/cuobjdump"
    with TemporaryDirectory() as folder:
        file = Path(folder) / "kernel.cubin"
        file.write_bytes(cubin)
        text = subprocess.run([tool, "-res-usage", file], check=True, capture_output=True, text=True).stdout
    return int(re.findall(r"REG:(\d+)", text)[-1])


if __name__ == "__main__":
    found = compiled(*json.load(sys.stdin)).asm
    json.dump([found["ptx"], registers(found["cubin"])], sys.stdout)
