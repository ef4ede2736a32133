"""Triton: the source of a module with a kernel for the value and one for the gradient, and the torch form beside.

Kernels compute in float32, whatever the input's type, in one pass over memory. Blocks of 1024 with 4 warps are 8
elements for a thread: 16 bytes at a time in the 16-bit types, twice as many in float32. At 16 bits an H200 has time for
some 30 instructions an element before they, and not memory, bind; the functions of functions.txt are short for
that reason.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from string import Template
from textwrap import indent

import torch

from primitives.equivalence.builtin import as_builtin
from primitives.expression.expression import Expression, make_node, with_args
from primitives.expression.reduction import ONE
from primitives.expression.traversal import rewrite
from primitives.lowering.column import INFIX_TEMPLATES, Column
from primitives.lowering.lines import Language, Lines
from primitives.lowering.python.self_test import points_text, python_self_test
from primitives.lowering.python.text import class_name
from primitives.lowering.reference import roots_of
from primitives.lowering.shipped import template, text
from primitives.lowering.substitutes import HYPERBOLIC, SPECIAL, substituted
from primitives.lowering.target import ELEMENTWISE, Target
from primitives.lowering.torch.self_test import init_scale_test
from primitives.lowering.torch.source import torch_source

_WHOLE = frozenset([*range(2, 9), *range(-8, 0)])  # exponents that are written as products
_FORMULAS = {**HYPERBOLIC, **SPECIAL}

_COLUMN = Column(
    "triton",
    INFIX_TEMPLATES
    | {name: f"tl.{name}({{0}})" for name in ("abs", "floor", "log", "sin", "cos", "erf")}
    | {
        "pow": "_pow({0}, {1})",
        "exp": "_exp({0}, FAST)",
        "softplus": "_softplus({0}, FAST)",
        "log_sigmoid": "-_softplus(-{0}, FAST)",
        "gelu": "_gelu({0})",
        "gelu_slope": "_gelu_slope({1}) * {0}",
        "sqrt": "tl.sqrt_rn({0})",
        "max": "tl.maximum({0}, {1}, tl.PropagateNan.ALL)",
        "min": "tl.minimum({0}, {1}, tl.PropagateNan.ALL)",
        "where": "tl.where({0}, {1}, {2})",
        "sign": "tl.where({0} > 0, 1.0, tl.where({0} < 0, -1.0, 0.0))",
    }
    | dict.fromkeys(_FORMULAS, "substituted"),
)


def _number(value: float) -> str:
    return repr(value) if value - value == 0.0 else f'float("{value}")'


_TAKEN = frozenset(["triton", "tl", "os", "math", "contextlib"])
_LANGUAGE = Language(_COLUMN, _number, "{0}.to(tl.float32)")


_PARTS = re.findall(r"def _(\w+)((?:.|\n)*?)(?=\n\n\n|\Z)", text("triton/functions.txt").strip())
_COMMA = ",\n" + " " * 8
_KERNELS = template("triton/kernels.txt")
_FUNCTIONS = {f"_{name}": f"@triton.jit\ndef _{name}{rest}" for name, rest in _PARTS}
_FAST = "FAST: tl.constexpr = x_pointer.dtype.element_ty != tl.float32"

_STANDARD = "import contextlib\nimport math\nimport os\n"
_IMPORTS = """
try:
    import triton
    import triton.language as tl
except ImportError:  # then all is computed by torch
    triton = None

_INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"  # kernels run on the CPU, step by step, to be tested
_BLOCK = 1024
"""


def triton_source(expression: Expression, name: str, factor: float) -> str:
    """Source of a module for ``factor * expression``.

    It is the module of the target torch, with the same names; on a GPU the function runs by kernels for float32,
    float16 and bfloat16, memory without gaps and parameters that are one number or one per channel.

    Raises:
        LoweringError: the name is not snake case or is taken, or an operator cannot be written.
    """
    module = class_name(name, _TAKEN)
    kernels = _kernels(expression, module, factor)
    source = torch_source(expression, name=name, factor=factor)
    source = source.replace(f"_{module}Function.apply(", "_launched(", 1)
    head, line, rest = source.partition("from torch import nn\n")
    head = head.replace("import math\n\n", "").replace("import torch\n", f"{_STANDARD}\nimport torch\n", 1)
    return head + line + _IMPORTS + rest.rstrip() + "\n" + kernels


def _kernels(expression: Expression, module: str, factor: float) -> str:
    names = {p.name: f"p{number}" for number, p in enumerate(expression.parameters, 1)}
    gate = "z" in expression.inputs
    second = {"z": "z"} if gate else {}
    value, *slopes = [_spelled(root) for root in roots_of(as_builtin(expression), factor).values()]
    forward, backward = (Lines(roots, _LANGUAGE, second | names) for roots in ([value], slopes))
    pointers = [_COMMA.join(_arguments(p)) for p in names.values()]
    pointers += ["numel", "BLOCK: tl.constexpr", "WIDE: tl.constexpr"]
    code = "\n".join([*forward.lines, *forward.results, *backward.lines, *backward.results])
    loads = [_FAST] * ("FAST" in code) + [line for given, p in names.items() for line in _load(given, p)]
    result = forward.results[0] if value.uses_input else f"tl.zeros_like(x) + {forward.results[0]}"
    return _KERNELS.substitute(
        _SECOND if gate else _ONE,
        module=module,
        functions="".join(f"\n{indent(text, '    ')}\n" for text in _used(code)),
        pointers=_COMMA.join(pointers),
        backward_pointers=_COMMA.join([*(f"{p}_parts_pointer" for p in names.values()), *pointers]),
        loads=_indented(loads),
        value=_indented([*forward.lines, f"result = {result}"]),
        slopes=_indented([*backward.lines, *_stores(backward.results, [*second], list(names.values()))]),
    )


#: what a second input adds to the kernels
_SECOND = {
    "inputs": "x, z",
    "supported": " and z.device == x.device and z.dtype in _TYPES",
    "alike": "\n        z = _alike(x, z)",
    "alike_helper": """def _alike(x, z):
    \"\"\"The second input in the memory format of the first.\"\"\"
    return z if z.stride() == x.stride() else torch.empty_like(x, dtype=z.dtype).copy_(z)


