"""Runs generated Triton modules on a GPU or by Triton's interpreter, in a process of its own: ``triton_runner.py DIR``.

For each module ``N.py`` of the folder it reads ``N.pt``, the inputs and the parameters' initial values, and all go to
``found.pt``: value and derivatives at each point.
"""

from __future__ import annotations

import os
import sys
import warnings
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import torch

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def computed(path: Path) -> list[torch.Tensor]:
    spec = spec_from_file_location(f"kernels_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    inputs, initial = torch.load(path.with_suffix(".pt"))
    # a channel for each point: then the sums for each channel are the derivatives at each point
    given = [x.float().reshape(1, -1).to(DEVICE).requires_grad_() for x in inputs]
    given += [torch.full((len(inputs[0]),), value, device=DEVICE, requires_grad=True) for value in initial]
    value = module.act(*given)
    assert type(value.grad_fn).__name__ == "_ActKernelsBackward", "the kernels did not run"
    slopes = torch.autograd.grad(value, given, torch.ones_like(value))
    return [column.detach().flatten().cpu() for column in (value, *slopes)]


if __name__ == "__main__":
    os.environ["TRITON_INTERPRET"] = "1" if DEVICE == "cpu" else "0"
    warnings.simplefilter("ignore", RuntimeWarning)  # of numpy, where a function overflows
    folder = Path(sys.argv[1])
    paths = sorted(folder.glob("*.py"))
    torch.save({int(path.stem): computed(path) for path in paths}, folder / "found.pt")
