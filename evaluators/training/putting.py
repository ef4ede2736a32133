"""The candidate in the places of one network, as ordinary layers."""

from __future__ import annotations

from collections.abc import Sequence

from evaluators.places.site import Site
from evaluators.tasks.base import Task
from evaluators.training.initialisation import applied_in
from primitives.expression.expression import Expression
from primitives.layers.activation import Activation
from primitives.layers.shared import share_parameters


def put_candidate(task: Task, expression: Expression, sites: Sequence[Site]) -> list[Activation]:
    """Put a candidate in its places, with the scale that the task has; return the layers, on the CPU."""
    formula = applied_in(task, expression)
    layers = [
        Activation(formula, channels=site.inputs.channels, channel_dim=site.inputs.channel_dim, device="cpu")
        for site in sites
    ]
    share_parameters(layers)
    for site, layer in zip(sites, layers, strict=True):
        site.put(layer)
    return layers
