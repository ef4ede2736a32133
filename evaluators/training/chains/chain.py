"""Chains: the networks that the native engine trains by itself, as plain records."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from primitives.expression.expression import Expression


class Kind(IntEnum):
    """What a step does; the numbers are those of ``engine.c``."""

    LINEAR = 0
    BIAS = 1
    NORM = 2
    SUM = 3
    ACTIVATION = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step from value to value. A value is, for each example, a row of numbers; value 0 are the inputs.

    Args:
        kind: what is done.
        source: number of the value that goes in.
        target: number of the value that comes out.
        other: number of the second summand of a sum.
        weight: name of the network's parameter, or "".
        bias: name of the parameter that is added, or "".
        is_turned: the weight has a row an input, as in ``x @ w``; that of ``nn.Linear`` has a row an output.
        rows: of an example.
        inputs: numbers of a row before, for a weight or a norm.
        outputs: and after.
        epsilon: of a norm.
        scale: of the second summand.
        slot: number of the place of the candidate, for an activation that is one.
        function: of an activation that stays what it is.
    """

    kind: Kind
    source: int
    target: int
    other: int = -1
    weight: str = ""
    bias: str = ""
    is_turned: bool = False
    rows: int = 1
    inputs: int = 0
    outputs: int = 0
    epsilon: float = 0.0
    scale: float = 1.0
    slot: int | None = None
    function: Expression | None = None


@dataclass(frozen=True, slots=True)
class Chain:
    """A network of linear layers, activations, layer normalisation, sums and flattening.

    Args:
        steps: in order.
        sizes: of each value, the numbers of an example.
        output: number of the value that goes to the loss.
        shape: of an example's output.
        places: of the candidate, in the network; those that no example reaches, too.
    """

    steps: tuple[Step, ...]
    sizes: tuple[int, ...]
    output: int
    shape: tuple[int, ...]
    places: int

    @property
    def tensors(self) -> tuple[str, ...]:
        """Names of the parameters that it takes, each once."""
        names = [name for step in self.steps for name in (step.weight, step.bias) if name]
        return tuple(dict.fromkeys(names))


class NotAChain(Exception):
    """A network is none; the message says what it does besides, for people."""
