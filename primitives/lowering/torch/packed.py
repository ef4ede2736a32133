"""Torch: the packed form of a pair with steps as its derivative, which keeps level numbers instead of its input."""

from __future__ import annotations

from primitives.equivalence.builtin import as_builtin
from primitives.errors import LoweringError
from primitives.expression.expression import Expression
from primitives.fewbit.steps import Steps, steps_of
from primitives.lowering.python.text import class_name, python_number
from primitives.lowering.reference import scaled
from primitives.lowering.shipped import template
from primitives.lowering.torch.helpers import completed
from primitives.lowering.torch.replacing import replace_text
from primitives.lowering.torch.source import TAKEN, body, init_scale, returned_value
from primitives.operators.formulas import valued

_MODULE = template("torch/packed.txt")


def packed_steps(expression: Expression) -> Steps | None:
    """The steps by which the packed form of a pair computes its gradient; None where there is no such form."""
    return steps_of(expression) if as_builtin(expression).is_paired else None


def packed_source(expression: Expression, *, name: str = "activation", factor: float = 1.0) -> str:
    """Source of a module for ``factor * expression`` that keeps a level number for each element.

    With k levels these are ceil(log2 k) bits, packed without gaps. The module imports torch, math and warnings only and
    defines, for the name ``act_3_7``: the function ``act_3_7(x, inplace=False)``, the ``nn.Module`` ``Act37``, the
    constants ``LEVELS``, ``BORDERS``, ``BITS`` and ``GAIN``, and ``replace``.

    Raises:
        LoweringError: the derivative is not seen to be steps (:func:`primitives.fewbit.steps.steps_of`), or the name is
            not snake case or is taken in the generated module.
    """
    module = class_name(name, TAKEN)
    steps = steps_of(expression)
    if steps is None:
        raise LoweringError(
            f"{expression.text}: expected a derivative of at most 16 constant levels and no parameters, "
            "such as few_bit(f).pair has"
        )
    root = scaled(as_builtin(expression), factor)
    source = _MODULE.substitute(
        function=name,
        module=module,
        text=expression.text,
        factor=python_number(factor),
        init_scale=python_number(init_scale(root)),
        bits=steps.bits,
        kept=f"{steps.bits} bit{'s' * (steps.bits != 1)}",
        levels=repr(tuple(factor * level for level in steps.levels)),
        borders=repr(steps.borders),
        value=body([valued(root)], {}, returned_value),
        replace=replace_text(module, ""),
        helpers="$helpers",
        imports="$imports",
    )
    return completed(source)
