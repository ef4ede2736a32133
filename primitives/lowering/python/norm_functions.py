"""Functions with statistics in Python without layers: that of a batch, that of inference, and the statistics."""

from __future__ import annotations

from dataclasses import dataclass
from string import Template
from typing import final

from primitives.expression.expression import Expression
from primitives.lowering.lines import Language
from primitives.lowering.python.norm_self_test import PER_GROUP as FEW
from primitives.lowering.python.norm_self_test import norm_self_test
from primitives.lowering.python.statistics import STATISTIC_TEMPLATES, Forms, axes_text, forms
from primitives.lowering.python.text import class_name, python_number
from primitives.lowering.shipped import template
from primitives.operators.axes import PER_GROUP

_MODULE, _RUNNING = template("python/norm_functions.txt"), template("python/norm_running.txt")
_SUFFIXES = ("statistics", "inference")


@final
@dataclass(frozen=True, slots=True)
class Arrays:
    """A library of arrays.

    Args:
        language: how operators are written.
        name: of the library.
        module: what it is called in the code.
        imports: lines.
        functions: ``mean``, ``var``, ``sum`` and ``max`` of ``value`` and ``dims``.
        computed: text of ``_computed(form, x, channel_dim, per_group, *values)``.
        gradient: what a docstring says of gradients.
    """

    language: Language
    name: str
    module: str
    imports: str
    functions: dict[str, str]
    computed: str
    gradient: str = ""


def norm_functions(expression: Expression, name: str, factor: float, arrays: Arrays, taken: frozenset[str]) -> str:
    """Source of a module for ``factor * expression``, which has statistics.

    Raises:
        LoweringError: the name is not snake case or is taken, or an operator cannot be written.
    """
    class_name(name, taken)
    public = [name, *(f"{name}_{suffix}" for suffix in _SUFFIXES)]
    language = arrays.language.more(STATISTIC_TEMPLATES)
    made = forms(expression, factor, language, taken | {*public}, f"{arrays.module}.zeros_like(x)")
    parts = _parts(expression, made, name, arrays.module)
    return _MODULE.substitute(
        parts,
        language=arrays.name,
        text=expression.text,
        factor=python_number(factor),
        imports=arrays.imports,
        public=", ".join(f'"{each}"' for each in public[: 3 if made.running else 1]),
        gradient=arrays.gradient,
        running=_RUNNING.substitute(parts) if made.running else "",
        training=made.training,
        inference=_INFERENCE.substitute(parts, body=made.inference) if made.running else "",
        computed=arrays.computed,
        axes=axes_text(arrays.module, arrays.functions),
    )


def _parts(expression: Expression, made: Forms, name: str, module: str) -> dict[str, str]:
    inputs = ["x", *(["z"] if "z" in made.names else [])]
    names = [made.names[p.name] for p in expression.parameters]
    initial = [f"{made.names[p.name]}={python_number(p.initial, 'float')}" for p in expression.parameters]
    return {
        "function": name,
        "head": "f(x, z) = " if len(inputs) == 2 else "f(x) =    ",
        "of": " and ".join(inputs),
        "signature": ", ".join([*inputs, *initial]),
        "signature_of_inference": ", ".join([*inputs, *made.running, *initial]),
        "arguments": ", ".join([*inputs, *names]),
        "passed": ", ".join([*inputs[1:], *names]),
        "passed_to_inference": ", ".join([*inputs[1:], *names, *made.running]),
        "arguments_of_inference": ", ".join([*inputs, *names, *made.running]),
        "running": ", ".join(made.running),
        "flat": "each.reshape(() if each.size == 1 else (-1,))",
        "per_group": str(PER_GROUP),
        "check": _CHECK.substitute(module=module) if len(inputs) == 2 else "",
    }


_CHECK = Template("""
    if $module.shape(z) != $module.shape(x):
        raise ValueError(f"expected z of the shape of x, {$module.shape(x)}, got {$module.shape(z)}")""")

_INFERENCE = Template('''

def _inference($arguments_of_inference, axes):
    """The formula with numbers in the place of the statistics over examples."""
$body, ()
''')

_COMPUTED = Template("""
inputs = [$module.array(each) for each in INPUTS]
parameters = [$module.array(each) for each in PARAMETERS]
found = {"initial": $function(*inputs, per_group=$few), "value": $function(*inputs, *parameters, per_group=$few)}
$slopes
$inference
return {name: [float(number) for number in value.ravel()] for name, value in found.items()}
""")
_OF_INFERENCE = Template("""\
running = ${function}_statistics(*inputs, *parameters, per_group=$few)
found["inference"] = ${function}_inference(*inputs, *running, *parameters, per_group=$few)""")


def norm_functions_test(
    expression: Expression, file: str, *, factor: float, imports: str, module: str, slopes: str = "", running: bool
) -> dict[str, str]:
    """The self-test of :func:`norm_functions`; ``slopes`` are lines that put slopes into ``found``."""
    name = file.removesuffix(".py").rpartition("_")[0]
    computed = _COMPUTED.substitute(
        module=module,
        function=name,
        few=FEW,
        slopes=slopes,
        inference=_OF_INFERENCE.substitute(function=name, few=FEW) if running else "",
    )
    names = ["initial", "value", *(["x", *expression.operands] if slopes else []), *(["inference"] if running else [])]
    return norm_self_test(expression, file, factor=factor, imports=imports, computed=computed, names=names)
