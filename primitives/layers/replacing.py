"""``replace`` puts an expression, or modules of one's own, into an existing model."""

from __future__ import annotations

import warnings
from collections.abc import Callable

from torch import nn

from primitives.expression.expression import Expression, at_place
from primitives.layers.called import kept_functions, make_called
from primitives.layers.expression_layer import ExpressionLayer
from primitives.layers.in_place import InPlace, works_in_place
from primitives.layers.norm_activation import layer_of
from primitives.layers.shared import share_parameters


def replace(
    model: nn.Module, old: type[nn.Module] | tuple[type[nn.Module], ...], new: Expression | Callable[[], nn.Module]
) -> int:
    """Replace every module of a type, in place; each place gets an instance of its own.

    Parameters per network are one for all layers that are put in. The parts of ``layers(...)`` go to equal runs of the
    places, in the order of the model's modules.

    Where ``inplace=True`` stood, an :class:`InPlace` stands around the new module. torch's transformer layers compute
    ReLU or GELU in eval mode, or in copies, whatever their module; they are made to call it.

    Args:
        model: any module; the model itself is not replaced, only what it contains.
        old: type or types to look for, as in ``isinstance``.
        new: an expression without per-channel parameters, or a function that makes a module.

    Returns:
        The number of places that were replaced; a module used at two places counts once and stays shared.

    Warns:
        UserWarning: the model keeps a function of that kind in an attribute, which stays.
    """
    named = model.named_modules(remove_duplicate=False)
    places = [(path, module) for path, module in named if path and isinstance(module, old)]
    replaced = dict.fromkeys(module for _, module in places)
    layers = [
        layer_of(at_place(new, number, len(replaced))) if isinstance(new, Expression) else new()
        for number in range(len(replaced))
    ]
    share_parameters([layer for layer in layers if isinstance(layer, ExpressionLayer)])
    made = {
        module: InPlace(layer) if works_in_place(module) else layer
        for module, layer in zip(replaced, layers, strict=True)
    }
    for path, module in places:
        parent, _, name = path.rpartition(".")
        setattr(model.get_submodule(parent), name, made[module])
    make_called(model, made.values())
    for text in kept_functions(model, old if isinstance(old, tuple) else (old,)):
        warnings.warn(f"not replaced: {text}", stacklevel=2)
    return len(made)
