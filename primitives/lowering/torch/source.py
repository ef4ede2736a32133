"""Torch: the source of a module that needs torch alone, with a function, its gradient and an ``nn.Module``."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from string import Template

from torch import nn

from primitives.analysis.gaussian import normal_grid
from primitives.equivalence.builtin import as_builtin
from primitives.expression.derivative import derivative
from primitives.expression.evaluation import evaluate
from primitives.expression.expression import Expression, constant, make_node
from primitives.expression.traversal import postorder
from primitives.lowering.column import INFIX_TEMPLATES, Column
from primitives.lowering.lines import Language, Lines
from primitives.lowering.python.channels import HELPERS, channel_parts, has_channels
from primitives.lowering.python.text import class_name, python_names, python_number
from primitives.lowering.shipped import template
from primitives.operators.formulas import valued
from primitives.operators.kernels import COMPARISONS

_MODULE = template("torch/module.txt")
_REPLACING = template("torch/replacing.txt")

_TEMPLATES = {
    **INFIX_TEMPLATES,
    "max": "torch.maximum({0}, {1})",
    "min": "torch.minimum({0}, {1})",
    "reciprocal": "torch.reciprocal({0})",
    "where": "torch.where({0}, {1}, {2})",
    "abs": "torch.abs({0})",
    "sign": "torch.sign({0})",
    "floor": "torch.floor({0})",
    "exp": "torch.exp({0})",
    "expm1": "torch.expm1({0})",
    "log": "torch.log({0})",
    "log1p": "torch.log1p({0})",
    "log_abs": "torch.log(torch.abs({0}) + 1e-7)",
    "sqrt": "torch.sqrt({0})",
    "sqrt_abs": "torch.sqrt(torch.abs({0}))",
    "symlog": "torch.sign({0}) * torch.log1p(torch.abs({0}))",
    "symexp": "torch.sign({0}) * torch.expm1(torch.abs({0}))",
    "sin": "torch.sin({0})",
    "cos": "torch.cos({0})",
    "atan": "torch.atan({0})",
    "sinc": "torch.sinc({0} / math.pi)",
    "sinc_prime": "_sinc_prime({0})",
    "sinh": "torch.sinh({0})",
    "cosh": "torch.cosh({0})",
    "tanh": "torch.tanh({0})",
    "asinh": "torch.asinh({0})",
    "erf": "torch.erf({0})",
    "erfc": "torch.erfc({0})",
    "bessel_i0e": "torch.special.i0e({0})",
    "bessel_i1e": "torch.special.i1e({0})",
    "sigmoid": "torch.sigmoid({0})",
    "softplus": "F.softplus({0}, 1.0, 40.0)",
    "paired": "_paired({0}, {1})",
    "log_sigmoid": "-F.softplus(-({0}), 1.0, 40.0)",
    "relu": "torch.relu({0})",
    "relu6": "F.relu6({0})",
    "leaky_relu": "F.leaky_relu({0})",
    "elu": "F.elu({0})",
    "selu": "F.selu({0})",
    "gelu": "F.gelu({0})",
    "gelu_tanh": 'F.gelu({0}, approximate="tanh")',
    "silu": "F.silu({0})",
    "mish": "F.mish({0})",
    "softsign": "F.softsign({0})",
    "hardtanh": "F.hardtanh({0})",
    "hard_sigmoid": "F.hardsigmoid({0})",
    "hard_swish": "F.hardswish({0})",
}

#: helper functions of the generated module, each written where its name occurs
_HELPERS = {
    "_as_tensor": '''

def _as_tensor(value, x):
    """A number as a tensor like x, without dimensions."""
    return value if isinstance(value, torch.Tensor) else torch.full((), value, dtype=x.dtype, device=x.device)
''',
    "_paired": '''

def _paired(a, b):
    """The value of a with the derivatives of b, by autograd; 0 where b is not finite."""
    return a.detach() - (b.detach() - b).nan_to_num(0.0)
''',
    "_per_channel": HELPERS,
    "_sinc_prime": '''

def _sinc_prime(a):
    """Derivative of sin(a)/a; near 0 by its series."""
    small = a.abs() < 0.1
    safe = torch.where(small, torch.ones_like(a), a)
    series = a * (-1 / 3 + a * a * (1 / 30 - a * a * (1 / 840 - a * a / 45360)))
    return torch.where(small, series, (torch.cos(safe) - torch.sin(safe) / safe) / safe)
''',
}

_IMPORTS = {"math.": "import math\n", "torch": "\nimport torch\n", "F.": "import torch.nn.functional as F\n"}

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
    names = python_names(expression, {*TAKEN, name, f"{name}_plain", module})
    builtin = as_builtin(expression)
    root = builtin if factor == 1.0 else make_node("mul", constant(factor), builtin)
    traced = body([root], names, returned_value)
    arguments, pair = ["x", *names.values()], root.is_paired
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
        replacing=replacing(expression, names, module),
        imports="$imports",
        helpers="$helpers",
    )
    return completed(source)


def init_scale(root: Expression) -> float:
    """The init scale, 1/sqrt(E f(z)^2) at the initial parameters; 1 where that is no finite positive number.

    A power of its own sum, since the last digit of :func:`primitives.analysis.output_factor` differs for every fourth
    function, and exported files stay equal to the byte.
    """
    z, weights = normal_grid()
    second = float((weights * evaluate((root,), z, root.initial_values)[0].square()).sum())
    return second**-0.5 if 0 < second < math.inf else 1.0


def completed(source: str) -> str:
    """Add the helpers and imports that the source uses."""
    helpers = "".join(text for name, text in _HELPERS.items() if f"{name}(" in source)
    used = [
        f"{line}" for mark, line in _IMPORTS.items() if re.search(rf"(?<![\w.]){re.escape(mark)}", source + helpers)
    ]
    imports = "".join(used).strip() + "\nfrom torch import nn"
    return source.replace("$imports", imports, 1).replace("$helpers", helpers, 1).rstrip() + "\n"


def replacing(expression: Expression, names: Mapping[str, str], module: str) -> str:
    """The function ``replace`` of a module, and what else stands at its end."""
    shared = [names[p.name] for p in expression.parameters if p.per == "network"]
    return _REPLACING.substitute(
        module=module,
        example=f"lambda: {module}(64)" if has_channels(expression) else module,
        share=_SHARE.substitute(module=module, names=shared) if shared else "",
    ).rstrip()


def _module_parts(expression: Expression, names: Mapping[str, str], module: str) -> dict[str, str]:
    """What the parameters add to the signature and to the ``nn.Module``."""
    signature, passed, declarations, resets = ["x: torch.Tensor"], ["x"], [""], [""]
    for p in expression.parameters:
        name, initial = names[p.name], python_number(p.initial)
        shape = "channels" if p.per == "channel" else "1"
        signature.append(f"{name}: torch.Tensor | float = {initial}")
        passed.append(f"self.{name}" if p.per == "channel" else f"self.{name}.squeeze(0)")
        declarations.append(f"self.{name} = nn.Parameter(torch.empty({shape}, device=device, dtype=dtype))")
        resets.append(f"nn.init.constant_(self.{name}, {initial})")
    needed = has_channels(expression)
    shared = [names[p.name] for p in expression.parameters if p.per == "network"]
    return channel_parts(expression, names) | {
        "signature": ", ".join(signature),
        "passed": ", ".join(passed),
        "declarations": "\n        ".join(declarations),
        "resets": "\n        ".join(resets),
        "check": _CHECK if needed else "",
        "pass_own_dim": ", channel_dim=self.channel_dim" if needed else "",
        "channels_help": "their number; 1: one value for all." if needed else "not used.",
        "dim_help": _DIM_HELP if needed else "not used.",
        "network_help": f"\n    ``replace`` makes {', '.join(shared)} one for all layers that it puts in."
        if shared
        else "",
    }


_DIM_HELP = """dimension of channels in the input, as torch counts: 1 in (N, C, ...), -1 where they come last. By
            default it is dimension 1, as for nn.PReLU, or the last one where that alone has so many entries."""

_TRACED = Template('''


def _traced($arguments):
    """The formula with its derivatives by torch's autograd, of either mode."""
