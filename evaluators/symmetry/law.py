"""The law of a network's initial weights: which tensors are as likely with the other sign.

Some networks are made from some seeds and looked at. A tensor passes if it is 0 in all of them, or if nothing in its
numbers tells + from -. A shift of all its n numbers by s standard deviations is seen from s = 5 / sqrt(n) on. Each
tensor is looked at by itself; only those that begin with the same numbers, up to signs and order, are known to hang
together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from evaluators.tasks.base import Task
from evaluators.training.initialisation import initial_network

_MAKINGS, _OF_LARGE = 16, 4  # networks that are made; fewer where one has more than a million numbers
_LARGE = 2**20
_FEWEST = 32  # numbers, over all makings, that can tell
_BEYOND = 5.0  # standard errors; by chance one test in 1.7 million


def as_likely_negated(task: Task) -> tuple[str, ...]:
    """Names of parameters and buffers whose initial law is symmetric about 0."""
    made = [_tensors(initial_network(task, seed)) for seed in range(2)]
    if not any(_is_drawn([each[name] for each in made]) for name in made[0]):
        return ()  # one network for all seeds: it would be the same to make more of it
    makings = _OF_LARGE if sum(tensor.numel() for tensor in made[0].values()) > _LARGE else _MAKINGS
    made += [_tensors(initial_network(task, seed)) for seed in range(2, makings)]
    rows = {name: [each[name] for each in made] for name in made[0]}
    likely = {name for name, row in rows.items() if _is_zero(row) or (_is_drawn(row) and _is_even(row))}
    return tuple(name for name in rows if name in likely - _tied(rows))


def _tensors(network: nn.Module) -> dict[str, Tensor]:
    named = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    return {name: tensor.detach().clone() for name, tensor in named.items() if tensor.is_floating_point()}


def _is_zero(row: Sequence[Tensor]) -> bool:
    return not any(bool(tensor.any()) for tensor in row)


def _is_drawn(row: Sequence[Tensor]) -> bool:
    """True if no two makings have the same numbers."""
    return not any(torch.equal(one, other) for n, one in enumerate(row) for other in row[:n])


def _is_even(row: Sequence[Tensor]) -> bool:
    """True if signs, mean, cubes and products from making to making are those of a law that is symmetric about 0."""
    if any(tensor.shape != row[0].shape for tensor in row):
        return False
    values = torch.stack(list(row)).double()
    products = values[0::2] * values[1::2]  # the mean of each number by itself
    if values.numel() < _FEWEST or not values.isfinite().all():
        return False
    return all(map(_is_about_zero, (values.sign(), values, values**3, products)))


def _is_about_zero(values: Tensor) -> bool:
    return float(values.sum().abs()) <= _BEYOND * float(values.square().sum().sqrt())


def _tied(rows: Mapping[str, Sequence[Tensor]]) -> set[str]:
    """Names of tensors that begin with the same numbers, up to signs and order, as another: one alone is not free."""
    seen: dict[bytes, list[str]] = {}
    for name, row in rows.items():
        if not _is_zero(row):
            seen.setdefault(row[0].abs().flatten().sort().values.numpy().tobytes(), []).append(name)
    return {name for names in seen.values() if len(names) > 1 for name in names}
