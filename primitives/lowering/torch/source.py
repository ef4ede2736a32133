"""Torch: the source of a module that needs torch alone, with a function, its gradient and an ``nn.Module``."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from string import Template

from torch import nn

from primitives.analysis.gaussian import normal_grid, output_factor
from primitives.equivalence.builtin import as_builtin
from primitives.expression.derivative import derivative
from primitives.expression.evaluation import evaluate
from primitives.expression.expression import INPUT_NAMES, Expression, constant, make_node
from primitives.expression.traversal import postorder
from primitives.lowering.lines import Lines
from primitives.lowering.python.channels import channel_parts, has_channels
from primitives.lowering.python.text import class_name, operand_names, python_number
from primitives.lowering.shipped import template
from primitives.lowering.torch.helpers import completed
from primitives.lowering.torch.language import LANGUAGE
from primitives.lowering.torch.replacing import replace_text, share_text
from primitives.operators.formulas import valued

_MODULE = template("torch/module.txt")

_TAKEN_NAMES = "torch math nn F x channels channel_dim inplace device dtype plain ctx replace GAIN"
TAKEN = frozenset([*dir(nn.Module()), *_TAKEN_NAMES.split()])


def torch_source(expression: Expression, *, name: str = "activation", factor: float = 1.0) -> str:
    """Source of a module for ``factor * expression``.

    The module imports torch, math and warnings only and defines, for the name ``act_3_7``: the function ``act_3_7(x,
    <parameters>, inplace=False)`` with a gradient of its own, ``act_3_7_plain``, the ``nn.Module`` ``Act37`` (each
    part between underscores with a capital first letter), the init scale ``GAIN`` and
    ``replace(model, old_type, new_factory)``.

    Raises:
        LoweringError: the name is not snake case or is taken in the generated module.
    """
    module = class_name(name, TAKEN)
    names = operand_names(expression, {*TAKEN, name, f"{name}_plain", module})
    builtin = as_builtin(expression)
    root = builtin if factor == 1.0 else make_node("mul", constant(factor), builtin)
    traced = body([root], names, returned_value)
    arguments, pair = ["x", *names.values()], root.is_paired
    example = f"lambda: {module}(64)" if has_channels(expression) else module
    source = _MODULE.substitute(
        _module_parts(expression, names, module),
        function=name,
        module=module,
        text=expression.text,
        factor=python_number(factor),
        init_scale=python_number(init_scale(root)),
        arguments=", ".join(arguments),
        tensors=", ".join(["x", *(f"_as_tensor({p}, x)" for p in names.values())]),
        value=body([valued(root)], names, returned_value),
        traced=_TRACED.substitute(arguments=", ".join(arguments), body=traced) if pair else "",
        plain="_traced" if pair else "_value",
        slopes=body([derivative(root, wrt) for wrt in ("x", *names)], names, _returned_slopes),
        gain_of="x, z" if "z" in names else "z",
        gain_for="standard normal inputs" if "z" in names else "a standard normal z",
        head="f(x, z) = " if "z" in names else "f(x) =    ",
        replace=replace_text(example, share_text(expression, names, module)),
        imports="$imports",
        helpers="$helpers",
    )
    return completed(source)


def init_scale(root: Expression) -> float:
    """The init scale, 1/sqrt(E f(z)^2) at the initial parameters; 1 where that is no finite positive number.

    A power of its own sum, since the last digit of :func:`primitives.analysis.output_factor` differs for every fourth
    function, and exported files stay equal to the byte.
    """
    if not root.is_pointwise:
        return output_factor(root)
    z, weights = normal_grid()
    second = float((weights * evaluate((root,), z, root.initial_values)[0].square()).sum())
    return second**-0.5 if 0 < second < math.inf else 1.0


def _module_parts(expression: Expression, names: Mapping[str, str], module: str) -> dict[str, str]:
    """What the parameters add to the signature and to the ``nn.Module``."""
    inputs = ["x", *(["z"] if "z" in names else [])]
    signature, passed, declarations, resets = [f"{each}: torch.Tensor" for each in inputs], [*inputs], [""], [""]
    for p in expression.parameters:
        name, initial = names[p.name], python_number(p.initial)
        shape = "channels" if p.per == "channel" else "1"
        signature.append(f"{name}: torch.Tensor | float = {initial}")
        passed.append(f"self.{name}" if p.per == "channel" else f"self.{name}.squeeze(0)")
        declarations.append(f"self.{name} = nn.Parameter(torch.empty({shape}, device=device, dtype=dtype))")
        resets.append(f"nn.init.constant_(self.{name}, {initial})")
    needed = has_channels(expression)
    network = [names[p.name] for p in expression.parameters if p.per == "network"]
    return channel_parts(expression, names) | {
        "inputs": ", ".join(signature[: len(inputs)]),
        "of": " and ".join(inputs),
        "check_inputs": _CHECK_INPUTS if "z" in names else "",
        "signature": ", ".join(signature),
        "passed": ", ".join(passed),
        "declarations": "\n        ".join(declarations),
        "resets": "\n        ".join(resets),
        "check": _CHECK if needed else "",
        "pass_own_dim": ", channel_dim=self.channel_dim" if needed else "",
        "channels_help": "their number; 1: one value for all." if needed else "not used.",
        "dim_help": _DIM_HELP if needed else "not used.",
        "network_help": f"\n    ``replace`` makes {', '.join(network)} one for all layers that it puts in."
        if network
        else "",
    }


_CHECK_INPUTS = """
    if z.shape != x.shape:
        raise ValueError(f"expected z of the shape of x, {tuple(x.shape)}, got {tuple(z.shape)}")"""

_DIM_HELP = """dimension of channels in the input, as torch counts: 1 in (N, C, ...), -1 where they come last. By
            default it is dimension 1, as for nn.PReLU, or the last one where that alone has so many entries."""

_TRACED = Template('''


def _traced($arguments):
    """The formula with its derivatives by torch's autograd, of either mode."""
$body''')

_CHECK = """
        if channels is None or channels < 1:
            raise ValueError(f"parameters per channel need the number of channels, got {channels}")"""


def body(roots: Sequence[Expression], names: Mapping[str, str], returned: Callable[[Lines], str]) -> str:
    """The indented lines of a function of x and the parameters."""
    code = Lines(roots, LANGUAGE, names)
    casts = [f"{name} = {name}.to(x.dtype)" for name in names.values()]
    return "\n".join(f"    {line}" for line in [*casts, *code.lines, f"return {returned(code)}"])


def returned_value(code: Lines) -> str:
    """The value, in the shape of x and in memory of its own."""
    root, text = code.roots[0], code.results[0]
    if root.op in INPUT_NAMES:
        return f"{root.op}.clone()"
    return text if any(node.op in INPUT_NAMES for node in postorder((root,))) else f"torch.zeros_like(x) + ({text})"


def _returned_slopes(code: Lines) -> str:
    return "(" + ", ".join(code.results) + (",)" if len(code.results) == 1 else ")")
