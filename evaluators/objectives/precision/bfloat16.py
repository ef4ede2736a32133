"""bfloat16: what a network loses where its activations are of that type."""

from __future__ import annotations

import torch
from torch import Tensor

from evaluators.objectives.measured import MeasuredObjective, examples, mean_loss
from evaluators.training.models import Models


class BFloat16(MeasuredObjective):
    """Loss with every activation computed in bfloat16, operator by operator, and stored in it; the rest of the network
    stays as it was trained.

    A formula that takes differences of large numbers loses more than its class does.
    """

    name = "bf16"
    unit = "nats"
    direction = "maximize"
    formula = "log(loss of the reference / loss of the candidate), activations computed and stored in bfloat16"
    source = "Kalamkar et al. 2019, arXiv:1905.12322"
    relative = True

    def measure(self, models: Models) -> Tensor:
        few = models.at(examples(models))
        with torch.no_grad(), models.lowered(torch.bfloat16):
            losses = models.judged(models.outputs(few.inputs), few.targets)
        return mean_loss(models, losses)
