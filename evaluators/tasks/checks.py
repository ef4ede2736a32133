"""Refusals: settings of a task and modules of its network that cannot be trained in a stack."""

from __future__ import annotations

import math
from collections.abc import Iterable

from torch import nn
from torch.nn.utils.parametrizations import _SpectralNorm
from torch.nn.utils.spectral_norm import SpectralNorm

from evaluators.errors import TaskError
from evaluators.results.records import CURRENT, RELU
from evaluators.tasks.base import BLOCK, Task
from evaluators.training.optimiser import OPTIMISERS
from evaluators.training.schedules import SCHEDULES
from primitives.errors import nearest


def check_settings(task: Task) -> None:
    """Refuse settings that mean nothing.

    Raises:
        TaskError: the message names the task, the setting, what was expected and the nearest valid value.
    """
    _check_name(task, "optimiser", task.optimiser, OPTIMISERS)
    _check_name(task, "schedule", task.schedule, SCHEDULES)
    if task.clip is not None and not task.clip > 0:
        raise TaskError(f"task {task.name!r}: clip: expected a positive number, or None for no clip, got {task.clip}")
    if task.batch_size < BLOCK or task.batch_size % BLOCK:
        near = max(1, round(task.batch_size / BLOCK)) * BLOCK
        raise TaskError(
            f"task {task.name!r}: batch_size: expected a multiple of {BLOCK}, got {task.batch_size}; "
            f"the nearest is {near}"
        )


def has_current(task: Task) -> bool:
    """True if candidates are compared with the task's network as it stands, not with ReLU.

    Raises:
        TaskError: ``reference`` is neither; the message names the task and the nearest valid value.
    """
    _check_name(task, "reference", task.reference, (CURRENT, RELU))
    return task.reference == CURRENT


def check_floor(task: Task) -> None:
    """Refuse a floor under which a loss of 0 would stay 0: gains are logarithms of ratios of losses.

    Raises:
        TaskError: the message names the task.
    """
    if not 0 < task.loss_floor < math.inf:
        raise TaskError(f"task {task.name!r}: loss_floor: expected a positive number, got {task.loss_floor}")


def _check_name(task: Task, setting: str, name: str, known: Iterable[str]) -> None:
    if name not in known:
        raise TaskError(
            f"task {task.name!r}: unknown {setting} {name!r}{nearest(name, known)}; available: {', '.join(known)}"
        )


def check_network(task: Task, network: nn.Module) -> None:
    """Refuse modules that update buffers or draw random numbers: in a stack, slices would depend on their company.

    Raises:
        TaskError: the message names the module and what to take instead; or nothing of the network is trained.
    """
    if not any(weight.requires_grad for weight in network.parameters()):
        raise TaskError(
            f"task {task.name!r}: its network has no parameter to train: expected one with requires_grad=True"
        )
    for path, module in network.named_modules():
        if isinstance(module, nn.modules.batchnorm._NormBase) and module.running_mean is not None:
            kind = type(module).__name__
            raise TaskError(
                f"task {task.name!r}: {path} is a {kind} with running statistics, which the models of a stack would "
                "share; take GroupNorm or LayerNorm, or track_running_stats=False"
            )
        if isinstance(module, nn.modules.dropout._DropoutNd) and module.p > 0:
            raise TaskError(
                f"task {task.name!r}: {path} is a {type(module).__name__}, whose random numbers would depend on the "
                "stack's width; set p=0"
            )
        if module.training and _has_spectral_norm(module):
            raise TaskError(
                f"task {task.name!r}: {path.partition('.parametrizations.')[0]} has spectral_norm, which updates "
                "buffers at every step and cannot be stacked; take weight_norm, or a LoopTask, whose loop trains one "
                "model at a time"
            )


def _has_spectral_norm(module: nn.Module) -> bool:
    """True for torch's parametrisation, and for a module with the older hook."""
    hooks = module._forward_pre_hooks.values()
    return isinstance(module, _SpectralNorm) or any(isinstance(hook, SpectralNorm) for hook in hooks)
