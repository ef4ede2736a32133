"""Speed of exported Triton functions on a GPU against a copy of the same size and against torch's own functions.

A forward pass reads and writes each element once, as ``y.copy_(x)`` does; forward and backward together move five
elements where a copy moves two. Times are those of the GPU, medians of ``triton.testing.do_bench_cudagraph``: a graph
of calls is replayed. What Python takes to launch a call is measured apart, with 1,024 elements; it counts where a
network is so small that the GPU waits for it.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib.util import module_from_spec, spec_from_file_location
from itertools import product
from pathlib import Path
from types import ModuleType

import torch
import torch.nn.functional as F
from torch import Tensor

from primitives.expression.parsing import parse
from primitives.lowering import lower

FUNCTIONS: dict[str, Callable[[Tensor], Tensor] | None] = {
    "relu(x)": F.relu,
    "gelu(x)": F.gelu,
    "silu(x)": F.silu,
    "x*sigmoid(beta*x); beta=1": None,
    "where(x>0,x,a*x); a=0.25:channel": None,
    "x*tanh(softplus(x))": F.mish,
    "x*exp(-exp(-x))": None,
}
SHAPES = ((256, 64, 56, 56), (256, 64, 112, 112))  # 51 and 206 million elements
DTYPES = (torch.float32, torch.bfloat16)
FORMATS = (torch.contiguous_format, torch.channels_last)
CALLS = 300


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
    from triton.testing import do_bench_cudagraph

    return float(do_bench_cudagraph(call, rep=10, return_mode="median"))


def both(act: Callable[[Tensor], Tensor], x: Tensor) -> Callable[[], object]:
    """A call of forward and backward together."""
    leaf, gradient = x.clone().requires_grad_(), torch.randn_like(x)
    return lambda: torch.autograd.grad(act(leaf), leaf, gradient)


def line(text: str, x: Tensor, folder: Path) -> str:
    act = module(text, folder).Act(channels=x.shape[1]).to(x.device)
    builtin, y = FUNCTIONS[text], torch.empty_like(x)
    copy = milliseconds(lambda: y.copy_(x))
    with torch.no_grad():
        forward = milliseconds(lambda: act(x))
    backward = milliseconds(both(act, x))
    ratios = [copy / forward, 2.5 * copy / backward]
    if builtin is not None:
        with torch.no_grad():
            ratios.append(milliseconds(lambda: builtin(x)) / forward)
        ratios.append(milliseconds(both(builtin, x)) / backward)
    return f"{text:34} " + "  ".join(f"{ratio:8.2f}" for ratio in ratios)


def microseconds(call: Callable[[], object]) -> float:
    """Of Python and the driver for a call."""
    call()
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(CALLS):
        call()
    taken = time.perf_counter() - start
    torch.cuda.synchronize()
    return 1e6 * taken / CALLS


def launching(text: str, folder: Path) -> str:
    x = torch.randn(16, 64, device="cuda")
    act, builtin = module(text, folder).Act(channels=64).to("cuda"), FUNCTIONS[text]
    times = []
    for function in (act, builtin):
        if function is not None:
            with torch.no_grad():
                times.append(microseconds(partial(function, x)))
            times.append(microseconds(both(function, x)))
    return f"{text:34} " + "  ".join(f"{value:8.0f}" for value in times)


def main() -> None:
    if not torch.cuda.is_available():
        print("no GPU: nothing to measure")
        return
    print(torch.cuda.get_device_name())
    print(f"{'speed of a copy = 1, of torch = 1':34}  forward  with backward  torch: forward  with backward")
    with tempfile.TemporaryDirectory() as folder:
        for shape, dtype, memory in product(SHAPES, DTYPES, FORMATS):
            print(f"{tuple(shape)}, {dtype}, {memory}")
            x = torch.randn(shape, device="cuda", dtype=dtype).to(memory_format=memory)
            for text in FUNCTIONS:
                print(line(text, x, Path(folder)))
        print(f"{'microseconds to launch':34}  forward  with backward  torch: forward  with backward")
        for text in FUNCTIONS:
            print(launching(text, Path(folder)))


if __name__ == "__main__":
    main()
