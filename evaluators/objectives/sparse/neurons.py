"""Neurons: an activation with the column of the linear layer behind it, by which it reaches the block's output.

A neuron i of a block puts n_i = W[:, i] a_i out, W the weight of that layer. Their sum is the block's output without
its bias.
"""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from evaluators.errors import TaskError
from evaluators.objectives.measured import MeasuredObjective, mean_of_activations
from evaluators.places.neighbours import PlaceCall, place_calls
from evaluators.training.models import Models

ERROR = 0.2  # of a block's output, which Sparsing Law (arXiv 2411.02335) calls CETT


class NeuronObjective(MeasuredObjective):
    """A number of the active neurons of each block; the mean over the blocks of a network, and its seeds.

    Active are those that remain where the smallest are dropped, as many as the error allows, see :func:`active`.
    """

    def check(self, models: Models) -> None:
        for place in place_calls(models.task):
            if why := self.misses(place):
                raise TaskError(f"task {models.task.name!r}: {self.name}: {place.path}: {why}")

    def misses(self, place: PlaceCall) -> str:
        """What a call of a place lacks, for people: what was expected and found; "" where it lacks nothing."""
        if len(place.after) == 1:
            return ""
        found = " and ".join(place.after) or "none"
        return (
            f"expected one linear layer, of a weight that is a parameter, that takes its output as it is, found {found}"
        )

    @abstractmethod
    def of_block(self, on: Tensor, x: Tensor) -> Tensor:
        """The numbers of the models, shape (models,).

        Args:
            on: which neurons are active, shape (models, examples, ..., neurons), bool.
            x: the block's input, that of the linear layer before the place, shape (models, examples, ..., features);
                without one, the place's.
        """

    def measure(self, models: Models) -> Tensor:
        return torch.stack([self._of_part(part) for part in models.parts()]).mean()

    def _of_part(self, models: Models) -> Tensor:
        """Of models whose activations are seen together."""
        places = iter(calls := place_calls(models.task))
        with models.inputs_of({linear.path for place in calls for linear in place.before}) as given:

            def look(x: Tensor, output: Tensor) -> Tensor:
                place = next(places)
                on = active(output, models.weight(f"{place.after[0]}.weight"))
                linear = next(iter(place.before), None)
                return self.of_block(on, x if linear is None else given[linear.path][linear.number])

            return mean_of_activations(models, look)


def active(output: Tensor, weight: Tensor) -> Tensor:
    """Which neurons of a block are active: all but the smallest by the norm of what they put out.

    One threshold of a block and model holds for all examples. It is the largest for which dropping all neurons up to
    it changes the block's output, bias aside, by at most .2 of its norm in the mean over examples and positions.

    Args:
        output: activations, shape (models, examples, ..., neurons).
        weight: of the linear layer that takes them, shape (models, outputs, neurons).

    Returns:
        Of the shape of ``output``, bool.
    """
    values, columns = output.flatten(1, -2).double(), weight.detach().double()
    norms = values.abs() * columns.norm(dim=1)[:, None, :]
    whole = (values @ columns.mT).norm(dim=-1)
    ordered = norms.flatten(1).sort(dim=1).values

    def kept(dropped: Tensor) -> Tensor:
        """Which are larger than so many of the smallest, shape (models,)."""
        largest = ordered.gather(1, (dropped - 1).clamp(min=0)[:, None])
        larger: Tensor = norms > largest[:, :, None]
        return larger | (dropped == 0)[:, None, None]

    fits = torch.zeros(len(norms), dtype=torch.int64, device=norms.device)  # so many may be dropped
    too_many = fits + ordered.shape[1] + 1
    for _ in range(ordered.shape[1].bit_length()):
        middle = (fits + too_many) // 2
        change = ((values * ~kept(middle)) @ columns.mT).norm(dim=-1)
        error = torch.where(whole > 0.0, change / whole, 0.0).mean(dim=1)
        fits, too_many = torch.where(error <= ERROR, middle, fits), torch.where(error <= ERROR, too_many, middle)
    return kept(fits).view(output.shape)
