"""Slopes of a user's own in a network: the kernels that are recorded tell values alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import repeat

import torch
from torch import Tensor
from torch.autograd.function import BackwardCFunction

from evaluators.training.chains.chain import NotAChain
from evaluators.training.chains.recording import instead
from evaluators.training.stacking.activation_slot import ActivationSlot


def check_slopes(call: Callable[[Tensor], Tensor], inputs: Tensor, slots: Sequence[ActivationSlot]) -> None:
    """Refuse an ``autograd.Function``: one that clamps gradients shows in no number until a gradient is large.

    Args:
        call: of inputs, gives what goes to the loss.
        inputs: of some examples, shape (examples, ...).
        slots: the places of the candidate.

    Raises:
        NotAChain: there is one; the message names it.
    """
    with torch.enable_grad(), instead(slots, repeat(torch.clone)):
        todo, known = [call(inputs.clone()).grad_fn], set()
    while todo:
        node = todo.pop()
        if node is None or node in known:
            continue
        if isinstance(node, BackwardCFunction):
            raise NotAChain(f"slopes of its own, {node.name().removesuffix('Backward')}")
        known.add(node)
        todo += [before for before, _ in node.next_functions]
