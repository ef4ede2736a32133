"""What keeps torch's layers from calling the module that is their activation; functions kept in attributes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from torch import nn

#: Attributes by which torch's layers decide on a fused path, and the values that switch it off. TransformerEncoderLayer
#: notes at its making that it holds ReLU or GELU, and computes that in eval mode without gradients; TransformerEncoder
#: hands it nested tensors, which only the fused path takes.
_SWITCHED_OFF = {"activation_relu_or_gelu": 0, "use_nested_tensor": False}


def make_called(model: nn.Module, modules: Iterable[nn.Module]) -> None:
    """Make every layer of a model that holds one of some modules call it, in eval mode and in copies, too."""
    wanted = set(modules)
    for layer in model.modules():
        if wanted.isdisjoint(layer.modules()):
            continue
        for flag, off in _SWITCHED_OFF.items():
            if getattr(layer, flag, off):
                setattr(layer, flag, off)
        if isinstance(layer, nn.TransformerDecoderLayer) and "activation" in layer._modules:
            # a copy that is pickled or deep gets F.relu where the attribute is not among the plain ones, too
            vars(layer)["activation"] = layer._modules["activation"]


def kept_functions(model: nn.Module, kinds: Iterable[type[nn.Module]]) -> Iterator[str]:
    """Functions in attributes of a model's modules, named as one of some types is: ``F.relu`` for ``nn.ReLU``.

    Yields:
        The attribute's path in the model, with what to put there.
    """
    names = {kind.__name__.lower(): kind.__name__ for kind in kinds}
    for path, module in model.named_modules():
        for attribute, value in vars(module).items():
            kind = names.get(str(getattr(value, "__name__", "")).replace("_", "").lower())
            if kind is not None and callable(value):
                place = f"{path}.{attribute}" if path else attribute
                yield f"{place} is a function; make it a module first, {attribute}=nn.{kind}()"
