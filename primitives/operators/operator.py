"""An operator: what one row of the table says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

INPUTS = ("a", "b", "c", "d", "e")

#: ``layers(f1, ..., fk)``, the root of an expression: one function per place; it is no operator, and has no row.
LAYERS = "layers"

#: ``paired(f, g)``: the value of f, the derivative of g.
PAIR = "paired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """One row of the table. An empty column is filled by the formula.

    Args:
        name: the name in expression text.
        arity: number of inputs, 1 to 5.
        formula: expression text over the inputs ``a, b, ...`` for exactly this operator, or "".
        forward: maps the inputs to the output, elementwise; inputs are tensors of one dtype or Python floats,
            at least one of them a tensor; the output has that dtype.
        cost: forward time per element relative to ReLU; of a statistic a third of that of value and gradient.
        tangent: total derivative, see :mod:`primitives.operators.rows`.
        code: by target of :func:`primitives.lowering.lower`, a template over ``{0}, {1}, {2}``; those of the operators
            below stand with the targets. A template may use what the target's module imports, that of torch ``torch``,
            ``math`` and ``F`` (torch.nn.functional). Comparisons are truth values, so is ``where``'s first argument.
        commutative: the order of the inputs does not matter.
        monotone: for each input how the output goes with it while the others stay, as ``"increasing"``, ``"neither"``
            or ``"decreasing to 0, increasing from 0"``; see :mod:`primitives.operators.trends`. () for: by the
            formula, else neither. Of products, quotients, powers and selections signs decide; their rules are
            :mod:`primitives.monotone.rules`.
        curvature: jointly in all inputs, ``"convex"``, ``"concave"``, ``"affine"``, or parts of the first one, as
            ``"convex to 0, concave from 0"``; "" as above.
        slopes: for each input an interval of all difference quotients by it, ``("[-1,1]",)`` for sine; () for any.
        domain: of an operator of one input, the interval on which it has a value; "" for the whole line.
        image: an interval that has all values; "" for the whole line.
        reduces: the index set of a statistic, see :mod:`primitives.operators.statistics`; "" for what is elementwise.
        source: the system or paper that has the operator under this or a like name.
    """

    name: str
    arity: int = 1
    formula: str = ""
    forward: Callable[..., Any] | None = None
    cost: float = 0.0
    tangent: str = ""
    code: Mapping[str, str] = field(default_factory=dict, hash=False)
    commutative: bool = False
    monotone: tuple[str, ...] = ()
    curvature: str = ""
    slopes: tuple[str, ...] = ()
    domain: str = ""
    image: str = ""
    source: str = ""
    reduces: str = ""

    @property
    def is_pair(self) -> bool:
        """The value is that of one input and the derivative that of another."""
        return self.name == PAIR

    @property
    def canonical(self) -> bool:
        """It stands in canonical forms: it computes something of its own, or has a derivative of its own."""
        return self.forward is not None or self.is_pair
