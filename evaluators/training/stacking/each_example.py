"""Gradients of each example of a stack: an example is a slice of its own, beside its slice's other examples.

So any network has them that has a stack, and a candidate's own parameters have them, too. In memory are those of 8
examples of each slice at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

AT_ONCE = 8  # examples of each slice; with 32 the gradients of a stack of 132 small perceptrons leave the cache


def clipped_sums(
    losses_of: Callable[[Tensor], Tensor],
    leaves: Sequence[Tensor],
    owners: Sequence[slice],
    index: Tensor,
    limit: float,
) -> tuple[Tensor, list[Tensor]]:
    """The sums of the gradients of a batch's examples, each scaled to a norm of at most a limit.

    Args:
        losses_of: losses, shape (slices x 8, 1), of examples of that shape.
        leaves: what gradients are by, each of shape (slices_i x 8, ...).
        owners: of each leaf the slices x 8 that it belongs to; the first to all.
        index: of the examples, shape (slices, batch), the batch a multiple of 8; below 0 are places without one, behind
            the others.
        limit: largest norm of the gradient of one example, over all leaves.

    Returns:
        The mean loss of each slice over its examples, and the sums, each of shape (slices_i, ...).
    """
    there = index >= 0
    counts = there.sum(dim=1)
    index = torch.where(there, index, index[:, :1])  # one that is there, so that no place alone is not finite
    total = torch.zeros(len(index), dtype=torch.float64, device=index.device)
    sums: list[Tensor] = []
    for start in range(0, int(counts.max()), AT_ONCE):
        part, present = index[:, start : start + AT_ONCE], there[:, start : start + AT_ONCE]
        losses = losses_of(part.reshape(-1, 1)).flatten()
        gradients = torch.autograd.grad(losses.sum(), leaves, materialize_grads=True)
        weights = _factors(gradients, owners, limit) * present.flatten()
        more = [_weighted(g, weights[owner]) for g, owner in zip(gradients, owners, strict=True)]
        sums = [a + b for a, b in zip(sums, more, strict=True)] if sums else more
        total += torch.where(present, losses.detach().view(part.shape), 0).sum(dim=1)
    sums = sums or [torch.zeros_like(leaf.detach()[::AT_ONCE]) for leaf in leaves]
    return total / counts.clamp(min=1), sums


def _factors(gradients: Sequence[Tensor], owners: Sequence[slice], limit: float) -> Tensor:
    """What brings the gradients of each example to a norm of at most a limit, as ``clip_grad_norm_`` has it."""
    squares = torch.zeros(len(gradients[0]), dtype=gradients[0].dtype, device=gradients[0].device)
    for gradient, owner in zip(gradients, owners, strict=True):
        squares[owner] += torch.linalg.vector_norm(_rows(gradient), dim=1).square().to(squares.dtype)
    return (limit / (squares.sqrt() + 1e-6)).clamp(max=1.0)


def _weighted(gradient: Tensor, weights: Tensor) -> Tensor:
    """Of each slice the sum of its gradients, each times a weight."""
    rows = _rows(gradient).view(len(weights) // AT_ONCE, AT_ONCE, -1)
    sums = torch.bmm(weights.view(-1, 1, AT_ONCE).to(rows.dtype), rows).squeeze(1)
    order = _order(gradient)
    shape = [gradient.shape[dim] for dim in order]
    return sums.view(-1, *shape).permute(0, *(1 + order.index(dim) for dim in range(1, gradient.dim())))


def _rows(gradient: Tensor) -> Tensor:
    """A row an example, in the order of memory: gradients of weights lie transposed there, and would be copied."""
    return gradient.permute(0, *_order(gradient)).reshape(len(gradient), -1)


def _order(gradient: Tensor) -> list[int]:
    """The dimensions behind the first, the one with the widest steps in memory first."""
    return sorted(range(1, gradient.dim()), key=lambda dim: -gradient.stride()[dim])
