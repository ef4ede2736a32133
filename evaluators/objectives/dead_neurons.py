"""Dead neurons: units whose output is zero for some examples, and what pruning leaves of them."""

from __future__ import annotations

from torch import Tensor

from evaluators.objectives.measured import MeasuredObjective, mean_of_activations
from evaluators.objectives.sparsity import near_zero
from evaluators.training.models import Models


class DeadNeurons(MeasuredObjective):
    """The dynamic dead neuron rate: share of pairs of unit and example with an output near zero, at the pre-activations
    of the trained models; units that are near zero for all examples, which are dead statically, have none.

    Near zero is at most 1e-3 of the root mean square of the activations of the layer and model, as for ``sparsity``. A
    unit is one number of an example: in a convolution each channel at each position. For ReLU it falls with pruning.
    """

    name = "dead_neurons"
    unit = "share"
    direction = "minimize"
    formula = "share of unit-example pairs with |a| <= 1e-3 of their root mean square, of units that are not so always"
    source = "dynamic dead neuron rate: Liu et al. 2022, arXiv:2212.06145"

    def measure(self, models: Models) -> Tensor:
        return mean_of_activations(models, _dynamic_rate)


def _dynamic_rate(_: Tensor, output: Tensor) -> Tensor:
    """Of each model, for outputs of shape (models, examples, ...)."""
    dead = near_zero(output)
    return (dead & ~dead.all(dim=1, keepdim=True)).flatten(1).double().mean(dim=1)
