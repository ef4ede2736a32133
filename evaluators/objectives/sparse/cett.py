"""CETT sparsity: the share of neurons that a block can do without at a given error."""

from __future__ import annotations

from torch import Tensor

from evaluators.objectives.sparse.neurons import NeuronObjective


class CettSparsity(NeuronObjective):
    """Share of a block's neurons that can be dropped, example by example, while its output changes by at most .2.

    A neuron counts by what it adds to the block's output, so that small activations are as good as zeros: functions
    without zeros have a sparsity, too. CETT is the cumulative error of tail truncation.
    """

    name = "cett_sparsity"
    unit = "share"
    direction = "maximize"
    formula = (
        "share of neurons with |W[:, i] a_i| below the layer's threshold, the largest at which dropping them changes "
        "the next layer's output by .2 of its norm"
    )
    source = "Luo et al. 2024, arXiv:2411.02335"

    def of_block(self, on: Tensor, x: Tensor) -> Tensor:
        return 1.0 - on.flatten(1).double().mean(dim=1)
