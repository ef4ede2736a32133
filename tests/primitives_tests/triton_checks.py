"""Checks of a generated Triton module in a process of its own, on a GPU or by Triton's interpreter.

``triton_checks.py FILE``: the module is that of ``TEXT``. Each check compares the kernels with the torch form in the
same file.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType

import torch
from torch import Tensor

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
TEXT = "x*sigmoid(beta*x)+c*where(x>1,x,erf(x)); beta=1.5, c=0.1:channel"


def gradients(act: Callable[..., Tensor], *inputs: Tensor) -> tuple[Tensor, ...]:
    """The value, and the gradient of a weighted sum of it by each input."""
    inputs = tuple(value.detach().requires_grad_() for value in inputs)
    value = act(*inputs)
    weights = noise(*value.shape, seed=1).to(value.dtype)
    return value.detach(), *torch.autograd.grad((value * weights).sum(), inputs)


def agree(module: ModuleType, x: Tensor, beta: Tensor, c: Tensor, *, kernels: bool = True) -> None:
    form = type(module.act(x.detach().requires_grad_(), beta, c).grad_fn).__name__
    assert form == ("_ActKernelsBackward" if kernels else "_ActFunctionBackward"), form
    tolerance = {torch.float16: 4e-3, torch.bfloat16: 3e-2}.get(x.dtype, 2e-5)
    found = gradients(module.act, x, beta, c)
    expected = gradients(module.act_plain, *(value.double() for value in (x, beta, c)))
    for a, b, given in zip(found, expected, (x, x, beta, c), strict=True):
        assert a.shape == given.shape
        assert a.dtype == given.dtype
        torch.testing.assert_close(a.double(), b, rtol=tolerance, atol=tolerance * float(b.abs().max()))


def noise(*shape: int, seed: int = 0) -> Tensor:
    return 2 * torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(DEVICE)


BETA, C = torch.tensor(1.3, device=DEVICE), torch.tensor([0.1, 0.2, 0.3], device=DEVICE)


def check_one_number_and_one_per_channel_over_several_blocks(module: ModuleType) -> None:
    for x, c in (
        (noise(2, 3, 19, 23), C.view(3, 1, 1)),
        (noise(700, 3), C),
        (noise(5, 7, 3), C),
        (noise(2, 3, 5, 4, 6), C.view(3, 1, 1, 1)),
        (noise(2, 3, 4, 4), torch.tensor([0.4], device=DEVICE)),
        (noise(), torch.tensor(0.4, device=DEVICE)),
        (noise(1), torch.tensor(0.4, device=DEVICE)),
    ):
        agree(module, x, BETA, c)


def check_channels_in_groups_and_cycles(module: ModuleType) -> None:
    """Whose gradients are summed by group within a block: powers of two in the stride or in the number of channels."""
    shapes = [(3, 2, 32, 16), (3, 8, 16, 16), (2, 48, 4, 4), (2, 3, 24, 40), (2, 3, 32, 64), (5, 1024, 1), (3, 4096, 1)]
    for shape in shapes:
        c = noise(shape[1], seed=2)
        agree(module, noise(*shape), BETA, c.view(-1, *[1] * (len(shape) - 2)))
    for channels in (64, 96, 2048):
        agree(module, noise(37, channels), BETA, noise(channels, seed=2))


def check_types(module: ModuleType) -> None:
    for dtype in (torch.float16, torch.bfloat16):
        agree(module, noise(4, 3).to(dtype), BETA, C)
        agree(module, noise(4, 3).to(dtype), BETA.to(dtype), C.to(dtype))
    agree(module, noise(4, 3).double(), BETA.double(), C.double(), kernels=False)


def check_memory_formats(module: ModuleType) -> None:
    x = noise(2, 3, 5, 4).to(memory_format=torch.channels_last)
    agree(module, x, BETA, C.view(3, 1, 1))
    assert module.act(x, BETA, C.view(3, 1, 1)).is_contiguous(memory_format=torch.channels_last)
    agree(module, noise(5, 3, 2).permute(2, 0, 1), BETA, noise(5, 1))
    agree(module, noise(3, 700).T, BETA, C)
    agree(module, noise(8, 6)[:, ::2], BETA, C, kernels=False)
    agree(module, noise(4, 1).expand(4, 3), BETA, C, kernels=False)
    assert module.act(noise(0, 3), BETA, C).shape == (0, 3)


def check_other_shapes_of_parameters(module: ModuleType) -> None:
    agree(module, noise(4, 3), noise(4, 1), C)
    agree(module, noise(4, 3), noise(4, 3), C, kernels=False)


def check_a_gradient_in_another_format(module: ModuleType) -> None:
    x = noise(2, 3, 5, 4).requires_grad_()
    value = module.act(x, BETA, C.view(3, 1, 1))
    weights = noise(2, 3, 5, 4).to(memory_format=torch.channels_last)
    (found,) = torch.autograd.grad(value, x, weights)
    (expected,) = torch.autograd.grad(module.act_plain(x, BETA, C.view(3, 1, 1)), x, weights)
    torch.testing.assert_close(found, expected)


def check_the_gradient_of_the_gradient(module: ModuleType) -> None:
    def second(act: Callable[..., Tensor]) -> tuple[Tensor, ...]:
        x, beta = noise(6, 3).requires_grad_(), BETA.clone().requires_grad_()
        slopes = torch.autograd.grad(act(x, beta, C).sum(), (x, beta), create_graph=True)
        return torch.autograd.grad(slopes[0].square().sum() + slopes[1], (x, beta))

    for a, b in zip(second(module.act), second(module.act_plain), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def check_the_module(module: ModuleType) -> None:
    own = module.Act(channels=3, device=DEVICE)
    x = noise(2, 3, 4, 4).requires_grad_()
    value = own(x)
    assert type(value.grad_fn).__name__ == "_ActKernelsBackward"
    value.sum().backward()
    assert own.c.grad.shape == (3,)
    assert own.beta.grad.shape == (1,)
    with torch.no_grad():
        y = x.detach().clone()
        assert module.act(y, inplace=True) is y
        torch.testing.assert_close(y, module.act_plain(x))


def check_vmap_is_that_of_the_torch_form(module: ModuleType) -> None:
    x, betas = noise(5, 7), torch.linspace(0.5, 1.5, 5, device=DEVICE)

    def slope(act: Callable[..., Tensor]) -> Tensor:
        return torch.vmap(torch.func.grad(lambda x, beta: act(x, beta).sum()))(x, betas)

    torch.testing.assert_close(slope(module.act), slope(module.act_plain))


def check_more_elements_than_32_bits_can_number(module: ModuleType) -> None:
    """On a GPU of 40 GB or more alone; the last channel is the last of all elements."""
    if DEVICE == "cpu" or torch.cuda.mem_get_info()[0] < 40e9:
        return
    x = torch.zeros(2**30 + 5, 2, dtype=torch.bfloat16, device=DEVICE)
    x[-1] = torch.tensor([0.5, 2.0])
    leaf, c = x.requires_grad_(), C[:2].clone().requires_grad_()
    value = module.act(leaf, BETA, c)
    assert type(value.grad_fn).__name__ == "_ActKernelsBackward"
    (slope,) = torch.autograd.grad(value, leaf, torch.ones_like(value))
    last = x[-1:].detach().clone().requires_grad_()
    expected = module.act_plain(last, BETA, c)
    torch.testing.assert_close(value[-1:], expected)
    torch.testing.assert_close(slope[-1:], torch.autograd.grad(expected.sum(), last)[0])


if __name__ == "__main__":
    os.environ["TRITON_INTERPRET"] = "1" if DEVICE == "cpu" else "0"
    spec = spec_from_file_location("kernels", sys.argv[1])
    assert spec is not None
    assert spec.loader is not None
    loaded = module_from_spec(spec)
    spec.loader.exec_module(loaded)
    checks = [value for name, value in list(globals().items()) if name.startswith("check_")]
    for check in checks:
        check(loaded)
    print(len(checks), "checks")
