"""Checks of the generated Triton module of a gate, as ``triton_checks.py``: ``triton_gate_checks.py FILE``.

The module is that of ``GATE`` in ``test_triton_target.py``.
"""

from __future__ import annotations

import os
import sys
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType

import torch
from torch import Tensor
from triton_checks import DEVICE, gradients, noise  # type: ignore[import-not-found]  # beside this file

C = torch.tensor([0.1, 0.2, 0.3], device=DEVICE)


def agree(module: ModuleType, x: Tensor, z: Tensor, c: Tensor, *, kernels: bool = True) -> None:
    form = type(module.act(x.detach().requires_grad_(), z, c).grad_fn).__name__
    assert form == ("_ActKernelsBackward" if kernels else "_ActFunctionBackward"), form
    tolerance = 3e-2 if torch.bfloat16 in (x.dtype, z.dtype) else 2e-5
    found = gradients(module.act, x, z, c)
    expected = gradients(module.act_plain, *(value.double() for value in (x, z, c)))
    for a, b, given in zip(found, expected, (x, x, z, c), strict=True):
        assert (a.shape, a.dtype) == (given.shape, given.dtype)
        torch.testing.assert_close(a.double(), b, rtol=tolerance, atol=tolerance * float(b.abs().max()))


def check_memory_formats(module: ModuleType) -> None:
    x, z, c = noise(2, 3, 5, 4), noise(2, 3, 5, 4, seed=2), C.view(3, 1, 1)
    last = torch.channels_last
    agree(module, x, z, c)
    agree(module, x.to(memory_format=last), z.to(memory_format=last), c)
    agree(module, x.to(memory_format=last), z, c)
    agree(module, noise(2, 5, 4, 3).permute(0, 3, 1, 2), z, c)
    agree(module, x, noise(2, 3, 5, 8)[..., ::2], c)
    agree(module, noise(8, 6)[:, ::2], noise(8, 3, seed=2), C, kernels=False)


def check_types(module: ModuleType) -> None:
    x, z = noise(40, 3), noise(40, 3, seed=2)
    agree(module, x.bfloat16(), z.bfloat16(), C)
    agree(module, x.bfloat16(), z.bfloat16().float(), C)
    agree(module, x.double(), z.double(), C.double(), kernels=False)


def check_the_gradient_of_the_gradient(module: ModuleType) -> None:
    x, z = (each.requires_grad_() for each in (noise(6, 3), noise(6, 3, seed=2)))

    def second(act: object) -> tuple[Tensor, ...]:
        slopes = torch.autograd.grad(act(x, z, C).sum(), (x, z), create_graph=True)  # type: ignore[operator]
        return torch.autograd.grad(slopes[0].square().sum() + slopes[1].square().sum(), (x, z))

    for a, b in zip(second(module.act), second(module.act_plain), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def check_the_module(module: ModuleType) -> None:
    own, x, z = module.Act(channels=3, device=DEVICE), noise(2, 3, 4, 4), noise(2, 3, 4, 4, seed=2)
    value = own(x, z.requires_grad_())
    assert type(value.grad_fn).__name__ == "_ActKernelsBackward"
    value.sum().backward()
    assert z.grad is not None
    assert own.c.grad.shape == (3,)


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
