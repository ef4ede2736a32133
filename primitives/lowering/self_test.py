"""Self-tests: a file beside the exported code that compares it with stored numbers, with the target's packages only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib.resources import files
from string import Template
from textwrap import indent

import torch

from primitives.expressions import Expression
from primitives.lowering.reference import points_of, reference

_PYTHON = Template(files("primitives.lowering").joinpath("self_test_python.txt").read_text(encoding="utf-8"))


def rows(
    expression: Expression,
    factor: float,
    dtype: torch.dtype = torch.float64,
    *,
    parts: Sequence[str] | None = None,
) -> list[list[float | None]]:
    """One row a point: x, then the value and its derivatives, each number with the largest difference from it.

    ``None`` stands for numbers that are not finite. ``parts`` are names of the reference's values, all by default.
    """
    known = reference(expression, points_of(expression), factor=factor, dtype=dtype)
    columns: list[Sequence[float]] = [known.points.tolist()]
    for name in known.values if parts is None else parts:
        columns += [known.values[name].tolist(), [float(f"{a:.2e}") for a in known.allowed[name].tolist()]]
    return [[n if math.isfinite(n) else None for n in row] for row in zip(*columns, strict=True)]


def python_self_test(
    expression: Expression,
    file: str,
    *,
    factor: float,
    imports: str,
    computed: str,
    dtype: torch.dtype = torch.float64,
    parts: Sequence[str] | None = None,
) -> dict[str, str]:
    """Self-test of a Python file, as file name -> text.

    Args:
        expression: the function.
        file: name of the exported file.
        factor: constant factor of the output.
        imports: lines that import the target's packages and the exported file's functions.
        computed: body of a function of ``points``, a list of floats, that returns a list of the value and of its
            derivatives by x and by each parameter, each as a list of floats.
        dtype: precision in which that is computed.
        parts: names of what is computed, where it is not all: ``"value"``, ``"x"`` and the parameters'.
    """
    names = ["value", "x", *(p.name for p in expression.parameters)] if parts is None else list(parts)
    own = f"test_{file}" if file.endswith(".py") else f"test_{file.replace('.', '_')}.py"
    text = _PYTHON.substitute(
        file=file,
        own_file=own,
        by=", ".join(names[1:]) or "nothing",
        precision=str(dtype).removeprefix("torch."),
        imports=imports,
        rows="\n".join(f"    {tuple(row)!r}," for row in rows(expression, factor, dtype, parts=parts)),
        names=repr(names),
        computed=indent(computed.strip("\n"), "    "),
    )
    return {own: text}
