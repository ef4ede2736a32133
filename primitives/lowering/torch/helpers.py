"""What generated torch modules use: helper functions and imports, written where their names occur."""

from __future__ import annotations

import re

from primitives.lowering.python.channels import HELPERS

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
    "_without_autocast": """

def _without_autocast(function, x, *others):
    device = x.device.type
    if device != "meta" and torch.is_autocast_enabled(device):
        with torch.autocast(device, enabled=False):
            return function(x, *others)
    return function(x, *others)
""",
    "_reduced": '''

def _reduced(gradient, value):
    """Sum a gradient to the shape of the value that it belongs to."""
    extra = gradient.dim() - value.dim()
    kept = [n == gradient.shape[extra + i] for i, n in enumerate(value.shape)]
    dims = [*range(extra), *(extra + i for i, same in enumerate(kept) if not same)]
    total = gradient.sum(dims, dtype=value.dtype) if dims else gradient.to(value.dtype)
    return total.reshape(value.shape)
''',
    "_warn_of_processes": '''

_warned = []


def _warn_of_processes():
    """Say once that statistics over examples are those of one process, where several train together."""
    if _warned or torch.compiler.is_compiling() or not torch.distributed.is_available():
        return
    if torch.distributed.is_initialized() and torch.distributed.get_world_size() > 1:
        _warned.append(True)
        warnings.warn("statistics over examples are those of one process; others are not averaged in", stacklevel=3)
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

_IMPORTS = {
    "math.": "import math\n",
    'warnings.warn("stat': "import warnings\n",
    "torch": "\nimport torch\n",
    "F.": "import torch.nn.functional as F\n",
}


def completed(source: str) -> str:
    """Add the helpers and imports that the source uses."""
    helpers = "".join(text for name, text in _HELPERS.items() if f"{name}(" in source)
    used = [
        f"{line}" for mark, line in _IMPORTS.items() if re.search(rf"(?<![\w.]){re.escape(mark)}", source + helpers)
    ]
    imports = "".join(used).strip() + "\nfrom torch import nn"
    return source.replace("$imports", imports, 1).replace("$helpers", helpers, 1).rstrip() + "\n"
