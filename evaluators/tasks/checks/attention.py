"""Attention takes the weight of its last layer without calling the layer."""

from __future__ import annotations

from torch import nn

from evaluators.errors import TaskError
from evaluators.tasks.base import Task
from evaluators.tasks.checks.differences import recomputed
from evaluators.training.initialisation import initial_network


def check_attention(task: Task) -> None:
    """Refuse ``torch.nn.utils.prune`` and the older ``weight_norm`` on what ``nn.MultiheadAttention`` does not call.

    A hook of the layer would compute the weight anew before a call; without one it stays what it was at first.

    Raises:
        TaskError: the message names the layer and the way out.
    """
    for path, module in initial_network(task, 0).named_modules():
        if isinstance(module, nn.MultiheadAttention) and (names := recomputed(module.out_proj)):
            layer = f"{path}.out_proj".lstrip(".")
            raise TaskError(
                f"task {task.name!r}: network: {layer}: a hook computes its {min(names)} before each call, as those of "
                "torch.nn.utils.prune do, but attention takes the weight without calling the layer; leave it out, or "
                "lay the mask on it by torch.nn.utils.parametrize"
            )
