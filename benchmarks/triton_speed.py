"""Speed of exported Triton functions on a GPU against a copy of the same size and against torch's own functions.

A forward pass reads and writes each element once, as ``y.copy_(x)`` does; forward and backward together move five
elements where a copy moves two. Times are medians of ``triton.testing.do_bench``, which clears the cache before each.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import torch
import torch.nn.functional as F
from torch import Tensor

from primitives.lowering import lower
from primitives.text import parse

FUNCTIONS: dict[str, Callable[[Tensor], Tensor] | None] = {
    "relu(x)": F.relu,
    "gelu(x)": F.gelu,
    "silu(x)": F.silu,
    "x*sigmoid(beta*x); beta=1": None,
    "where(x>0,x,a*x); a=0.25:channel": None,
    "x*tanh(softplus(x))": F.mish,
    "x*exp(-exp(-x))": None,
}
SHAPES = ((64, 64, 56, 56), (256, 64, 112, 112))  # 13 and 206 million elements


def module(text: str, folder: Path) -> ModuleType:
    path = folder / f"f{len(list(folder.iterdir()))}.py"
    path.write_text(str(lower(parse(text), "triton", name="act")), encoding="utf-8")
    spec = spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    found = module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def milliseconds(call: Callable[[], object]) -> float:
    from triton.testing import do_bench

    return float(do_bench(call, return_mode="median"))


def both(act: Callable[[Tensor], Tensor], x: Tensor) -> float:
    """Milliseconds of forward and backward together."""
    leaf, gradient = x.clone().requires_grad_(), torch.randn_like(x)
    return milliseconds(lambda: torch.autograd.grad(act(leaf), leaf, gradient))


def line(text: str, x: Tensor, folder: Path) -> str:
    act = module(text, folder).Act(channels=x.shape[1]).to(x.device)
    builtin, y = FUNCTIONS[text], torch.empty_like(x)
    copy = milliseconds(lambda: y.copy_(x))
    with torch.no_grad():
        forward = milliseconds(lambda: act(x))
    ratios = [copy / forward, 2.5 * copy / both(act, x)]
    if builtin is not None:
        with torch.no_grad():
            ratios.append(milliseconds(lambda: builtin(x)) / forward)
        ratios.append(both(builtin, x) / both(act, x))
    return f"{text:34} " + "  ".join(f"{ratio:8.2f}" for ratio in ratios)


def main() -> None:
    if not torch.cuda.is_available():
        print("no GPU: nothing to measure")
        return
    print(torch.cuda.get_device_name())
    print(f"{'speed of a copy = 1, of torch = 1':34}  forward  with backward  torch: forward  with backward")
    with tempfile.TemporaryDirectory() as folder:
        for shape in SHAPES:
            for dtype in (torch.float32, torch.bfloat16):
                print(f"{tuple(shape)}, {dtype}")
                x = torch.randn(shape, device="cuda", dtype=dtype)
                for text in FUNCTIONS:
                    print(line(text, x, Path(folder)))


if __name__ == "__main__":
    main()
