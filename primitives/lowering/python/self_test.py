"""Self-tests: a file beside the exported code that compares it with stored numbers, with the target's packages only."""

from __future__ import annotations

import math
from textwrap import indent

import torch
from torch import Tensor

from primitives.expression.evaluation import evaluate
from primitives.expression.expression import Expression
from primitives.expression.reduction import ZERO
from primitives.expression.traversal import postorder
from primitives.lowering.python.text import self_test_file
from primitives.lowering.reference import VALUE, elementary, given_at, points_of, reference, second_points
from primitives.lowering.shipped import template
from primitives.operators.kernels import COMPARISONS

_PYTHON = template("python/self_test.txt")


def rows(
    expression: Expression, *, factor: float, dtype: torch.dtype = torch.float64, kinks: bool = True, room: float = 0.0
) -> list[list[float | None]]:
    """One row a point: x, z of a gate, then the value and its derivatives, each with the largest difference from it.

    ``None`` stands for numbers that are not finite and, without ``kinks``, for derivatives at kinks and steps and for
    numbers that an infinity on the way leads to.
    """
    points = points_of(expression)
    known = reference(expression, points, factor=factor, dtype=dtype)
    values = dict(known.values)
    if not kinks:
        smooth = smooth_at(expression, points)
        values |= {wrt: torch.where(smooth, slope, torch.nan) for wrt, slope in values.items() if wrt != VALUE}
        values[VALUE] = torch.where(_real(expression, points), values[VALUE], torch.nan)
    columns = [points.tolist(), *([second_points(points).tolist()] if "z" in expression.inputs else [])]
    for name, column in values.items():
        allowed = 1.01 * known.allowed[name] + room  # three digits of it are not less than it is
        columns += [column.tolist(), [float(f"{a:.2e}") for a in allowed.tolist()]]
    return [[n if math.isfinite(n) else None for n in row] for row in zip(*columns, strict=True)]


def smooth_at(expression: Expression, x: Tensor) -> Tensor:
    """True where nothing in the formula stands at the point where it changes over, or is not real."""
    smooth = _real(expression, x)
    for node in postorder((elementary(expression),)):
        for pair in _changes_over(node):
            a, b = evaluate(pair, x, given_at(expression, x))
            smooth &= (a - b).abs() > 1e-12 * (a.abs() + b.abs())
    return smooth


def _real(expression: Expression, x: Tensor) -> Tensor:
    """True where nothing in the formula is infinite or a power of a number below 0 that has one by rounding only."""
    nodes = postorder((elementary(expression),))
    bases = [n.args[0] for n in nodes if n.op == "pow" and not isinstance(n.args[1].value, float)]
    given = given_at(expression, x)
    real = torch.stack(evaluate(nodes, x, given)).isfinite().all(0)
    return real & torch.stack([x == x, *(base > 0 for base in evaluate(bases, x, given))]).all(0)


def _changes_over(node: Expression) -> list[tuple[Expression, Expression]]:
    """Two expressions that are equal where an operator changes over from one branch to another."""
    if node.op in {"max", "min", *COMPARISONS}:
        return [(node.args[0], node.args[1])]
    if node.op in {"abs", "sign"} or (node.op == "where" and node.args[0].op not in COMPARISONS):
        return [(node.args[0], ZERO)]
    return [(node.args[0], node)] if node.op == "floor" else []


def python_self_test(
    expression: Expression,
    file: str,
    *,
    factor: float,
    imports: str,
    computed: str,
    dtype: torch.dtype = torch.float64,
    by_parameters: bool = True,
    kinks: bool = True,
    largest: float = math.inf,
    room: float = 0.0,
) -> dict[str, str]:
    """Self-test of a Python file, as file name -> text.

    Args:
        expression: the function.
        file: name of the exported file.
        factor: constant factor of the output.
        imports: lines that import the target's packages and the exported file's functions.
        computed: body of a function of ``points``, a list of floats, and of a gate ``seconds``, those of z; it returns
            a list of the value and of its derivatives by x, z and each parameter, each as a list of floats.
        dtype: precision in which that is computed.
        by_parameters: derivatives by them are computed too.
        kinks: derivatives at kinks are tested too.
        largest: size of the inputs.
        room: added to every allowed difference.
    """
    inputs = _inputs(expression)
    names = [VALUE, *inputs, *(p.name for p in expression.parameters if by_parameters)]
    test_file = self_test_file(file)
    table = rows(expression, factor=factor, dtype=dtype, kinks=kinks, room=room)
    table = [row[: len(inputs) + 2 * len(names)] for row in table]
    text = _PYTHON.substitute(
        file=file,
        test_file=test_file,
        by=", ".join(names[1:]) or "nothing",
        precision=str(dtype).removeprefix("torch."),
        imports=imports,
        rows="\n".join(f"    {tuple(row)!r}," for row in table if _within(row[: len(inputs)], largest)),
        inputs=len(inputs),
        of=" and ".join(inputs),
        at=", ".join(f"{name} = {{row[{place}]!r}}" for place, name in enumerate(inputs)),
        points=points_text(expression),
        names=repr(names),
        computed=indent(computed.strip("\n"), "    "),
    )
    return {test_file: text}


def points_text(expression: Expression) -> str:
    """The arguments of what a self-test computes."""
    return ", ".join(["points", "seconds"][: len(_inputs(expression))])


def _inputs(expression: Expression) -> list[str]:
    return ["x", "z"] if "z" in expression.inputs else ["x"]


def _within(inputs: list[float | None], largest: float) -> bool:
    return all(abs(number or 0.0) <= largest for number in inputs)
