"""Torch: the source of a module that holds a layer with statistics."""

from __future__ import annotations

from collections.abc import Sequence
from string import Template

from torch import nn

from primitives.analysis.gaussian import output_factor
from primitives.expression.expression import Expression
from primitives.lowering.python.norm_self_test import PER_GROUP as FEW
from primitives.lowering.python.norm_self_test import SHAPE, norm_self_test
from primitives.lowering.python.statistics import STATISTIC_TEMPLATES, Forms, axes_text, forms
from primitives.lowering.python.text import class_name, python_number
from primitives.lowering.reference import scaled
from primitives.lowering.shipped import template
from primitives.lowering.torch.helpers import completed
from primitives.lowering.torch.language import LANGUAGE
from primitives.lowering.torch.replacing import replace_text, share_text
from primitives.operators.axes import PER_GROUP

_MODULE = template("torch/norm.txt")
_FUNCTIONS = {
    "mean": "torch.mean(value, dims, keepdim=True)",
    "var": "torch.var(value, dims, correction=0, keepdim=True)",
    "sum": "torch.sum(value, dims, keepdim=True)",
    "max": "torch.amax(value, dims, keepdim=True)",
}
_TAKEN_NAMES = """
torch math nn warnings x z axes channels apply_act channel_dim momentum track_running_stats per_group device dtype
replace GAIN weight bias num_batches_tracked
"""


def norm_source(expression: Expression, *, name: str, factor: float) -> str:
    """Source of a module for a layer with statistics, ``factor * expression``.

    It imports torch alone and defines, for the name ``act_3_7``: the function ``act_3_7(x, <parameters>)`` of a batch,
    the layer ``Act37``, whose running buffers ``nn.BatchNorm2d`` has alike, ``GAIN`` and ``replace``.

    Raises:
        LoweringError: the name is not snake case or is taken in the generated module.
    """
    taken = frozenset([*dir(nn.Module()), *_TAKEN_NAMES.split()])
    module = class_name(name, taken)
    language = LANGUAGE.more(STATISTIC_TEMPLATES)
    made = forms(expression, factor, language, taken | {name, module}, "torch.zeros_like(x)")
    parts = _signature(expression, made) | _layer(expression, made)
    source = _MODULE.substitute(
        parts,
        function=name,
        module=module,
        head="f(x, z) = " if "z" in made.names else "f(x) =    ",
        text=expression.text,
        factor=python_number(factor),
        init_scale=python_number(output_factor(scaled(expression, factor))),
        training=made.training,
        per_group=PER_GROUP,
        replace=replace_text(module, share_text(expression, made.names, module), norm=True),
        axes=axes_text("torch", _FUNCTIONS),
        imports="$imports",
        helpers="$helpers",
    )
    return completed(source)


def _signature(expression: Expression, made: Forms) -> dict[str, str]:
    """What the operands add to the functions."""
    inputs = ["x", *(["z"] if "z" in made.names else [])]
    names = [made.names[p.name] for p in expression.parameters]
    typed = [f"{each}: torch.Tensor" for each in inputs]
    initial = [
        f"{made.names[p.name]}: torch.Tensor | float = {python_number(p.initial)}" for p in expression.parameters
    ]
    inference = _INFERENCE.substitute(arguments=", ".join([*inputs, *names, *made.running]), body=made.inference)
    return {
        "arguments": ", ".join([*inputs, *names]),
        "inference": inference if made.running else "",
        "signature": ", ".join([*typed, *initial]),
        "of": " and ".join(inputs),
        "inputs": ", ".join(typed),
        "parameters": "".join(f"{each}, " for each in names),
        "passed": ", ".join([*inputs[1:], *names]),
        "check_inputs": _CHECK if "z" in made.names else "",
        "check_inputs_of_method": _CHECK.replace("\n", "\n    ") if "z" in made.names else "",
    }


