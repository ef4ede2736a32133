"""Torch: the source of a module that needs torch alone, with a function, its gradient and an ``nn.Module``."""

from __future__ import annotations

import builtins
import keyword
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from string import Template

from torch import nn

from primitives.builtin import as_builtin
from primitives.derivative import derivative
from primitives.errors import LoweringError
from primitives.evaluation import constants
from primitives.expressions import Expression, Parameter, constant, join, postorder
from primitives.formulas import written_out
from primitives.lowering.latex import latex
from primitives.operators import find_operator

_MODULE = Template('''r"""Activation $function.

    f(x) = $formula

    text form: $text
    factor:    $factor (the functions below compute the factor times the text form)
"""

$imports

__all__ = ["$function", "${function}_plain", "$module", "replace"]


def _value($arguments):
    """The formula, in the dtype of x."""
$value


def _slopes($arguments):
    """Its derivatives by each argument."""
$slopes


class _${module}Function(torch.autograd.Function):
    """The formula with a gradient that keeps only the inputs and can be differentiated again."""

    generate_vmap_rule = True

    @staticmethod
    def forward($arguments):
        return _without_autocast(_value, $arguments)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, gradient):
        inputs = ctx.saved_tensors
        slopes = _without_autocast(_slopes, *inputs)
        return tuple(_reduced(gradient * slope, value) for slope, value in zip(slopes, inputs))


def $function($signature, inplace: bool = False) -> torch.Tensor:
    """Value at x, elementwise, in the dtype of x; parameters broadcast with x.

    Where a graph is compiled or exported this is the plain form. With ``inplace`` the result is written into x,
    unless a gradient is recorded: the gradient needs x.
    """
    if torch.compiler.is_compiling() or torch.compiler.is_exporting():
        result = ${function}_plain($arguments)
    else:
        result = _${module}Function.apply($tensors)
    return x.copy_(result) if inplace and not result.requires_grad else result


def ${function}_plain($signature) -> torch.Tensor:
    """The same value from ordinary operators: for tracing and for forward-mode derivatives."""
    return _without_autocast(_value, $tensors)


class $module(nn.Module):
    """Module form of ``$function``.

    Args:
        channels: $channels_help
        inplace: write the result into the input where no gradient is recorded.
        device: of the parameters.
        dtype: of the parameters.

    Set ``plain`` to True to use the plain form always.
    """

    plain = False

    def __init__(self, channels: int | None = None, inplace: bool = False, device=None, dtype=None) -> None:
        super().__init__()$check
        self.channels = channels
        self.inplace = inplace$declarations
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the parameters to their initial values."""$resets

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.plain:
            return ${function}_plain($own)
        return $function($own, inplace=self.inplace)

    def extra_repr(self) -> str:
        return f"channels={self.channels}, inplace={self.inplace}"


def replace(model: nn.Module, old_type, new_factory) -> int:
    """Put ``new_factory()`` in the place of every submodule of a type; return the number of places.

    ``replace(model, nn.ReLU, $example)`` is an example. A module that is used in several places is replaced
    by one new module in all of them. The model itself is not replaced.
    """
    places = [
        (parent, name, child)
        for parent in model.modules()
        for name, child in parent._modules.items()
        if isinstance(child, old_type)
    ]
    made = {}
    for parent, name, child in places:
        if child not in made:
            made[child] = new_factory().train(child.training)
        parent.register_module(name, made[child])
    return len(places)


def _without_autocast(function, x, *parameters):
    device = x.device.type
    if device != "meta" and torch.is_autocast_enabled(device):
        with torch.autocast(device, enabled=False):
            return function(x, *parameters)
    return function(x, *parameters)


def _reduced(gradient, value):
    """Sum a gradient to the shape of the value that it belongs to."""
    extra = gradient.dim() - value.dim()
    kept = [n == gradient.shape[extra + i] for i, n in enumerate(value.shape)]
    dims = [*range(extra), *(extra + i for i, same in enumerate(kept) if not same)]
    total = gradient.sum(dims, dtype=value.dtype) if dims else gradient.to(value.dtype)
    return total.reshape(value.shape)
$helpers''')

