"""The kernels of a GPU where there is none: in Triton's interpreter, on tensors of the CPU.

It has no functions of NVIDIA's library; numpy's and scipy's stand for them. Where there is a GPU, nothing is changed;
elsewhere TRITON_INTERPRET has to be 1.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import torch
import triton.language as tl
from scipy import special
from triton.runtime.interpreter import TensorHandle

from evaluators.gpu import descent, operators, optimisers, usable
from evaluators.training import optimiser
from evaluators.training.stacking import pointwise_shares

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"

FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{name: getattr(np, name) for name in ("exp", "expm1", "log", "log1p", "sin", "cos", "sinh", "cosh", "tanh")},
    **{"atan": np.arctan, "asinh": np.arcsinh, "erf": special.erf, "erfc": special.erfc, "pow": np.power},
    **{"div_rn": np.divide, "sqrt_rn": np.sqrt},
}


def interpreted(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of arrays as one of the interpreter's tensors."""

    def of_tensors(*args: Any) -> Any:
        found = np.asarray(function(*[arg.handle.data for arg in args]), dtype=args[0].handle.data.dtype)
        return tl.core.tensor(TensorHandle(found, args[0].dtype), args[0].type)

    return of_tensors


def put(name: str, value: object, *modules: ModuleType) -> None:
    """In the place of what modules have under a name."""
    for module in modules:
        setattr(module, name, value)


if DEVICE == "cpu":
    warnings.simplefilter("ignore", RuntimeWarning)  # of numpy, where a function overflows
    stand_ins = {name: interpreted(function) for name, function in FUNCTIONS.items()}
    put("libdevice", SimpleNamespace(**stand_ins), operators, descent)


def switch(on: bool) -> None:
    """Let the kernels compute, or torch; the engine of the CPU never does."""
    put("is_on_gpu", lambda x: on, usable, optimisers)
    put("usable", lambda x: None, pointwise_shares)
    put("engine_for", lambda *tensors: None, optimiser)
