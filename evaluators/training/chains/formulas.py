"""The formulas of a chain's activations as bytecode."""

from __future__ import annotations

from collections.abc import Mapping

from evaluators.training.chains.structures import Formula
from evaluators.training.stacking.activation_slot import ActivationSlot
from evaluators.training.stacking.candidate_parameters import Key, key_of
from primitives.errors import LoweringError
from primitives.expression.derivative import with_slopes
from primitives.expression.expression import Expression
from primitives.lowering.bytecode.program import Bytecode, bytecode

#: The trainer's arrays of a formula's parameters have room for so many.
MOST_PARAMETERS = 16


def code_of(expression: Expression) -> Bytecode:
    """Value, slope by x, slopes by the parameters.

    Raises:
        LoweringError: the engine lacks an operator, or the program is too large.
    """
    names = tuple(p.name for p in expression.parameters)
    if len(names) > MOST_PARAMETERS:
        raise LoweringError(f"the engine has room for {MOST_PARAMETERS} parameters, and this formula has {len(names)}")
    return bytecode(with_slopes(expression, names), names)


def fixed(expression: Expression) -> Formula:
    """An activation that stays what it is."""
    return Formula(code_of(expression))


def of_place(slot: ActivationSlot, member: int, numbers: Mapping[Key, int]) -> Formula:
    """What a candidate is in a place.

    Args:
        slot: the place.
        member: the candidate's number in the stack.
        numbers: of the tensors of its parameters.
    """
    share = slot.layout.shares[member]
    parameters = share.expression.parameters
    return Formula(
        code=code_of(share.expression),
        tensors=tuple(numbers[key_of(slot, member, p)] for p in parameters),
        per_channel=tuple(p.per == "channel" for p in parameters),
        channels=slot.channels,
        factor=share.factor,
    )
