"""A rehearsal: stand-ins go to the places as candidates will, and the network must compute with them what it did."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from evaluators.errors import TaskError
from evaluators.places.site import Site
from evaluators.places.watching import undisturbed
from evaluators.tasks.base import Inputs, Task
from evaluators.tasks.examples import mapped, tensors
from evaluators.training.calling import call
from evaluators.training.randomness import begin_step
from primitives.errors import ExpressionError


class _Stand(nn.Module):
    """Takes a module's place and computes what it does; of another class, as a candidate is."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.inner.forward(*args, **kwargs)


def rehearse(network: nn.Module, task: Task, sites: Sequence[Site], x: Inputs) -> None:
    """Refuse a network that does not compute with what is put in its places, or with it elsewhere, too.

    It is called in eval mode and in train mode, as it stands, and with stand-ins that compute what stood there.

    Raises:
        TaskError: outputs differ, or a place is never called; the message names the places.
    """
    expected = _outputs(network, x)
    paths = ", ".join(site.path for site in sites)
    with _stand_ins(sites) as called:
        try:
            found = _outputs(network, x)
        except ExpressionError as error:
            raise TaskError(f"task {task.name!r}: replaced: {paths}: {error}") from None
    if missed := [site.path for site in sites if site.path not in called]:
        raise TaskError(
            f"task {task.name!r}: replaced: {', '.join(missed)}: what is put there is never called, though what "
            "stands there is; call it as self.act(x), not out of a list or by a function that was made before"
        )
    same = (torch.equal(one.nan_to_num(), other.nan_to_num()) for one, other in zip(expected, found, strict=True))
    if not all(same):
        raise TaskError(
            f"task {task.name!r}: replaced: {paths}: with modules there that compute the same the network's outputs "
            "differ; does its forward ask for a type, as isinstance(layer, nn.ReLU) does?"
        )


@contextmanager
def _stand_ins(sites: Sequence[Site]) -> Iterator[set[str]]:
    """A context with a stand-in in each place; it gives the paths of those that were called."""
    called: set[str] = set()
    for site in sites:
        if site.module is None:
            stand: nn.Module = site.standing()
        else:
            site.put(stand := _Stand(site.module))
        stand.register_forward_pre_hook(lambda module, args, path=site.path: called.add(path))
    try:
        yield called
    finally:
        for site in sites:
            if site.module is None:
                delattr(site.parent, site.attribute)
            else:
                setattr(site.parent, site.attribute, site.module)


def _outputs(network: nn.Module, x: Inputs) -> list[Tensor]:
    """All tensors of a network's outputs, in eval mode and in train mode; of the network, nothing stays."""
    found: list[Tensor] = []
    with undisturbed(network):
        for mode in (False, True):
            begin_step(0, "places")
            with torch.set_grad_enabled(mode):
                found += tensors(call(network.train(mode), mapped(torch.clone, x)))
    return found
