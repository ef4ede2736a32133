"""Shared by the tasks with a residual network: it is trained as He et al. 2016 (arXiv:1512.03385) train theirs."""

from __future__ import annotations

from evaluators.tasks.optimisers import SGD
from evaluators.tasks.shipped.sized import SizedTask


class ResidualTask(SizedTask):
    """A task with :func:`evaluators.networks.resnet.resnet`; depth is blocks a stage, width channels of the first.

    There are no tricks: weights are the network's own, of He et al. 2015, and a candidate f is applied as it is, so
    that ReLU gives the published network. So a factor makes another function here. The rate falls by a cosine, where
    theirs falls twice to a tenth; examples are not augmented.
    """

    initial = "own"
    scale = "none"
    optimiser = SGD(momentum=0.9, weight_decay=1e-4)
    schedule = "cosine"
    learning_rates = (0.03, 0.1, 0.3)
    batch_size = 32
