"""The function ``replace`` of generated torch modules."""

from __future__ import annotations

from collections.abc import Mapping
from string import Template

from primitives.expression.expression import Expression
from primitives.lowering.shipped import template

_REPLACE = template("torch/replacing.txt")

_SHARE = Template("""\
    own = [part for new in made.values() for part in new.modules() if isinstance(part, $module)]
    for part in own[1:]:
        for name in $names:
            setattr(part, name, getattr(own[0], name))
""")


def replace_text(example: str, share: str, *, norm: bool = False) -> str:
    """The function ``replace`` of a generated module; one for normalisation layers makes new ones by their channels."""
    return _REPLACE.substitute(
        example=example,
        share=share,
        old="BatchNorm2d" if norm else "ReLU",
        factory="new_factory(channels)" if norm else "new_factory()",
        factory_help=_FACTORY_HELP if norm else "",
        made="new_factory(*_channels_of(child))" if norm else "new_factory()",
    ) + (_CHANNELS_OF if norm else "")


_FACTORY_HELP = """ Channels are those of a
    normalisation layer; where a module of another type stood the factory is called without. Activations behind the
    layers go by ``replace(model, nn.ReLU, nn.Identity)``."""

_CHANNELS_OF = '''

def _channels_of(module):
    """The number of channels that a normalisation layer has, if it has one."""
    shape = getattr(module, "normalized_shape", None)
    number = getattr(module, "num_features", getattr(module, "num_channels", shape[-1] if shape else None))
    return () if number is None else (number,)
'''


def share_text(expression: Expression, names: Mapping[str, str], module: str) -> str:
    """Lines of ``replace`` that make parameters per network one for all layers."""
    own = [names[p.name] for p in expression.parameters if p.per == "network"]
    return _SHARE.substitute(module=module, names=own) if own else ""