$body''')

_SHARE = Template("""\
    own = [part for new in made.values() for part in new.modules() if isinstance(part, $module)]
    for part in own[1:]:
        for name in $names:
            setattr(part, name, getattr(own[0], name))
""")

_CHECK = """
        if channels is None or channels < 1:
            raise ValueError(f"parameters per channel need the number of channels, got {channels}")"""


def _as_argument(node: Expression, position: int, text: str) -> str:
    """A number as an argument: torch's functions take tensors.

    / takes a number below the line only: one above it would be multiplied with the reciprocal, which overflows first.
    """
    takes = node.op in {"add", "sub", "mul", "pow", *COMPARISONS} or (node.op == "div" and position == 1)
    return text if takes else f"_as_tensor({text}, x)"


_LANGUAGE = Language(
    column=Column("torch", _TEMPLATES),
    number=python_number,
    as_number="{0}.to(x.dtype)",
    number_in=_as_argument,
)


def body(roots: Sequence[Expression], names: Mapping[str, str], returned: Callable[[Lines], str]) -> str:
    """The indented lines of a function of x and the parameters."""
    code = Lines(roots, _LANGUAGE, names)
    casts = [f"{name} = {name}.to(x.dtype)" for name in names.values()]
    return "\n".join(f"    {line}" for line in [*casts, *code.lines, f"return {returned(code)}"])


def returned_value(code: Lines) -> str:
    """The value, in the shape of x and in memory of its own."""
    root, text = code.roots[0], code.results[0]
    if root.op == "x":
        return "x.clone()"
    return text if any(node.op == "x" for node in postorder((root,))) else f"torch.zeros_like(x) + ({text})"


def _returned_slopes(code: Lines) -> str:
    return "(" + ", ".join(code.results) + (",)" if len(code.results) == 1 else ")")
