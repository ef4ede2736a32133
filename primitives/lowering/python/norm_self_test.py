"""Self-tests of functions with statistics: a small batch with the numbers that the exported code must compute of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import indent
from typing import final

import numpy as np
import torch
from torch import Tensor

from primitives.expression.evaluation import compiled
from primitives.expression.expression import Expression
from primitives.layers.population import population
from primitives.lowering.python.text import self_test_file
from primitives.lowering.reference import scaled
from primitives.lowering.shipped import template
from primitives.operators.axes import Axes

_TEXT = template("python/norm_self_test.txt")
SHAPE, PER_GROUP = (3, 4, 2, 2), 2


@final
@dataclass(frozen=True, slots=True)
class Batch:
    """What a self-test feeds in, float64.

    Args:
        inputs: x, and z of a gate, of one shape.
        parameters: by name, each near its initial value; one per channel has the shape (channels,), others (1,).
        weights: of the outputs, in a sum of which slopes are taken.
    """

    inputs: tuple[Tensor, ...]
    parameters: Mapping[str, Tensor]
    weights: Tensor


def batch_of(expression: Expression) -> Batch:
    """The batch of an expression; channels and examples differ in mean and spread, and all numbers are float32 too."""
    draw = np.random.Generator(np.random.PCG64(5)).standard_normal
    spread = torch.tensor([0.5, 1.0, 2.0, 1.5]).view(4, 1, 1) + torch.tensor([0.0, 0.5, -0.25]).view(3, 1, 1, 1)
    count = 2 if "z" in expression.inputs else 1
    inputs = [_rounded(torch.from_numpy(draw(SHAPE))) * spread.double() + 0.25 for _ in range(count)]
    parameters = {
        p.name: _rounded(torch.full((SHAPE[1] if p.per == "channel" else 1,), p.initial, dtype=torch.float64))
        + 0.0625 * torch.arange(1, 5 if p.per == "channel" else 2)
        for p in expression.parameters
    }
    return Batch(tuple(inputs), parameters, _rounded(torch.from_numpy(draw(SHAPE))))


def _rounded(value: Tensor) -> Tensor:
    return (value * 64).round() / 64


def expected(expression: Expression, factor: float, *, per_group: int = PER_GROUP) -> dict[str, Tensor]:
    """What the code must compute of the batch.

    Returns:
        ``"initial"``, the value at the initial parameters; ``"value"``, that at the batch's; the slopes by
        ``"x"``, ``"z"`` and each parameter; ``"inference"``, where running numbers are the statistics of the batch,
        and ``"start"``, where they and the parameters are initial.
    """
    axes = Axes(channels=1 - len(SHAPE), dims=len(SHAPE), per_group=per_group)

    def computed(root: Expression, given: Mapping[str, Tensor | float]) -> Tensor:
        (value,) = compiled((root,), axes, pairs=root.is_paired).run(x, given)
        return value

    batch, root = batch_of(expression), scaled(expression, factor)
    x, *second = [each.clone().requires_grad_() for each in batch.inputs]
    given = {name: value.clone().requires_grad_() for name, value in batch.parameters.items()}
    leaves = {"x": x} | dict(zip("z", second, strict=False)) | given
    at = {name: _shaped(value) for name, value in leaves.items() if name != "x"}
    initial = dict(at) | expression.initial_values
    found = {"initial": computed(root, initial), "value": computed(root, at)}
    total = (found["value"] * batch.weights).sum()
    grads = torch.autograd.grad(total, [*leaves.values()], allow_unused=True, materialize_grads=True)
    found |= dict(zip(leaves, grads, strict=True))
    whole = population(expression)
    form = scaled(whole.form, factor)
    running = {p.name: computed(s, at)[:1, :, :1, :1] for p, s in zip(whole.running, whole.statistics, strict=True)}
    found["inference"] = computed(form, at | running)
    found["start"] = computed(form, initial | {p.name: p.initial for p in whole.running})
    return {name: value.detach() for name, value in found.items()}


def _shaped(value: Tensor) -> Tensor:
    return value if value.dim() > 1 else value.squeeze(0) if len(value) == 1 else value.view(-1, 1, 1)


def norm_self_test(
    expression: Expression,
    file: str,
    *,
    factor: float,
    imports: str,
    computed: str,
    dtype: torch.dtype = torch.float64,
    names: Sequence[str],
    per_group: int = PER_GROUP,
) -> dict[str, str]:
    """Self-test of a Python file of a function with statistics, as file name -> text.

    Args:
        expression: the function.
        file: name of the exported file.
        factor: constant factor of the output.
        imports: lines that import the target's packages and the exported file's functions.
        computed: body of a function without arguments that returns flat lists of numbers by their names.
        dtype: precision in which they are computed.
        names: of the numbers, see :func:`expected`.
        per_group: the largest number of channels of a group.
    """
    test_file = self_test_file(file)
    batch, known = batch_of(expression), expected(expression, factor, per_group=per_group)
    rows = (f"    {name!r}: {_row(value, dtype)!r}," for name, value in known.items() if name in names)
    text = _TEXT.substitute(
        file=file,
        test_file=test_file,
        shape=SHAPE,
        per_group=per_group,
        precision=str(dtype).removeprefix("torch."),
        imports=imports,
        inputs=[each.tolist() for each in batch.inputs],
        parameters=[each.tolist() for each in batch.parameters.values()],
        weights=batch.weights.tolist(),
        expected="\n".join(rows),
        computed=indent(computed.strip("\n"), "    "),
    )
    return {test_file: text}


def _row(value: Tensor, dtype: torch.dtype) -> tuple[list[float | None], float]:
    """The numbers, and what rounding may change: 1e4 last places of the largest one, and of 1."""
    numbers = value.flatten().tolist()
    largest = max([1.0, *(abs(n) for n in numbers if math.isfinite(n))])
    allowed = float(f"{1e4 * torch.finfo(dtype).eps * largest:.2e}") if dtype == torch.float64 else 2e-5 * largest
    return [n if math.isfinite(n) else None for n in numbers], allowed