""",
    "found": "found, found_z",
    "found_second": "\n        found_z = torch.empty_like(x, dtype=z.dtype)",
    "second_pointer": "\n        z_pointer,",
    "found_second_pointer": "\n        found_z_pointer,",
    "load_second": "\n        z = tl.load(z_pointer + at, mask=inside, other=0.0).to(tl.float32)",
}
_ONE = dict.fromkeys(_SECOND, "") | {"inputs": "x", "found": "found"}


def _used(code: str) -> list[str]:
    """The functions that code calls, and those that they call."""
    names: list[str] = []
    while new := [name for name in _FUNCTIONS if name not in names and f"{name}(" in code]:
        names += new
        code = "\n".join(_FUNCTIONS[name] for name in names)
    return [text for name, text in _FUNCTIONS.items() if name in names]


def _arguments(p: str) -> list[str]:
    return [f"{p}_pointer", f"{p}_stride", *(f"{p}_{name}: tl.constexpr" for name in ("channels", "group", "cycle"))]


def _indented(lines: Sequence[str]) -> str:
    return indent("\n".join(lines), " " * 8)


def _load(given: str, p: str) -> list[str]:
    return [
        f"if {p}_channels > 1:  # {given}",
        f"    {p}_group_at = start // {p}_group + tl.arange(0, BLOCK // {p}_group)",
        f"    {p} = tl.load({p}_pointer + {p}_group_at // ({p}_stride // {p}_group) % {p}_channels).to(tl.float32)",
        f"    {p} = tl.reshape(tl.broadcast_to({p}[:, None], (BLOCK // {p}_group, {p}_group)), (BLOCK,))",
        "else:",
        f"    {p} = tl.load({p}_pointer).to(tl.float32)",
    ]


def _stores(slopes: Sequence[str], second: Sequence[str], names: Sequence[str]) -> list[str]:
    lines = []
    for found, slope in zip(("found", *(f"found_{each}" for each in second)), slopes, strict=False):
        lines += [
            f"{found} = gradient * ({slope})",
            f"tl.store({found}_pointer + at, {found}.to({found}_pointer.dtype.element_ty), mask=inside)",
        ]
    for p, slope in zip(names, slopes[1 + len(second) :], strict=True):
        lines += [
            f"{p}_parts = tl.where(inside, gradient * ({slope}), 0.0)",
            f"{p}_parts = tl.reshape({p}_parts, (BLOCK // {p}_cycle, {p}_cycle // {p}_group, {p}_group))",
            f"{p}_at = start // BLOCK * ({p}_cycle // {p}_group) + tl.arange(0, {p}_cycle // {p}_group)",
            f"tl.store({p}_parts_pointer + {p}_at, tl.sum(tl.sum({p}_parts, axis=2), axis=0))",
        ]
    return lines


def _spelled(root: Expression) -> Expression:
    """The same function over operators that Triton has in float32; small whole powers are products."""
    return rewrite(substituted(_COLUMN.expand(root), _FORMULAS), _product)


def _product(node: Expression, args: tuple[Expression, ...]) -> Expression:
    exponent = args[1].value if node.op == "pow" else None
    if not isinstance(exponent, float) or exponent not in _WHOLE:
        return with_args(node, args)
    power = args[0]
    for digit in f"{abs(int(exponent)):b}"[1:]:
        power = make_node("mul", power, power)
        power = make_node("mul", power, args[0]) if digit == "1" else power
    return power if exponent > 0 else make_node("div", ONE, power)


_SELF_IMPORTS = Template("""
import os
import warnings

import torch

warnings.simplefilter("ignore", RuntimeWarning)  # of the interpreter, where a function overflows
if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"
from ${function}_triton import GAIN, $module, $function, ${function}_plain""")

# a channel for each point: then the sums for each channel are the derivatives at each point
_COMPUTED = Template("""
device = "cuda" if torch.cuda.is_available() else "cpu"
inputs = [torch.tensor([each], dtype=torch.float32, device=device, requires_grad=True) for each in ($points,)]
layer = $module(channels=1, device=device)
given = [p.detach().expand(len(points)).clone().requires_grad_() for p in layer.parameters()]
value = $function(*inputs, *given)
assert "Kernels" in type(value.grad_fn).__name__, "the kernels did not run"
slopes = torch.autograd.grad(value, [*inputs, *given], torch.ones_like(value))
for form in ($function(*inputs), layer(*inputs)):
    if not torch.allclose(form, value, rtol=1e-6, atol=0.0, equal_nan=True):
        print("${function}_triton.py: the function and its module differ")
        sys.exit(1)
$init_scale
return [column.flatten().tolist() for column in (value.detach(), *slopes)]
""")


def _self_test(expression: Expression, name: str, factor: float) -> dict[str, str]:
    file, module = f"{name}_triton.py", class_name(name)
    return python_self_test(
        as_builtin(expression),
        file,
        factor=factor,
        imports=_SELF_IMPORTS.substitute(function=name, module=module),
        computed=_COMPUTED.substitute(
            function=name,
            module=module,
            points=points_text(expression),
            init_scale=init_scale_test(name, file) if expression.is_pointwise else "",
        ),
        dtype=torch.float32,
    )


TRITON = Target("_triton.py", triton_source, _self_test, ELEMENTWISE)
