"""Two makings of a network compared: what a stack holds once for all its models must not differ between them."""

from __future__ import annotations

import numpy as np
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from evaluators.errors import TaskError
from evaluators.tasks.base import Task
from evaluators.tasks.checks.differences import Difference, alike, differences
from evaluators.training.initialisation import initial_network, prepares, unprepared_network


def check_makings(task: Task) -> None:
    """Refuse a network that differs in anything when it is made twice with one seed.

    Raises:
        TaskError: the message names the method, the place, what differs, and the way out.
    """
    for found in differences(initial_network(task, 0), initial_network(task, 0), values=True):
        way_out = (
            f", by {apart:.0e} at most: what computes it rounds differently from call to call, as torch.linalg.lstsq "
            "does; compute it another way, or once for each seed"
            if (apart := _rounding(found))
            else f"{_shown(found)}; draw with torch's random numbers, which are seeded for each model"
        )
        made = "prepare: called" if prepare_parts(task, 0, 0) else "network: made"
        raise TaskError(f"task {task.name!r}: {made} twice with one seed, {found.path} differs{way_out}")


def prepare_parts(task: Task, seed: int, other: int) -> bool:
    """True if two networks, which differ, do not differ before ``task.prepare`` changes them.

    Args:
        task: of the networks.
        seed, other: theirs; the values of parameters and buffers count where it is one.
    """
    if not prepares(task):
        return False
    before = differences(unprepared_network(task, seed), unprepared_network(task, other), values=seed == other)
    return next(before, None) is None


def check_memory(task: Task) -> None:
    """Refuse two networks that hold a trained parameter in the same memory: training one would train the other.

    Raises:
        TaskError: the message names the method, the parameter and the way out.
    """
    if name := _in_common(initial_network(task, 0), initial_network(task, 0)):
        prepared = prepares(task) and not _in_common(unprepared_network(task, 0), unprepared_network(task, 0))
        raise TaskError(
            f"task {task.name!r}: {'prepare' if prepared else 'network'}: two networks hold {name} in the same memory, "
            "so that the training of one would go on in the other; give each a copy, by clone() or by load_state_dict "
            "without assign=True"
        )


def _in_common(one: nn.Module, other: nn.Module) -> str:
    """A trained parameter of which two networks share the memory; "" if there is none."""
    taken = {weight.untyped_storage().data_ptr() for weight in _trained(other).values()}
    shared = (name for name, weight in _trained(one).items() if weight.untyped_storage().data_ptr() in taken)
    return next(shared, "")


def _trained(network: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that are trained and take memory."""
    named = network.named_parameters()
    return {name: weight for name, weight in named if weight.requires_grad and not is_lazy(weight) and weight.numel()}


def unlike_makings(task: Task) -> str:
    """In what but parameters and buffers a network differs between two seeds, for people; "" if in nothing.

    The models of a stack would share the first one's.
    """
    for found in differences(initial_network(task, 0), initial_network(task, 1), values=False):
        if isinstance(found.one, Tensor) and isinstance(found.other, Tensor) and not alike(found.one, found.other):
            return f"{found.path} differs from seed to seed ({_outline(found.one)}, then {_outline(found.other)})"
        if isinstance(found.one, Tensor | np.ndarray) and type(found.one) is type(found.other):
            return (
                f"{found.path} is no parameter and no buffer and differs from seed to seed; a stack can hold it if it "
                "is registered (register_buffer)"
            )
        return f"{found.path} differs from seed to seed{_shown(found)}"
    return ""


def _rounding(found: Difference) -> float:
    """The largest difference of two tensors if it is one of rounding, else 0."""
    one, other = found.one, found.other
    if not (isinstance(one, Tensor) and isinstance(other, Tensor)) or one.shape != other.shape:
        return 0.0
    if not (one.is_floating_point() and one.dtype == other.dtype):
        return 0.0
    apart = float((one - other).detach().abs().max())
    return apart if apart < 1e-5 * float(other.detach().abs().max()) else 0.0


def _outline(tensor: Tensor) -> str:
    """Shape and type, and whether it is trained."""
    shape, kind = tuple(tensor.shape), str(tensor.dtype).removeprefix("torch.")
    return f"{shape} of {kind}{', trained' if tensor.requires_grad else ''}"


def _shown(found: Difference) -> str:
    """Numbers, text and types; tensors say nothing in a line."""
    if isinstance(found.one, Tensor | np.ndarray) and type(found.one) is type(found.other):
        return ""
    return f" ({_short(found.one)}, then {_short(found.other)})"


def _short(value: object) -> str:
    return repr(value)[:40] if value is None or isinstance(value, int | float | str) else f"a {type(value).__name__}"
