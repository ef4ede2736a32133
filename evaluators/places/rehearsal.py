"""A rehearsal: stand-ins go to the places as candidates will, and the network must compute with them what it did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
from primitives.layers.call_places import Standing


class _Stand(nn.Module):
    """Takes a module's place and computes what it does, behind a norm if one goes with it; of another class."""

    def __init__(self, inner: nn.Module, norm: nn.Module | None) -> None:
        super().__init__()
        self.inner, self.norm = inner, norm

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        if self.norm is None:
            return self.inner.forward(*args, **kwargs)
        return self.inner.forward(self.norm(*args, **kwargs))


class _Behind(Standing):
    """Takes a call's place behind a norm that goes with it."""

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.norm = norm

    def forward(
        self, x: Tensor, function: Any = None, args: tuple[Any, ...] = (), kwargs: Mapping[str, object] | None = None
    ) -> Tensor:
        normed = self.norm(x)
        rest = {name: value for name, value in (kwargs or {}).items() if name != "input"}
        result: Tensor = function(normed, *args[1:], **rest)
        return result


class _Factor(Standing):
    """Takes a gate's activation's place, gives its input back, and has the activation made by the product."""

    def __init__(self, inner: nn.Module | None) -> None:
        super().__init__()
        self.inner = inner
        self.call: tuple[Any, tuple[Any, ...], Mapping[str, object]] | None = None

    def forward(
        self, x: Tensor, function: Any = None, args: tuple[Any, ...] = (), kwargs: Mapping[str, object] | None = None
    ) -> Tensor:
        self.call = function, args, kwargs or {}
        return x

    def of(self, x: Tensor) -> Tensor:
        """The activation of what was given back."""
        if self.inner is not None:
            result: Tensor = self.inner.forward(x)
        else:
            assert self.call is not None
            function, args, kwargs = self.call
            result = function(x, *args[1:], **{name: value for name, value in kwargs.items() if name != "input"})
        return result


class _Product(nn.Module):
    """Takes a product's place, as a gate does: called with x and z."""

    def __init__(self, factor: _Factor, *, second: bool) -> None:
        super().__init__()
        self.factor, self.second = factor, second

    def forward(self, one: Tensor, other: Tensor) -> Tensor:
        x, z = (other, one) if self.second else (one, other)
        return self.factor.of(x) * z


def _stand_in(site: Site) -> nn.Module:
    """Put what computes what stood there; return what is called there."""
    if site.product is not None:
        factor = _Factor(site.module)
        site.put_pair(factor, product := _Product(factor, second=site.product.second))
        return product
    norm = None if site.norm is None else site.norm.module
    if site.module is not None:
        stand: nn.Module = _Stand(site.module, norm)
    else:
        stand = Standing() if norm is None else _Behind(norm)
    site.put_plain(stand)
    return stand


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
        stand = _stand_in(site)
        stand.register_forward_pre_hook(lambda module, args, path=site.path: called.add(path))
    try:
        yield called
    finally:
        for site in sites:
            site.restore()


def _outputs(network: nn.Module, x: Inputs) -> list[Tensor]:
    """All tensors of a network's outputs, in eval mode and in train mode; of the network, nothing stays."""
    found: list[Tensor] = []
    with undisturbed(network):
        for mode in (False, True):
            begin_step(0, "places")
            with torch.set_grad_enabled(mode):
                found += tensors(call(network.train(mode), mapped(torch.clone, x)))
    return found
