"""What layers of one network share: a parameter per network is one element for all of them."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

from primitives.expression.parameters import Parameter
from primitives.layers.expression_layer import ExpressionLayer


def share_parameters(layers: Iterable[ExpressionLayer]) -> None:
    """Make the parameters per network of some layers one: that of the first layer which has it, in the others, too."""
    first: dict[Parameter, nn.Parameter] = {}
    for layer in layers:
        for p in layer.expression.parameters:
            if p.per == "network":
                setattr(layer, p.name, first.setdefault(p, layer.get_parameter(p.name)))
