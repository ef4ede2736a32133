"""Parameters per channel in generated Python: the rule of layers, as text, so that exported code cannot differ."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from string import Template

from primitives.expression.expression import Expression
from primitives.operators.axes import channel_axis

#: For modules of torch, jax and numpy alike.
HELPERS = f"""

def _per_channel(parameter, x, channel_dim):
    \"\"\"A parameter of shape (channels,) in the shape that meets x; numbers and others broadcast as they are.\"\"\"
    if getattr(parameter, "ndim", 0) != 1:
        return parameter
    axis = _channel_axis(x.shape, parameter.shape[0], channel_dim)
    return parameter.reshape(() if axis is None else (-1, *[1] * (-1 - axis)))


{inspect.getsource(channel_axis).replace("def channel_axis", "def _channel_axis", 1)}"""


def has_channels(expression: Expression) -> bool:
    """True if a parameter is per channel."""
    return any(p.per == "channel" for p in expression.parameters)


def channel_parts(expression: Expression, names: Mapping[str, str], argument: str = "{0}") -> dict[str, str]:
    """What parameters per channel add to a function of a template: nothing without one.

    Args:
        expression: the formula.
        names: its parameters' names in the code.
        argument: makes an array of an argument ``{0}``.

    Returns:
        ``dim``: the argument; ``pass_dim``: how it is handed on; ``doc``, ``end``: a paragraph of the docstring, and
        what ends it; ``shaped``: the lines that give the parameters their shapes.
    """
    if not has_channels(expression):
        return dict.fromkeys(("dim", "pass_dim", "doc", "end", "shaped"), "")
    line = Template("    $p = _per_channel($array, $x, channel_dim)")
    own = [names[p.name] for p in expression.parameters if p.per == "channel"]
    x = argument.format("x")
    lines = [line.substitute(p=p, array=argument.format(p), x=x) for p in own]
    return {
        "dim": ", channel_dim=None",
        "pass_dim": ", channel_dim=channel_dim",
        "doc": _DOC,
        "end": "\n    ",
        "shaped": "\n".join(["", *lines]),
    }


_DOC = """

    A parameter per channel of shape (channels,) meets dimension ``channel_dim`` of x, by default dimension 1, or the
    last one where that alone has so many entries."""
