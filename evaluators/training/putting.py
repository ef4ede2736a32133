"""The candidate in the places of one network, as ordinary layers."""

from __future__ import annotations

from collections.abc import Sequence

from evaluators.places.fitting import check_fits
from evaluators.places.site import Site
from evaluators.tasks.base import Task
from evaluators.training.initialisation import applied_in
from primitives.expression.expression import Expression, at_place
from primitives.layers.expression_layer import ExpressionLayer
from primitives.layers.norm_activation import layer_of
from primitives.layers.shared import share_parameters


def put_candidate(task: Task, expression: Expression, sites: Sequence[Site]) -> list[ExpressionLayer]:
    """Put a candidate in its places, with the scale that the task has; return the layers, on the CPU.

    Raises:
        EvaluationError: it does not fit one of them; see :func:`evaluators.places.fitting.misfit`.
    """
    check_fits(expression, sites)
    layers = [
        layer_of(
            applied_in(task, at_place(expression, number, len(sites))),
            channels=site.inputs.channels,
            channel_dim=site.inputs.channel_dim,
            device="cpu",
        )
        for number, site in enumerate(sites)
    ]
    share_parameters(layers)
    for site, layer in zip(sites, layers, strict=True):
        site.put(layer)
    return layers