#: helper functions of the generated module, each written where its name occurs
_HELPERS = {
    "_as_tensor": '''

def _as_tensor(value, x):
    """A number as a tensor like x, without dimensions."""
    return value if isinstance(value, torch.Tensor) else torch.full((), value, dtype=x.dtype, device=x.device)
''',
    "_per_channel": '''

def _per_channel(parameter, x):
    """Channels are dim 1, as in NCHW, but the last dim of inputs with up to three dims."""
    dim = 1 if x.dim() > 3 else x.dim() - 1
    if x.shape[dim] != parameter.shape[0]:
        raise ValueError(f"expected {parameter.shape[0]} channels in dim {dim}, got shape {tuple(x.shape)}")
    return parameter.view(-1, *[1] * (x.dim() - 1 - dim))
''',
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

#: operators that take a Python number in every slot; / takes one below the line only (a number above it
#: would be multiplied with the reciprocal, which overflows first)
_TAKES_NUMBERS = {"add", "sub", "mul", "pow", "gt", "ge", "lt", "le"}

_AS_NUMBER = ".to(x.dtype)"  # ends the text of a comparison; a selection needs the bare truth values

_LONGEST = 48  # characters of a subexpression that is written inside its only user

_TAKEN = frozenset(
    [
        *(*keyword.kwlist, *keyword.softkwlist, *dir(builtins), *dir(nn.Module())),
        *("torch", "math", "nn", "F", "x", "channels", "inplace", "device", "dtype", "plain", "ctx", "replace"),
    ]
)


def torch_source(expression: Expression, *, name: str = "activation", factor: float = 1.0) -> str:
    """Source of a module for ``factor * expression``.

    The module imports torch and math only and defines, for the name ``act_3_7``: the function ``act_3_7(x,
    <parameters>, inplace=False)`` with a gradient of its own, ``act_3_7_plain``, the ``nn.Module`` ``Act37`` (each
    part between underscores with a capital first letter) and ``replace(model, old_type, new_factory)``.

    Raises:
        LoweringError: the name is not snake case or is taken in the generated module.
    """
    module = _class_name(name)
    names = _python_names(expression, {name, f"{name}_plain", module})
    own = as_builtin(expression)
    root = own if factor == 1.0 else join("mul", constant(factor), own)
    arguments = ["x", *names.values()]
    source = _MODULE.substitute(
        _module_parts(expression, names),
        function=name,
        module=module,
        formula=latex(expression, factor=factor),
        text=expression.text,
        factor=_literal(factor),
        arguments=", ".join(arguments),
        tensors=", ".join(["x", *(f"_as_tensor({p}, x)" for p in names.values())]),
        value=_body([root], names, _returned_value),
        slopes=_body([derivative(root, by) for by in ("x", *names)], names, _returned_slopes),
        example=f"lambda: {module}(64)" if _per_channel(expression) else module,
        imports="$imports",
        helpers="$helpers",
    )
    return _completed(source)


def _completed(source: str) -> str:
    """Add the helpers and imports that the source uses."""
    helpers = "".join(text for name, text in _HELPERS.items() if f"{name}(" in source)
    used = [
        f"{line}" for mark, line in _IMPORTS.items() if re.search(rf"(?<![\w.]){re.escape(mark)}", source + helpers)
    ]
    imports = "".join(used).strip() + "\nfrom torch import nn"
    return source.replace("$imports", imports, 1).replace("$helpers", helpers, 1).rstrip() + "\n"


def _class_name(name: str) -> str:
    """``act_3_7`` -> ``Act37``."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise LoweringError(f"a function's name is snake case, such as 'act_3_7', got {name!r}")
    module = "".join(part[:1].upper() + part[1:] for part in name.split("_"))
    if name in _TAKEN or module in _TAKEN:
        raise LoweringError(f"the name {name!r} has a meaning in Python or torch; choose another one")
    return module


def _python_names(expression: Expression, taken: set[str]) -> dict[str, str]:
    """Parameter -> its name in the source: the same, or with underscores behind it where that is taken."""
    found: dict[str, str] = {}
    for p in expression.parameters:
        free = p.name if p.name.isidentifier() and not p.name.startswith("_") else f"p_{len(found)}"
        while free in _TAKEN or free in taken or free in found.values() or re.fullmatch(r"t\d+", free):
            free += "_"
        found[p.name] = free
    return found


def _per_channel(expression: Expression) -> bool:
    return any(p.per_channel for p in expression.parameters)


def _module_parts(expression: Expression, names: Mapping[str, str]) -> dict[str, str]:
    """What the parameters add to the signature and to the ``nn.Module``."""
    signature, own, declarations, resets = ["x: torch.Tensor"], ["x"], [""], [""]
    for p in expression.parameters:
        name, initial = names[p.name], _literal(p.initial)
        shape = "channels" if p.per_channel else "()"
        signature.append(f"{name}: torch.Tensor | float = {initial}")
        own.append(f"_per_channel(self.{name}, x)" if p.per_channel else f"self.{name}")
        declarations.append(f"self.{name} = nn.Parameter(torch.empty({shape}, device=device, dtype=dtype))")
        resets.append(f"nn.init.constant_(self.{name}, {initial})")
    needed = _per_channel(expression)
    return {
        "signature": ", ".join(signature),
        "own": ", ".join(own),
        "declarations": "\n        ".join(declarations),
        "resets": "\n        ".join(resets),
        "check": _CHECK if needed else "",
        "channels_help": "size of dim 1, or of the last dim of 2-D and 3-D inputs." if needed else "not used.",
    }


_CHECK = """
        if channels is None or channels < 1:
            raise ValueError(f"parameters per channel need the number of channels, got {channels}")"""


class _Code:
    """Straight-line code: shared subexpressions get a line and a name, short ones with one user are written in it."""

    def __init__(self, roots: Sequence[Expression], names: Mapping[str, str]) -> None:
        self.roots = roots
        self.lines: list[str] = []
        self.names = names
        self.constants = constants(roots)
        nodes = postorder(roots, stop=self.constants)
        self.uses = Counter(arg for node in nodes if node not in self.constants for arg in node.args)
        self.uses.update(roots)
        self.text: dict[Expression, str] = {}
        for node in nodes:
            self.text[node] = self.leaf(node) if node in self.constants or not node.args else self.step(node)

    def leaf(self, node: Expression) -> str:
        if node in self.constants:
            return _literal(self.constants[node])
        return self.names[node.value.name] if isinstance(node.value, Parameter) else "x"

    def step(self, node: Expression) -> str:
        template = find_operator(node.op).torch
        arguments = [self.argument(node, slot, template) for slot in range(len(node.args))]
        if template.startswith("torch.where({0} != 0") and arguments[0].endswith(_AS_NUMBER):
            template = template.replace("{0} != 0", "{0}")
            arguments[0] = arguments[0].removesuffix(_AS_NUMBER)[1:-1]
        text = template.format(*arguments)
        if self.uses[node] == 1 and len(text) <= _LONGEST:
            return text
        self.lines.append(f"t{len(self.lines) + 1} = {text}")
        return f"t{len(self.lines)}"

    def argument(self, node: Expression, slot: int, template: str) -> str:
        """Text of an input that is safe in its slot."""
        arg, mark = node.args[slot], f"{{{slot}}}"
        text = self.text[arg]
        if arg in self.constants:
            number = node.op in _TAKES_NUMBERS or (node.op == "div" and slot == 1)
            return f"({text})" if number and text.startswith("-") else text if number else f"_as_tensor({text}, x)"
        if template.count(mark) > 1 and not text.isidentifier():
            self.lines.append(f"t{len(self.lines) + 1} = {text}")
            return f"t{len(self.lines)}"
        delimited = re.search(rf"[(,] ?{re.escape(mark)}[,)]", template)
        return text if delimited or _is_tight(text) else f"({text})"


def _is_tight(text: str) -> bool:
    """True for a name, and for one call or bracket with nothing behind it but methods."""
    if text.isidentifier():
        return True
    depth = 0
    rest = re.sub(r"^[\w.]*(?=\()", "", text)
    for at, letter in enumerate(rest):
        depth += (letter == "(") - (letter == ")")
        if depth == 0:
            return rest[0] == "(" and rest[at + 1 :] in {"", _AS_NUMBER}
    return False


def _literal(value: float) -> str:
    """A float as Python writes it."""
    if math.isfinite(value):
        return repr(value)
    return "math.nan" if math.isnan(value) else "math.inf" if value > 0 else "-math.inf"


_Returned = Callable[[_Code], str]


def _body(roots: Sequence[Expression], names: Mapping[str, str], returned: _Returned) -> str:
    """The indented lines of a function of x and the parameters."""
    code = _Code([written_out(root, "torch") for root in roots], names)
    casts = [f"{name} = {name}.to(x.dtype)" for name in names.values()]
    result = f"return {returned(code)}"
    return "\n".join(f"    {line}" for line in [*casts, *code.lines, result])


def _returned_value(code: _Code) -> str:
    """The value, in the shape of x and in memory of its own."""
    root = code.roots[0]
    text = code.text[root]
    if root.op == "x":
        return "x.clone()"
    return text if any(node.op == "x" for node in postorder((root,))) else f"torch.zeros_like(x) + ({text})"


def _returned_slopes(code: _Code) -> str:
    return "(" + ", ".join(code.text[root] for root in code.roots) + (",)" if len(code.roots) == 1 else ")")
