"""Evaluation: several expressions at once, shared subexpressions once, in the dtype of the input."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from primitives.errors import ExpressionError
from primitives.expression.expression import Expression
from primitives.expression.parameters import Parameter
from primitives.expression.traversal import postorder
from primitives.operators.axes import Axes, usual_axes
from primitives.operators.formulas import expand
from primitives.operators.kernels import COMPARISONS, Value, paired, where_compared
from primitives.operators.operator import LAYERS, PAIR
from primitives.operators.table import fold, forward_of, reduces

#: The leaf that is no parameter: the axes of the inputs.
AXES = ":axes"

Leaf = Value | str | Axes | None


@dataclass(frozen=True, slots=True)
class Program:
    """Straight-line code for some expressions.

    Args:
        leaves: the first registers: a constant, the name of a parameter or ``"z"``, ``None`` for ``x``, or axes, which
            statistics take: ``AXES`` where they are known when it is run.
        steps: each appends one register, the function of the registers named.
        outputs: the register of each root.
    """

    leaves: tuple[Leaf, ...]
    steps: tuple[tuple[Callable[..., Value], tuple[int, ...]], ...]
    outputs: tuple[int, ...]

    def run(self, x: Tensor, parameters: Mapping[str, Value], axes: Axes | None = None) -> list[Tensor]:
        """Outputs at ``x``, in its dtype and of its shape; where parameters have more dimensions, of the shape to which
        all of them broadcast.
        """
        registers: list[Any] = [axes if leaf == AXES else _leaf_value(leaf, x, parameters) for leaf in self.leaves]
        for forward, inputs in self.steps:
            registers.append(forward(*[registers[i] for i in inputs]))
        return [shaped(registers[i], x) for i in self.outputs]

    def typed(self, dtype: torch.dtype) -> Program:
        """The same with constants as tensors of a type: torch converts a number anew at each use, 2 us a time.

        Exponents stay numbers: torch has fast forms for 2, 3 and a half.
        """
        power = forward_of("pow")
        exponents = {inputs[1] for forward, inputs in self.steps if forward is power}
        leaves = tuple(
            torch.tensor(leaf, dtype=dtype) if isinstance(leaf, float) and index not in exponents else leaf
            for index, leaf in enumerate(self.leaves)
        )
        return Program(leaves, self.steps, self.outputs)


def _leaf_value(leaf: Leaf, x: Tensor, parameters: Mapping[str, Value]) -> Value | Axes:
    if leaf is None:
        return x
    if not isinstance(leaf, str):
        return leaf
    value = parameters[leaf]
    return value if isinstance(value, Tensor) else torch.tensor(value, dtype=x.dtype, device=x.device)


def shaped(value: Value, x: Tensor) -> Tensor:
    """A value as a tensor of the shape of ``x``, or of that to which both broadcast."""
    if isinstance(value, Tensor):
        same = value.shape == x.shape
        return value if same else value.to(x.dtype).expand(np.broadcast_shapes(value.shape, x.shape))
    return torch.zeros_like(x) + value  # full_like refuses what overflows in float16


@lru_cache(maxsize=1024)
def compiled(roots: tuple[Expression, ...], axes: Axes | None = None, *, pairs: bool = False) -> Program:
    """The program of some expressions; subexpressions without ``x`` and parameters become numbers.

    Args:
        roots: the expressions, none of them ``layers(...)``.
        axes: of the inputs, for statistics; None: they are given when it is run.
        pairs: torch's own derivatives of the outputs are to be those of the expressions, so that for ``paired(f, g)``
            both parts are computed; by default it is f, whose derivatives torch would give.
    """
    roots = tuple([expand(root, "canonical" if pairs else "forward") for root in roots])
    inputs = {node: shown_inputs(node) for node in postorder(roots, inputs=shown_inputs)}
    leaves = [node for node, args in inputs.items() if not args]
    inner = [(node, args) for node, args in inputs.items() if args]
    register = {node: index for index, node in enumerate([*leaves, *[node for node, _ in inner]])}
    own: tuple[Leaf, ...] = tuple([_leaf(node) for node in leaves])
    if not any(root.has_statistics for root in roots):
        steps = [(forward(node, args), tuple([register[arg] for arg in args])) for node, args in inner]
        return Program(own, tuple(steps), tuple([register[root] for root in roots]))
    # one register more, behind the leaves: the axes
    at = len(leaves)
    moved = {node: index + (index >= at) for node, index in register.items()}
    steps = [
        (forward(node, args), (*[moved[arg] for arg in args], *([at] if reduces(node.op) else [])))
        for node, args in inner
    ]
    return Program((*own, AXES if axes is None else axes), tuple(steps), tuple([moved[root] for root in roots]))


def shown_inputs(node: Expression) -> tuple[Expression, ...]:
    """A node's inputs, none for a number; ``where`` over a comparison takes the comparison's own."""
    if not (node.uses_input or node.is_learnable):
        return ()
    if node.op == "where" and node.args[0].op in COMPARISONS and shown_inputs(node.args[0]):
        return (*node.args[0].args, *node.args[1:])
    return node.args


def forward(node: Expression, inputs: tuple[Expression, ...]) -> Callable[..., Value]:
    """The function of the :func:`shown_inputs` of a node that gives its value."""
    if node.op == PAIR:
        return paired
    return forward_of(node.op) if inputs is node.args else where_compared(node.args[0].op)


def leaf_value(node: Expression, x: Tensor, parameters: Mapping[str, Value]) -> Value:
    """The value of a node without :func:`shown_inputs` at points ``x``."""
    value = _leaf_value(_leaf(node), x, parameters)
    assert not isinstance(value, Axes)
    return value


def _leaf(node: Expression) -> Value | str | None:
    if isinstance(node.value, Parameter):
        return node.value.name
    if node.op == "z":
        return "z"
    return None if node.op == "x" else constants((node,))[node]


def constants(roots: Sequence[Expression]) -> dict[Expression, float]:
    """Values, in float64, of the nodes that depend on neither ``x`` nor a parameter."""
    known: dict[Expression, float] = {}
    for node in postorder(roots):
        if isinstance(node.value, float):
            known[node] = node.value
        elif not (node.uses_input or node.is_learnable):
            known[node] = fold(node.op, [known[arg] for arg in node.args])
    return known


def evaluate(
    roots: Sequence[Expression], x: Tensor, parameters: Mapping[str, Value], axes: Axes | None = None
) -> list[Tensor]:
    """Values of the roots at ``x``, elementwise but for statistics.

    Args:
        roots: expressions over the same parameters.
        x: floating point tensor of any shape.
        parameters: value of every parameter, a number or a tensor that broadcasts with ``x``; that of ``z``, too.
        axes: of ``x``, for statistics; by default those of (examples, channels, ...).

    Returns:
        One tensor for each root, with the shape and dtype of ``x``.
    """
    return compiled(tuple(roots), axes or usual_axes(x.dim())).run(x, parameters)


def value_at(expression: Expression, x: Tensor, **parameters: Value) -> Tensor:
    """Value of one expression at ``x``, elementwise, in the dtype of ``x``; torch's derivatives of it are its own.

    With statistics it is computed in float32 at least, as the layers do: a square of 300 overflows in float16.

    Args:
        expression: the function.
        x: floating point tensor of any shape; statistics take it for (examples, channels, ...).
        parameters: values by name, numbers or tensors that broadcast with ``x``; the others are initial. A gate takes
            its second input as ``z``.

    Raises:
        ExpressionError: a name is no parameter of the expression, a gate gets no ``z``, or it is ``layers(...)``.
    """
    if expression.op == LAYERS:
        raise ExpressionError("layers(...) has a value in each place; take one of its parts, as expression.parts[0]")
    initial: dict[str, Value] = dict(expression.initial_values)
    if "z" in expression.inputs:
        if "z" not in parameters:
            raise ExpressionError(f"{expression.text} has a second input; give it as z=...")
        initial["z"] = 0.0
    unknown = sorted(set(parameters) - set(initial))
    if unknown:
        known = sorted(initial) or "none"
        raise ExpressionError(f"{expression.text} has no parameter {unknown[0]!r}; it has {known}")
    program = compiled((expression,), usual_axes(x.dim()), pairs=expression.is_paired)
    if not expression.has_statistics:
        return program.run(x, initial | parameters)[0]
    wide = torch.promote_types(x.dtype, torch.float32)
    values = {name: each.to(wide) if isinstance(each, Tensor) else each for name, each in parameters.items()}
    return program.run(x.to(wide), initial | values)[0].to(x.dtype)
