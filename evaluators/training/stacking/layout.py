"""Which candidate owns which slices of a stack, at one activation slot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from primitives.expression.derivative import derivative
from primitives.expression.expression import Expression
from primitives.layers.population import population
from primitives.operators.axes import Axes


@dataclass(frozen=True, slots=True)
class Share:
    """One candidate's part of a stack: ``factor`` times its formula, on the slices ``start:stop``."""

    expression: Expression
    start: int
    stop: int
    factor: float = 1.0

    @property
    def slices(self) -> int:
        """How many they are."""
        return self.stop - self.start

    def derivative(self, wrt: str) -> Share:
        """The same slices with the derivative of the formula."""
        return replace(self, expression=derivative(self.expression, wrt))


@dataclass(frozen=True, slots=True)
class Layout:
    """Who owns which slices, and the names of each owner's parameters, in stack order."""

    shares: tuple[Share, ...]
    names: tuple[tuple[str, ...], ...]

    @property
    def is_pointwise(self) -> bool:
        """All are functions of one number."""
        return all(share.expression.is_pointwise for share in self.shares)

    @property
    def has_running(self) -> bool:
        """One has statistics over examples, which evaluation takes from elsewhere."""
        return any(population(share.expression).running for share in self.shares)

    def alone(self, number: int) -> Layout:
        """One candidate's part, as if it had no company."""
        share = self.shares[number]
        return Layout((replace(share, start=0, stop=share.slices),), (self.names[number],))

    def sections(self, values: Sequence[Tensor]) -> list[dict[str, Tensor]]:
        """The parameter values of each share, by name."""
        rest = iter(values)
        return [{name: next(rest) for name in names} for names in self.names]

    def repeated(self, times: int) -> Layout:
        """The same with each slice so many times, one copy behind the other."""
        shares = (replace(share, start=share.start * times, stop=share.stop * times) for share in self.shares)
        return Layout(tuple(shares), self.names)

    def derivative(self, wrt: str) -> Layout:
        """The same layout with the derivatives of the formulas."""
        return Layout(tuple(share.derivative(wrt) for share in self.shares), self.names)


def shaped(value: Tensor, dims: int, axes: Axes) -> Tensor:
    """A parameter (slices,) or (slices, C) shaped to broadcast with its slices of x, dims-dimensional."""
    own = axes.shaped(value) if value.dim() == 2 else value
    return own.view(len(own), *[1] * (dims - own.dim()), *own.shape[1:])
