"""Torch: the target, with its self-test and the packed form beside the module where there is one."""

from __future__ import annotations

from string import Template

from primitives.equivalence.builtin import as_builtin
from primitives.expression.expression import Expression
from primitives.lowering.python.self_test import points_text, python_self_test
from primitives.lowering.python.text import class_name
from primitives.lowering.target import ALL_KINDS, Target
from primitives.lowering.torch.joined import joined_files
from primitives.lowering.torch.norm import norm_source, norm_test
from primitives.lowering.torch.packed import packed_source, packed_steps
from primitives.lowering.torch.source import torch_source

_COMPUTED = Template("""
inputs = [torch.tensor([each], dtype=torch.float64).T.requires_grad_() for each in ($points,)]
x = inputs[0]
layer = $module(channels=1, dtype=torch.float64)
given = [p.detach().expand_as(x).clone().requires_grad_() for p in layer.parameters()]
slopes = torch.autograd.grad($function(*inputs, *given).sum(), [*inputs, *given])
value = $function(*inputs)
for form in (${function}_plain(*inputs), layer(*inputs)):
    if not torch.allclose(form, value, rtol=1e-12, atol=0.0, equal_nan=True):
        print("$function.py: the function, its plain form and its module differ")
        sys.exit(1)
$checks
return [column.flatten().tolist() for column in (value, *slopes)]
""")

_GAIN = Template("""
z = (torch.arange(20000, dtype=torch.float64) - 9999.5) / 1000
weights = torch.exp(-z * z / 2)
second = float((weights * ${function}_plain(z.unsqueeze(1)).squeeze(1) ** 2).sum() / weights.sum())
if 0 < second < math.inf and not math.isclose(GAIN * GAIN * second, 1.0, rel_tol=1e-6):
    print(f"$file: GAIN is {GAIN!r}, expected {second**-0.5!r}")
    sys.exit(1)""")


def init_scale_test(function: str, file: str) -> str:
    """Lines of a self-test that compute the init scale ``GAIN`` again, by the plain form."""
    return _GAIN.substitute(function=function, file=file).strip()


_PACKED = Template("""
x = torch.tensor(points, dtype=torch.float64, requires_grad=True)
away = torch.stack([x != border for border in BORDERS] or [x == x]).all(0)  # on a border either side is right
(slope,) = torch.autograd.grad($function(x).sum(), x)
(packed,) = torch.autograd.grad(${function}_packed(x).sum(), x)
if not torch.equal(${function}_packed(x), $function(x)) or not torch.allclose(packed[away], slope[away], 1e-9, 0.0):
    print("${function}_packed.py: differs from $function.py")
    sys.exit(1)""")


def _beside(expression: Expression, name: str, factor: float) -> dict[str, str]:
    """The self-test, and the packed form of a pair with steps as its derivative."""
    if expression.has_statistics:
        return norm_test(expression, name, factor)
    packed = packed_steps(expression) is not None
    files = {f"{name}_packed.py": packed_source(expression, name=f"{name}_packed", factor=factor)} if packed else {}
    return files | _self_test(expression, name, factor, packed=packed)


def _self_test(expression: Expression, name: str, factor: float, *, packed: bool) -> dict[str, str]:
    module = class_name(name)
    more = f"\nfrom {name}_packed import BORDERS, {name}_packed" if packed else ""
    scale = [init_scale_test(name, f"{name}.py")] if expression.is_pointwise else []
    checks = [*scale, *([_PACKED.substitute(function=name).strip()] if packed else [])]
    return python_self_test(
        as_builtin(expression),
        f"{name}.py",
        factor=factor,
        imports=f"\nimport torch\nfrom {name} import GAIN, {module}, {name}, {name}_plain{more}",
        computed=_COMPUTED.substitute(
            function=name, module=module, points=points_text(expression), checks="\n".join(checks)
        ),
    )


def _source(expression: Expression, name: str, factor: float) -> str:
    write = norm_source if expression.has_statistics else torch_source
    return write(expression, name=name, factor=factor)


TORCH = Target(".py", _source, _beside, ALL_KINDS, joined_files)