def _layer(expression: Expression, made: Forms) -> dict[str, str]:
    """What parameters and running statistics add to the layer."""
    declared = [
        f"self.{made.names[p.name]} = nn.Parameter(torch.empty({'channels' if p.per == 'channel' else 1}, **made))"
        for p in expression.parameters
    ]
    resets = [
        f"nn.init.constant_(self.{made.names[p.name]}, {python_number(p.initial)})" for p in expression.parameters
    ]
    running = list(zip(made.running, made.parameters, strict=True))
    buffers = [
        f'self.register_buffer("{each}", torch.empty({"channels" if p.per == "channel" else 1}, **made))'
        for each, p in running
    ]
    own = ["z"] * ("z" in made.names) + [f"self.{made.names[p.name]}" for p in expression.parameters]
    needed = any(p.per == "channel" for p in (*expression.parameters, *made.parameters))
    network = [made.names[p.name] for p in expression.parameters if p.per == "network"]
    return {
        "needs_channels": str(needed),
        "channels_help": "" if needed else " Not needed.",
        "tracks": str(bool(running)),
        "running_help": _RUNNING_HELP if running else _NONE_RUNNING,
        "declarations": _lines(declared, 8),
        "buffers": _BUFFERS.substitute(made=_lines(buffers, 12)) if running else "",
        "resets": _lines(resets, 8),
        "resets_of_running": _RESETS.substitute(
            made=_lines([f"self.{each}.fill_({p.initial})" for each, p in running], 12)
        )
        if running
        else "",
        "own": ", ".join(own),
        "evaluation": _EVALUATION.substitute(own=", ".join([*own, *(f"self.{each}" for each in made.running)]))
        if running
        else "",
        "follow": _FOLLOW if running else "",
        "follow_method": _FOLLOW_METHOD.substitute(running=", ".join(f"self.{each}" for each in made.running))
        if running
        else "",
        "network_help": f" ``replace``\n    makes {', '.join(network)} one for all layers that it puts in."
        if network
        else "",
    }


def _lines(lines: Sequence[str], spaces: int) -> str:
    return "".join(f"\n{' ' * spaces}{line}" for line in lines)


_CHECK = """
    if z.shape != x.shape:
        raise ValueError(f"expected z of the shape of x, {tuple(x.shape)}, got {tuple(z.shape)}")"""

_INFERENCE = Template('''

def _inference($arguments, axes):
    """The formula with numbers in the place of the statistics over examples."""
$body, ()
''')

_RUNNING_HELP = """
    In training statistics over examples are those of the batch, and moving averages of them are kept in buffers; in
    evaluation the averages stand for them. Statistics are those of one process: nothing is reduced between processes,
    and a warning says so.
"""

_NONE_RUNNING = """
    No statistic is taken over examples, so training and evaluation compute the same.
"""

_BUFFERS = Template("""
        if self.track_running_stats:$made
            self.register_buffer("num_batches_tracked", torch.zeros((), dtype=torch.int64, device=device))""")

_RESETS = Template("""
        if self.track_running_stats:$made
            self.num_batches_tracked.zero_()""")

_EVALUATION = Template("""
        if self.track_running_stats and not self.training:
            return _computed(_inference, *given, $own)[0]""")

_FOLLOW = """
        if self.track_running_stats:
            _warn_of_processes()
            self._follow(statistics)"""

_FOLLOW_METHOD = Template('''
    @torch.no_grad()
    def _follow(self, statistics) -> None:
        """Move the averages towards the statistics of a batch."""
        self.num_batches_tracked.add_(1)
        share = 1.0 / self.num_batches_tracked.double() if self.momentum is None else self.momentum
        for average, statistic in zip(($running,), statistics):
            average.add_(share * (statistic.detach().to(average.dtype).reshape(average.shape) - average))
''')


_COMPUTED = Template("""
inputs = [torch.tensor(each, dtype=torch.float64, requires_grad=True) for each in INPUTS]
layer = $module($channels, momentum=None, per_group=$few, dtype=torch.float64)
found = {"initial": $function(*inputs, per_group=$few)}
with torch.no_grad():
    for parameter, value in zip(layer.parameters(), PARAMETERS):
        parameter.copy_(torch.tensor(value))
found["value"] = layer(*inputs)
total = (found["value"] * torch.tensor(WEIGHTS)).sum()
leaves = [*inputs, *layer.parameters()]
slopes = torch.autograd.grad(total, leaves, allow_unused=True, materialize_grads=True)
found |= dict(zip($names, slopes))
found["inference"] = layer.eval()(*inputs)
if not torch.equal($function(*inputs, *layer.parameters(), per_group=$few), found["value"]):
    print("$function.py: the function and its layer differ")
    sys.exit(1)
return {name: value.flatten().tolist() for name, value in found.items()}
""")


def norm_test(expression: Expression, name: str, factor: float) -> dict[str, str]:
    """The self-test of :func:`norm_source`."""
    module = class_name(name)
    computed = _COMPUTED.substitute(
        function=name, module=module, channels=SHAPE[1], few=FEW, names=["x", *expression.operands]
    )
    imports = f"\nimport torch\nfrom {name} import {module}, {name}"
    names = ["initial", "value", "x", *expression.operands, "inference"]
    return norm_self_test(expression, f"{name}.py", factor=factor, imports=imports, computed=computed, names=names)
